"""Changing an index: what is refused, what a killed writer leaves, what readers see."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cmh_metrics import pack_codes
from cmh_search import CodeIndex, CodeIndexError, IndexWriter


def codes(n, bits=16, seed=0):
    return np.where(np.random.default_rng(seed).random((n, bits)) < 0.5, -1, 1)


@pytest.fixture
def index(tmp_path):
    index = CodeIndex.create(tmp_path / "index", bits=16, label_names=["cat"])
    with IndexWriter(index.path) as writer:
        writer.add(ids=["a", "b"], image_codes=codes(2))
    return index.refresh()


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ({"ids": []}, "ids must name at least one item"),
        ({"ids": ["c", 3]}, "ids must be strings, but one is 3"),
        ({"ids": "c", "image_codes": codes(1)}, "ids must be a list of strings, but it is the string 'c'"),
        ({"ids": ["caf\udce9"], "image_codes": codes(1)}, "ids must be texts that UTF-8 can write"),
        (
            {"ids": ["c"], "image_codes": codes(1), "payload": [[1]]},
            "payload must be JSON objects, but one is",
        ),
        ({"ids": ["c", "c"], "image_codes": codes(2)}, "'c' stands there twice"),
        ({"ids": ["a"], "image_codes": codes(1)}, "id 'a' is in the index already; use update"),
        ({"ids": ["c"]}, "item 'c' must have an image code or a text code"),
        ({"ids": ["c"], "image_codes": codes(1, 8)}, "image_codes must have 16 bits as the index has"),
        ({"ids": ["c"], "text_codes": pack_codes(codes(1, 8))}, "text_codes must have 16 bits"),
        ({"ids": ["c"], "text_codes": pack_codes(codes(2))}, "text_codes must have 1 rows, but it has 2"),
        ({"ids": ["c"], "image_codes": codes(3)}, r"image_codes must be of shape \(1, 16\)"),
        ({"ids": ["c"], "image_present": [True]}, "image_codes is missing"),
        ({"ids": ["c"], "image_codes": codes(1), "image_present": [1]}, "image_present must be one bool"),
        ({"ids": ["c"], "image_codes": codes(1), "labels": [[2]]}, "labels must be zeros and ones"),
        ({"ids": ["c"], "image_codes": codes(1), "labels": [[1, 0]]}, "labels must be zeros and ones"),
        ({"ids": ["c"], "image_codes": codes(1), "payload": []}, "payload must have one object"),
        ({"ids": ["c"], "image_codes": codes(1), "payload": [{"x": np.nan}]}, "payload must be JSON"),
        ({"ids": ["c"], "image_codes": codes(1), "image_values": [[1.0]]}, "keeps no values"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(index, items, says):
    before = sorted(path.name for path in index.path.rglob("*"))
    with IndexWriter(index.path) as writer, pytest.raises(CodeIndexError, match=says):
        writer.add(**items)
    assert sorted(path.name for path in index.path.rglob("*")) in (before, sorted([*before, "lock"]))
    assert len(index.refresh()) == 2


def test_values_are_asked_for_where_the_index_keeps_them(tmp_path):
    CodeIndex.create(tmp_path / "index", bits=16, value_width=3)
    with IndexWriter(tmp_path / "index") as writer:
        for values in (None, np.ones((1, 2)), np.full((1, 3), np.inf)):
            with pytest.raises(CodeIndexError, match="image_values must be finite numbers of shape"):
                writer.add(ids=["a"], image_codes=codes(1), image_values=values)


def test_a_string_is_no_list_of_ids(index):
    with IndexWriter(index.path) as writer, pytest.raises(CodeIndexError, match="it is the string 'ab'"):
        writer.delete("ab")  # both a and b are there
    assert len(index.refresh()) == 2
    assert index.search(codes(1), exclude="b").ids() == ["a"]
    with pytest.raises(CodeIndexError, match="no item with the id 'ab'"):
        index.search(codes(1), ids="ab")


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_is_none_is_no_item(index, row):
    for ask in (index.id, index.payload, index.labels):
        with pytest.raises(CodeIndexError, match="row must be 0 to 1, but it is"):
            ask(row)


@pytest.mark.parametrize("k", [0, 2.5, "3", True])
def test_a_number_of_items_is_a_whole_one(index, k):
    with pytest.raises(CodeIndexError, match="k must be at least 1, a whole number"):
        index.search(codes(1), k=k)


@pytest.mark.parametrize("radius", [float("nan"), -1])
def test_a_radius_is_no_less_than_nothing(index, radius):
    with pytest.raises(CodeIndexError, match="radius must be 0 or more"):
        index.within(codes(1), radius=radius)


@pytest.mark.parametrize("change", ["delete", "update"])
def test_unknown_ids_are_named(index, change):
    with IndexWriter(index.path) as writer, pytest.raises(CodeIndexError, match="id 'z' is not in the index"):
        writer.delete(["a", "z"]) if change == "delete" else writer.update(ids=["z"], image_codes=codes(1))
    assert len(index.refresh()) == 2


def test_a_second_writer_is_refused_until_the_first_has_ended(index):
    with (
        IndexWriter(index.path),
        pytest.raises(CodeIndexError, match="is being written by another process"),
    ):
        IndexWriter(index.path)
    IndexWriter(index.path).close()


def test_a_closed_writer_says_so(index):
    writer = IndexWriter(index.path)
    writer.close()
    with pytest.raises(CodeIndexError, match="closed"):
        writer.add(ids=["c"], image_codes=codes(1))


def test_an_open_index_shows_its_state_while_a_writer_replaces_it(index):
    query = codes(1, seed=3)
    before = index.search(query).items()
    with IndexWriter(index.path) as writer:
        writer.update(ids=["a"], text_codes=codes(1, seed=3))
        writer.delete(["b"])
        writer.compact()
    assert index.search(query).items() == before
    assert index.refresh().search(query).ids() == ["a"]


def test_everything_can_be_deleted_and_added_again(index):
    with IndexWriter(index.path) as writer:
        writer.delete(["a", "b"])
        writer.compact()
        assert len(index.refresh()) == 0
        writer.add(ids=["a"], image_codes=codes(1))
    assert index.refresh().search(codes(1), k=3).ids() == ["a"]


def test_many_small_additions_are_merged_and_keep_their_order(tmp_path):
    index = CodeIndex.create(tmp_path / "index", bits=16)
    with IndexWriter(index.path) as writer:
        for number in range(200):
            writer.add(ids=[str(number)], image_codes=codes(1))
    index = index.refresh()
    assert len(json.loads((index.path / "index.json").read_text())["segments"]) < 24
    assert index.search(codes(1), k=200).ids() == [str(number) for number in range(200)]
    assert len([path for path in index.path.iterdir() if path.is_dir()]) < 24


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "index.json").unlink(), "is no index"),
        (lambda folder: (folder / "index.json").write_text("{"), "damaged or belongs to something else"),
        (lambda folder: (folder / "index.json").write_text("[1]"), "damaged or belongs to something else"),
        (lambda folder: (folder / "index.json").write_text('{"format": "x"}'), "belongs to something else"),
        (lambda folder: edit(folder, version=9), "has version 9, but this cmh-search reads version 1"),
        (lambda folder: edit(folder, segments=[{"n": 3}]), "is damaged"),
        (lambda folder: edit(folder, segments=[{"name": "00000001", "n": 3}]), "the manifest says 3"),
        (
            lambda folder: edit(folder, segments=[{"name": "00000009", "n": 3}]),
            "is missing; the index is damaged",
        ),
        (lambda folder: next(folder.glob("0*/codes_image.npy")).write_bytes(b"no"), "is damaged"),
    ],
)
def test_a_damaged_index_is_named(index, damage, says):
    damage(index.path)
    with pytest.raises(CodeIndexError, match=says):
        CodeIndex(index.path)


def edit(folder, **values):
    content = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(content | values))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"bits": 0}, "bits must be at least 1"),
        ({"bits": 8, "label_names": ["a", "a"]}, "must be all different"),
        ({"bits": 8, "label_names": "sea"}, "label_names must be a list of names"),
        ({"bits": 2000}, "bits must be 1 to 1024"),
        ({"bits": 8.0}, "bits must be at least 1, a whole number, but it is 8.0"),
        ({"bits": 8, "label_names": [3]}, "label_names must be texts"),
        ({"bits": 8, "value_width": -1}, "value_width must be at least 0"),
        ({"bits": 8, "value_width": 2.5}, "value_width must be at least 0, a whole number"),
        ({"bits": 8, "value_width": 4, "value_type": "int4"}, "value_type must be float16 or int8"),
    ],
)
def test_settings_of_a_new_index_are_checked(tmp_path, how, says):
    with pytest.raises(CodeIndexError, match=says):
        CodeIndex.create(tmp_path / "index", **how)
    assert not (tmp_path / "index").exists()


def test_an_index_never_replaces_what_is_there(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(CodeIndexError, match="is there already"):
        CodeIndex.create(tmp_path, bits=8)


WRITER = """
import sys
import numpy as np
from cmh_search import IndexWriter
folder, seed = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(seed)
with IndexWriter(folder) as writer:
    here = [f"{seed}-{number}" for number in range(3)]
    writer.add(ids=here, image_codes=np.where(rng.random((3, 16)) < 0.5, -1, 1))
    print("add", *here, flush=True)
    for step in range(10**6):
        if step % 3 == 2:
            gone = here.pop(int(rng.integers(len(here))))
            print("deleting", gone, flush=True)
            writer.delete([gone])
            print("delete", gone, flush=True)
        else:
            name = f"{seed}-{step + 10}"
            print("adding", name, flush=True)
            writer.add(ids=[name], image_codes=np.where(rng.random((1, 16)) < 0.5, -1, 1))
            here.append(name)
            print("add", name, flush=True)
"""


def kill_and_check(folder, kills):
    """Kill a writer again and again; what it said it did is there, what it was doing is done or not begun."""
    acknowledged, maybe = set(), {}
    for number in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(number)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()  # wait for the first addition, not for imports
        time.sleep(float(np.random.default_rng(number).random()) * 0.3)
        CodeIndex(folder).search(np.ones(16), k=5)  # a reader at any moment
        os.kill(process.pid, signal.SIGKILL)
        said = process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        acknowledged |= {f"{number}-{first}" for first in range(3)}
        for line in said:
            verb, name = line.split()
            maybe = {name} if verb in ("adding", "deleting") else set()
            if verb == "add":
                acknowledged.add(name)
            elif verb == "delete":
                acknowledged.discard(name)
        index = CodeIndex(folder)
        found = index.search(np.ones(16), k=10**5).ids()
        assert len(found) == len(set(found)) == len(index)
        assert set(found) - maybe == acknowledged - maybe
        acknowledged = set(found)


def test_a_killed_writer_loses_and_doubles_nothing(tmp_path):
    CodeIndex.create(tmp_path / "index", bits=16)
    kill_and_check(tmp_path / "index", 4)


@pytest.mark.slow
def test_fifty_kills_lose_and_double_nothing(tmp_path):
    CodeIndex.create(tmp_path / "index", bits=16)
    kill_and_check(tmp_path / "index", 50)
