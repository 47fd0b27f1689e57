"""Folders and tables as people have them: gaps, other names, hostile pictures, bounded memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
import unicodedata
import zipfile
from pathlib import Path

import cmh_data
import numpy as np
import pyarrow as pa
import pytest
from cmh_data._builders.label_lists import label_lists
from cmh_data._builders.pictures import identical_groups
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet


def picture(seed, size=(12, 10), kind="PNG"):
    out = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def put(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_pipes_and_links_that_lead_nowhere_are_no_pictures(tmp_path):
    rows = [{"image": name, "text": "red apple", "labels": "x"} for name in ("1.png", "pipe.png", "loop.png")]
    folder = put(tmp_path, {"1.png": picture(1), "2.png": picture(2), "t.jsonl": jsonl(rows)})
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    built = cmh_data.build_folder(folder, least_count=1)
    assert built.ids == ("1.png", "pipe.png", "loop.png", "2.png")
    assert built.image_present.tolist() == [True, False, False, True]


def test_links_that_are_not_followed_are_named(tmp_path):
    put(tmp_path / "elsewhere", {"3.png": picture(3)})
    rows = [{"image": f"{number}.png", "text": "red apple", "labels": "x"} for number in (1, 2)]
    folder = put(tmp_path / "here", {"1.png": picture(1), "2.png": picture(2), "t.jsonl": jsonl(rows)})
    assert not any("links" in step for step in cmh_data.build_folder(folder).provenance["steps"])
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    built = cmh_data.build_folder(folder)
    assert built.ids == ("1.png", "2.png")
    steps = built.provenance["steps"]
    assert "links to folders and out of the folder are not followed: more" in steps
    (folder / "another.png").symlink_to(tmp_path / "elsewhere/3.png")
    steps = cmh_data.build_folder(folder).provenance["steps"]
    assert "links to folders and out of the folder are not followed: another.png and 1 more" in steps
    links = put(tmp_path / "links", {".hidden": b""})
    (links / "all").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(cmh_data.DataError, match=r"must hold one table .* are not followed: all\.$"):
        cmh_data.build_folder(links)


def test_a_picture_whose_name_is_not_utf_8_is_named_as_bytes(tmp_path):
    folder = put(tmp_path, {"1.png": picture(1), "t.jsonl": jsonl([{"image": "1.png", "text": "red"}])})
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(picture(2))
    with pytest.raises(cmh_data.DataError, match=r"is not UTF-8, b'caf\\xe9\.png'; rename it"):
        cmh_data.build_folder(folder, least_count=1)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"


def test_a_picture_never_starts_a_program(tmp_path, monkeypatch):
    programs = put(tmp_path / "bin", {"gs": f"#!/bin/sh\necho started > {tmp_path}/ran\nexit 1\n"})
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    rows = [{"image": f"{number}.jpg", "text": "red apple", "labels": "x"} for number in range(3)]
    folder = put(
        tmp_path / "photos", {f"{number}.jpg": POSTSCRIPT for number in range(3)} | {"t.jsonl": jsonl(rows)}
    )
    with pytest.raises(cmh_data.DataError, match=r"0.jpg cannot be read as an image \(JPEG, PNG"):
        cmh_data.build_folder(folder).pixels(8)
    assert not (tmp_path / "ran").exists()


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path):
    out = io.BytesIO()
    Image.new("1", (30000, 30000)).save(out, "PNG")
    rows = [{"image": name, "text": "red apple"} for name in ("big.png", "good.png")]
    folder = put(tmp_path, {"big.png": out.getvalue(), "good.png": picture(1), "t.jsonl": jsonl(rows)})
    built = cmh_data.build_folder(folder)
    pixels = built.pixels(4)
    assert pixels.unreadable == ("big.png",)
    assert built.dataset(pixels, n_query=1, n_train=1).image_present.tolist() == [False, True]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("nothing", [None, "", "NaN", "None", "  "])
def test_a_missing_text_is_no_word(tmp_path, kind, nothing):
    rows = [
        {"image": f"{number}.jpg", "text": nothing if number < 3 else "red apple", "labels": "fruit"}
        for number in range(9)
    ]
    if kind == "jsonl":
        content = jsonl(rows)
    elif kind == "csv":
        content = "image,text,labels\n" + "".join(f"{r['image']},{r['text'] or ''},fruit\n" for r in rows)
    else:
        out = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), out)
        content = out.getvalue()
    built = cmh_data.build_folder(put(tmp_path, {f"t.{kind}": content}))
    assert built.text_vocabulary == ("apple", "red")
    assert built.text_present.tolist() == [False] * 3 + [True] * 6
    assert not built.text[:3].any()
    assert "3 of 9 rows without a text" in built.provenance["steps"]


def test_a_float_nan_of_parquet_is_missing(tmp_path):
    out = io.BytesIO()
    table = pa.table(
        {"image": ["a", "b", "c"], "text": ["red", "red", "red"], "labels": [1.0, float("nan"), 2.0]}
    )
    parquet.write_table(table, out)
    built = cmh_data.build_folder(put(tmp_path, {"t.parquet": out.getvalue()}))
    assert built.label_names == ("1", "2")
    assert built.label.tolist() == [[1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["cat;dog", "dog"], [["cat", "dog"], ["dog"]]),
        (["cat, dog", "dog"], [["cat", "dog"], ["dog"]]),
        (["cat|dog", "dog"], [["cat", "dog"], ["dog"]]),
        (["Food, drink; animals", "animals"], [["Food, drink", "animals"], ["animals"]]),
        (["['cat', 'dog']", "['dog']"], [["cat", "dog"], ["dog"]]),
        (['["it\'s", "dog"]', "[]"], [["it's", "dog"], []]),
        (["['cat' 'dog']", "('dog',)"], [["cat", "dog"], ["dog"]]),
        (["[1, 2]", "[2]"], [["1", "2"], ["2"]]),
        ([["cat", None, " "], ("dog",)], [["cat"], ["dog"]]),
        ([3, 1], [["3"], ["1"]]),
        ([3.0, None], [["3"], []]),
        ([[0, 1, 1], [1, 0, 0]], [["1", "2"], ["0"]]),
        (["a b", "none"], [["a b"], ["none"]]),
        ([True, False], [["True"], ["False"]]),
    ],
)
def test_labels_as_people_write_them(cells, names):
    assert label_lists(cells)[0] == names


def test_the_separator_of_labels_can_be_named():
    assert label_lists(["a/b", "b"], separator="/")[0] == [["a", "b"], ["b"]]


@given(st.lists(st.lists(st.text("abcé ", min_size=1).map(str.strip).filter(bool)), min_size=1))
def test_written_lists_give_their_names_back(rows):
    assert label_lists([str(row) for row in rows])[0] == rows


def test_numbers_as_labels_in_jsonl(tmp_path):
    rows = [{"image": f"{row}", "text": "red", "labels": row % 3} for row in range(6)]
    built = cmh_data.build_folder(put(tmp_path, {"t.jsonl": jsonl(rows)}))
    assert built.label_names == ("0", "1", "2")
    assert built.label.argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2]


def test_names_in_the_other_unicode_form_are_found(tmp_path):
    name = "é b.png"
    files = {unicodedata.normalize("NFC", name): picture(1), "a\u0308.png": picture(2)}
    rows = [
        {"image": unicodedata.normalize("NFD", name), "text": "red"},
        {"image": "./\u00e4.png", "text": "red"},
    ]
    built = cmh_data.build_folder(put(tmp_path, files | {"t.jsonl": jsonl(rows)}))
    assert built.image_present.all()
    assert built.pixels(2).shape == (2, 3, 2, 2)


@pytest.mark.parametrize("path", ["C:\\Users\\me\\1.png", "/home/me/1.png", "sub\\1.png", "./sub/1.png"])
def test_paths_of_other_machines(tmp_path, path):
    rows = [{"image": path, "text": "red"}, {"image": "sub/2.png", "text": "red"}]
    built = cmh_data.build_folder(
        put(tmp_path, {"sub/1.png": picture(1), "sub/2.png": picture(2), "t.jsonl": jsonl(rows)})
    )
    assert built.image_names == ("sub/1.png", "sub/2.png")


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_any_separator_and_other_names_of_columns(tmp_path, separator):
    lines = [
        separator.join(row)
        for row in (
            ["filename", "note", "tags", "size"],
            ["1.png", "a red cat", "x", "4"],
            ["2.png", "red", "y", "5"],
        )
    ]
    folder = put(tmp_path, {"t.csv": "\n".join(lines)})
    built = cmh_data.build_folder(folder, columns={"image": "filename", "text": "note", "labels": "tags"})
    assert built.label_names == ("x", "y")
    assert built.text_vocabulary == ("red",)
    assert (
        "image from filename, text from note, labels from tags; not read: size"
        in built.provenance["steps"][0]
    )
    with pytest.raises(
        cmh_data.DataError, match=r"t.csv has no column 'captions'; its columns are filename, note"
    ):
        cmh_data.build_folder(folder, columns={"text": "captions"})
    with pytest.raises(cmh_data.DataError, match="columns must name image, text, labels or split"):
        cmh_data.build_folder(folder, columns={"picture": "filename"})


def test_another_encoding_is_said_or_named(tmp_path):
    folder = put(tmp_path, {"t.csv": "image,text\n1.png,café red\n2.png,red\n".encode("cp1252")})
    with pytest.raises(cmh_data.DataError, match="save it as UTF-8, or name its encoding"):
        cmh_data.build_folder(folder)
    assert cmh_data.build_folder(folder, encoding="cp1252", least_count=1).text_vocabulary == ("red", "café")
    put(tmp_path, {"t.csv": "image,text\n1.png,café red\n2.png,red\n".encode("utf-16")})
    assert cmh_data.build_folder(folder, least_count=1).text_vocabulary == ("red", "café")


def test_a_text_that_holds_the_separator_unquoted_is_an_error(tmp_path):
    folder = put(tmp_path, {"t.csv": "image,text,labels\n1.png,red, green,x\n"})
    with pytest.raises(cmh_data.DataError, match=r"line 2 of t.csv has 4 cells, but there are 3 columns"):
        cmh_data.build_folder(folder)


def test_addresses_are_not_fetched(tmp_path):
    rows = [{"image": "https://x.org/1.png", "text": "red"}] * 2
    with pytest.raises(cmh_data.DataError, match="fetch the pictures first"):
        cmh_data.build_folder(put(tmp_path, {"t.jsonl": jsonl(rows)}))


def test_a_collection_with_gaps(tmp_path):
    """Rows without a picture, a text or a label, pictures without a row, a truncated and a wrong file."""
    files = {f"pictures/{number}.png": picture(number) for number in range(40)}
    files["pictures/38.png"] = files["pictures/38.png"][:60]
    files["pictures/39.png"] = b"this is text"
    rows = [
        {
            "image": f"pictures/{number}.png" if number != 5 else "pictures/gone.png",
            "text": None if number in (1, 2) else "a red thing",
            "labels": None if number == 3 else ["x"],
        }
        for number in range(30)
    ] + [{"image": None, "text": "red", "labels": ["x"]}]
    built = cmh_data.build_folder(put(tmp_path, files | {"t.jsonl": jsonl(rows)}))
    assert len(built) == 31 + 11  # 5.png and 30 to 39 stand in no row
    data = built.dataset(built.pixels(4), n_query=6, seed=3)
    missing = {data.ids[row] for row in np.flatnonzero(~data.image_present)}
    assert missing == {"pictures/gone.png", "t.jsonl#31", "pictures/38.png", "pictures/39.png"}
    assert int((~data.text_present).sum()) == 2 + 11
    complete = data.image_present & data.text_present & data.label.any(axis=1)
    assert complete[data.split.query].all()
    path = cmh_data.save(data, tmp_path / "a.h5")
    back = cmh_data.load(path)
    assert back.digest == data.digest == back.compute_digest()
    np.testing.assert_array_equal(back.image_present, data.image_present)
    np.testing.assert_array_equal(back.text_present, data.text_present)
    report = cmh_data.inspect(path)
    assert (report.parts["image"].missing_rows, report.parts["text"].missing_rows) == (4, 13)
    assert any("4 of 42 rows have no image" in finding for finding in back.findings)


def test_a_random_split_never_shows_a_picture_on_both_sides(tmp_path):
    files = {f"{number}.png": picture(number // 2) for number in range(20)}  # each picture twice
    rows = [{"image": name, "text": "red thing"} for name in files for _ in range(2)]
    built = cmh_data.build_folder(put(tmp_path, files | {"t.jsonl": jsonl(rows)}))
    for seed in range(10):
        data = built.dataset(built.pixels(4), n_query=3, seed=seed)
        number = np.array([int(item.split(".")[0]) // 2 for item in data.ids])
        assert not set(number[data.split.query]) & set(number[data.split.train])
        assert len(data.split.query) == 12
    apart = built.dataset(built.pixels(4), n_query=3, keep_together="same")
    assert len(apart.split.query) == 6
    with pytest.raises(cmh_data.DataError, match="keep_together must be"):
        built.dataset(built.pixels(4), keep_together="all")


def test_near_identical_pictures_stay_together_where_asked(tmp_path):
    files = {}
    for number in range(8):
        files[f"{number}.png"] = picture(number, (64, 48))
        files[f"{number}s.jpg"] = picture(number, (32, 24), "JPEG")  # smaller and recompressed
    names = sorted(files)
    rows = [{"image": name, "text": "red thing"} for name in names]
    built = cmh_data.build_folder(put(tmp_path, files | {"t.jsonl": jsonl(rows)}))
    apart = identical_groups(built.archive, built.image_names)
    near = identical_groups(built.archive, built.image_names, near=True)
    assert len(set(apart.tolist())) == 16
    assert len(set(near.tolist())) == 8
    data = built.dataset(built.pixels(4), n_query=2, keep_together="near-identical")
    sides = [{data.ids[row][0] for row in rows} for rows in (data.split.query, data.split.train)]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize("labels", [{}, {"labels": "x"}])
def test_pictures_and_texts_that_share_no_row(tmp_path, labels):
    """Two collections of unequal size: a table of texts alone, and pictures that no row names."""
    files = {f"{number}.png": picture(number) for number in range(20)}
    rows = [{"text": f"red thing {number}"} | labels for number in range(30)]
    built = cmh_data.build_folder(put(tmp_path, files | {"t.jsonl": jsonl(rows)}))
    data = built.dataset(built.pixels(4), n_query=10)
    assert len(data) == 50
    assert (int(data.image_present.sum()), int(data.text_present.sum())) == (20, 30)
    assert not (data.image_present & data.text_present).any()
    assert data.label.shape == (50, len(labels))
    back = cmh_data.load(cmh_data.save(data, tmp_path / "a.h5"))
    assert back.digest == data.digest
    if not labels:
        assert int(data.image_present[data.split.query].sum()) == 4


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
def test_a_folder_is_built_in_bounded_memory(tmp_path):
    """Texts of 6 MB, 40,000 rows, and a zip file that unpacks to 2 GB, below 500 MB with all libraries."""
    rng = np.random.default_rng(0)
    words = ["".join(chr(97 + c) for c in rng.integers(0, 26, 6)) for _ in range(5000)]
    lines = ["image,text,labels"]
    lines += [f"{row}.png,{' '.join(rng.choice(words, 20))},l{row % 50}" for row in range(40_000)]
    folder = put(tmp_path / "photos", {"t.csv": "\n".join(lines)})
    with (
        zipfile.ZipFile(folder / "pictures.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("0.png", "w", force_zip64=True) as member,
    ):
        for _ in range(128):
            member.write(bytes(16 << 20))
    script = f"""
        import cmh_data
        built = cmh_data.build_folder({str(folder)!r})
        try:
            built.pixels(8)
        except cmh_data.DataError as error:
            assert "at most" in str(error), error
        else:
            raise SystemExit("a file of 2 GB was read")
        assert built.text.shape == (40_000, 2000)
        print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500_000  # kB


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]\n", "line 1 of t.jsonl must be a JSON object, but it is a list"),
        ('{"image": {"bytes": 3}, "text": "red"}\n', "image must be the path of a picture"),
        ('{"image": "a", "text": "red"}\n{"image"', "line 2 is not JSON"),
        ('{"image": "a", "text": null}\n', "no row of t.jsonl has a text"),
        ('{"image": null, "text": "red red"}\n', "no row of t.jsonl has an image"),
    ],
)
def test_tables_that_are_not_right(tmp_path, content, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.build_folder(put(tmp_path, {"t.jsonl": content}))
