"""Indexes whose files are damaged: one sentence, and nothing written on."""

import json

import numpy as np
import pytest
from cmh_search import CodeIndex, CodeIndexError, IndexWriter


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "index"
    CodeIndex.create(path, bits=16)
    with IndexWriter(path) as writer:
        writer.add(ids=["a", "b"], image_codes=np.ones((2, 16)), text_codes=np.ones((2, 16)))
    return path


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("codes_image", np.zeros((1, 1), np.uint64)),
        ("codes_text", np.zeros((2, 1), np.float64)),
        ("rows_both", np.array([0, 7])),
        ("id_rows", np.zeros(3, np.int64)),
        ("ids_offset", np.array([0, 1, 9])),
        ("labels", np.zeros(2, np.int8)),
        ("payload", np.array(["x"], dtype=object)),
    ],
)
def test_a_damaged_segment_is_named_and_not_written_on(folder, name, array):
    np.save(folder / "00000001" / f"{name}.npy", array)
    before = sorted(folder.rglob("*"))
    with pytest.raises(CodeIndexError, match=rf"{name}.*is damaged .*make the index anew"):
        CodeIndex(folder)
    with pytest.raises(CodeIndexError, match=r"is damaged"):
        IndexWriter(folder)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "change",
    [
        {"bits": "16"},
        {"bits": -1},
        {"label_names": [3]},
        {"remarks": []},
        {"value_type": "int4"},
        {"segments": [{"name": "../elsewhere", "n": 2}]},
        {"segments": [{"name": "00000001", "n": 2, "deleted": "/etc/passwd"}]},
    ],
)
def test_a_damaged_manifest_is_named(folder, change):
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CodeIndexError, match=r"index\.json is damaged"):
        CodeIndex(folder)


@pytest.mark.parametrize(
    ("name", "rows"), [("id_rows", [0, 0]), ("id_rows", [0, -1]), ("id_rows", [0, 9]), ("rows_both", [0, 0])]
)
def test_rows_that_are_wrong_are_not_merged(folder, name, rows):
    np.save(folder / "00000001" / f"{name}.npy", np.array(rows))
    with pytest.raises(CodeIndexError, match=rf"{name}\.npy is damaged"), IndexWriter(folder) as writer:
        writer.compact()
    assert [path.name for path in folder.glob("0*")] == ["00000001"]


def test_codes_with_bits_beyond_their_length_are_named(folder):
    np.save(folder / "00000001" / "codes_text.npy", np.full((2, 1), 2**40, np.uint64))
    with pytest.raises(CodeIndexError, match=r"codes_text\.npy is damaged"):
        CodeIndex(folder)


def test_texts_that_end_before_they_begin_are_not_merged(folder):
    np.save(folder / "00000001" / "payload_offset.npy", np.array([0, 9, 4]))
    before = sorted(folder.rglob("*"))
    with (
        pytest.raises(CodeIndexError, match=r"payload_offset\.npy is damaged"),
        IndexWriter(folder) as writer,
    ):
        writer.compact()
    assert set(before) >= {path for path in folder.rglob("*") if path.name != "lock"}


def test_a_payload_that_is_no_json_is_named(folder):
    content = np.load(folder / "00000001" / "payload.npy").copy()
    content[:] = ord("{")
    np.save(folder / "00000001" / "payload.npy", content)
    with pytest.raises(CodeIndexError, match=r"payload\.npy is damaged"):
        CodeIndex(folder).payload(0)


def test_rows_in_the_middle_that_lead_nowhere_are_named(tmp_path):
    folder = tmp_path / "index"
    CodeIndex.create(folder, bits=16)
    with IndexWriter(folder) as writer:
        writer.add(ids=list("abcd"), image_codes=np.ones((4, 16)))
        writer.delete(["a"])
    rows = np.load(folder / "00000001" / "rows_image.npy")
    rows[1] = 2**31
    np.save(folder / "00000001" / "rows_image.npy", rows)
    with pytest.raises(CodeIndexError, match="is damaged"):
        CodeIndex(folder).search(np.ones((1, 16)), k=3)
    with pytest.raises(CodeIndexError, match="is damaged"):
        CodeIndex(folder).within(np.ones((1, 16)), radius=3)
