"""Files of other programs given as data: the message names the program and the line that saves them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from cmh_data import DataError, inspect, load, read_array

FILES = {
    "pickle": (pickle.dumps([1.0]), "is pickle's; save it readably: np.savez"),
    "faiss": (b"IxF2\x08\0\0\0\x03" + b"\0" * 30, r'faiss.read_index\("data"\)'),
    "octave": (b"# Created by Octave 8.4\n# name: XAll\n", r'save\("-v7", "data.mat"\)'),
    "csv": (b"image,text\na.jpg,red\n", r'pandas.read_csv\("data"\)'),
    "jsonl": (b'{"image": "a.jpg"}\n', "umml data build folder"),
    "parquet": (b"PAR1\x15\x04\0PAR1", r'pandas.read_parquet\("data"\)'),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("read", [load, inspect, read_array])
def test_a_foreign_file_is_named_with_the_line_that_saves_it(tmp_path, name, read):
    content, sentence = FILES[name]
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read(tmp_path / "data")


def test_a_folder_of_one_foreign_file_names_it(tmp_path):
    (tmp_path / "features.mat").write_bytes(FILES["pickle"][0])
    with pytest.raises(DataError, match=r"features.mat is pickle's"):
        load(tmp_path)


def test_a_foreign_file_beside_data_is_left_unread_and_named(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "b.pkl").write_bytes(FILES["pickle"][0])
    notes = load(tmp_path).provenance["notes"]
    assert any(note.startswith("left unread: b.pkl is pickle's") for note in notes)
