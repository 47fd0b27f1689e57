"""Files of other programs: each is named by its bytes, with the line that saves it readably."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from cmh_files import DataError, foreign_program, open_hdf5, variables


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"1")
    return out.getvalue()


def matlab_4(order: str) -> bytes:
    kind = 0 if order == "<" else 1000
    return struct.pack(f"{order}5i", kind, 1, 1, 0, 5) + b"XAll\0" + struct.pack(f"{order}d", 1.5)


FILES = {
    "torch": (zipped("archive/data.pkl", "archive/version"), "PyTorch's", 'torch.load("x.bin")'),
    "old torch": (
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.",
        "PyTorch's",
        'torch.load("x.bin")',
    ),
    "pickle": (pickle.dumps([1.0]), "pickle's", "np.savez("),
    "pickle, protocol 0": (pickle.dumps({"a": 1}, protocol=0), "pickle's", "np.savez("),
    "pickled frame": (
        b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x11pandas.core.frame\x94",
        "pandas'",
        "read_pickle(",
    ),
    "joblib": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x13joblib.numpy_pickle\x94", "joblib's", "joblib.load("),
    "packed joblib": (b"\x78\x9c\x6b\x60\x99\0", "joblib's", "joblib.load("),
    "faiss": (b"IxF2" + struct.pack("<iq", 8, 3) + b"\0" * 20, "faiss'", "reconstruct_n(0, i.ntotal)"),
    "binary faiss": (b"IBxF" + struct.pack("<iq", 64, 3) + b"\0" * 20, "faiss'", "vector_to_array(i.xb)"),
    "Octave text": (b"# Created by Octave 8.4\n# name: XAll\n", "Octave's", 'save("-v7", "data.mat")'),
    "Octave binary": (b"Octave-1-L\0\x04\0\0\0XAll", "Octave's", 'save("-v7", "data.mat")'),
    "MATLAB 4": (matlab_4("<"), "MATLAB 4's", "save('data.mat', '-v7')"),
    "MATLAB 4, big-endian": (matlab_4(">"), "MATLAB 4's", "save('data.mat', '-v7')"),
    "parquet": (b"PAR1\x15\x04\0PAR1", "Parquet", 'read_parquet("x.bin")'),
    "feather": (b"ARROW1\0\0\xff\xff", "Feather", 'read_feather("x.bin")'),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "spreadsheet", 'read_excel("x.bin")'),
    "csv": (b"image,text,labels\na.jpg,red,cat\n", "CSV", 'read_csv("x.bin")'),
    "semicolons": (b"image;text\na.jpg;red, round\n", "semicolons", "sep=';'"),
    "jsonl": (b'{"image": "a.jpg"}\n{"image": "b.jpg"}\n', "JSON lines", "lines=True"),
    "safetensors": (
        struct.pack("<Q", 20) + b'{"a":{"dtype":"F32"}}' + b"\0" * 8,
        "Safetensors'",
        "safetensors.numpy.load_file(",
    ),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0", "gzip's", "unpack it"),
    "zip of pictures": (zipped("a.jpg"), "zip file without arrays", "unpack it"),
    "web page": (b"<!DOCTYPE html>\n<title>Sign in</title>", "web page", "fetch the file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_foreign_file_is_named_with_the_line_that_saves_it(tmp_path, name):
    content, program, line = FILES[name]
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    sentence = foreign_program(path)
    assert sentence is not None
    assert program in sentence
    assert line in sentence
    assert "{" not in sentence.replace("**{k: v.numpy() for k, v in d.items()}", "")


@pytest.mark.parametrize("name", ["torch", "pickle, protocol 0", "faiss", "MATLAB 4", "xlsx"])
def test_the_name_of_the_file_does_not_matter(tmp_path, name):
    path = tmp_path / "FLICKR-25K.mat"
    path.write_bytes(FILES[name][0])
    assert FILES[name][1] in str(foreign_program(path))


@pytest.mark.parametrize("name", ["torch", "faiss", "MATLAB 4", "parquet", "zip of pictures"])
def test_reading_a_foreign_file_says_whose_it_is(tmp_path, name):
    path = tmp_path / "x.bin"
    path.write_bytes(FILES[name][0])
    with pytest.raises(DataError, match=FILES[name][1]):
        variables(path)


@pytest.mark.parametrize("content", [b"1 0 1\n0 1 1\n", b"a.jpg 1 0\n", b"", b"\0\1\2\3" * 40, b"cat\ndog\n"])
def test_other_bytes_are_nobodys(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert foreign_program(path) is None


def test_files_that_are_read_are_not_foreign(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.ones(3))
    np.save(tmp_path / "a.npy", np.ones(3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = np.ones(3)
    assert [foreign_program(path) for path in sorted(tmp_path.iterdir())] == [None] * 3


@pytest.mark.parametrize(
    ("group", "key", "value", "line"),
    [
        ("df", "pandas_type", "frame", 'pandas.read_hdf("a.h5", "df")'),
        ("XAll", "OCTAVE_NEW_FORMAT", np.uint8(1), 'save("-v7", "data.mat")'),
        ("/", "keras_version", "3.0", "predict features"),
        ("/", "encoding-type", "anndata", "anndata.read_h5ad("),
    ],
)
def test_hdf5_of_other_programs(tmp_path, group, key, value, line):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.ones(3)
        file.require_group(group).attrs[key] = value
    assert line in str(foreign_program(path))
    with pytest.raises(DataError) as caught:
        variables(path)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.npy", 'np.save("a.npy", np.stack(list(np.load("a.npy", allow_pickle=True))))'),
        ("a.npz", 'image=np.stack(list(np.load("a.npz", allow_pickle=True)["image"]))'),
    ],
)
def test_an_array_of_objects_comes_with_the_line_that_makes_it_plain(tmp_path, monkeypatch, name, line):
    path = tmp_path / name
    rows = np.empty(2, object)
    rows[:] = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    np.save(path, rows) if name == "a.npy" else np.savez(path, image=rows)
    with pytest.raises(DataError, match="never read") as caught:
        variables(path)
    assert line in str(caught.value)
    if name == "a.npy":  # the line, run as it stands
        monkeypatch.chdir(tmp_path)
        exec(line, {"np": np})  # noqa: S102 - our own sentence
        assert variables(path)[0].read().tolist() == [[1.0, 2.0], [3.0, 4.0]]


WRITER = """
import sys, h5py
file = h5py.File(sys.argv[1], "w", libver="latest" if sys.argv[2] == "swmr" else None)
file.create_dataset("image", data=[1.0, 2.0], chunks=True, maxshape=(None,))
if sys.argv[2] == "swmr":
    file.swmr_mode = True
file.flush()
print("open", flush=True)
sys.stdin.read()
file.close()
"""


@pytest.mark.parametrize("how", ["locked", "swmr"])
def test_an_hdf5_file_that_is_being_written_is_said_to_be_open_and_read_when_it_is_closed(tmp_path, how):
    path = tmp_path / "a.h5"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(DataError, match="open for writing elsewhere") as caught, open_hdf5(path):
            pass
        assert "damaged" not in str(caught.value)
        writer.communicate("")
    with open_hdf5(path) as file:
        assert file["image"][()].tolist() == [1.0, 2.0]
