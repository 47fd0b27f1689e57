"""Files of other programs: which program wrote one, by its bytes, and the line that saves it readably."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import h5py

from cmh_files.hdf5.open import open_hdf5

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = "image=..., text=..., labels=..."  # what a line shows where the names are the user's
TABLE = f'np.savez("data.npz", {ARRAYS}) with the columns as NumPy arrays'
TORCH = (
    "PyTorch's",
    'd = torch.load("{name}"); np.savez("data.npz", **{{k: v.numpy() for k, v in d.items()}})',
)
PICKLE = ("pickle's", f'np.savez("data.npz", {ARRAYS}) where the program that wrote it holds the arrays')
JOBLIB = ("joblib's", f'd = joblib.load("{{name}}"); np.savez("data.npz", {ARRAYS})')
PANDAS = ("pandas'", f'd = pandas.read_pickle("{{name}}"); {TABLE}')
FAISS = (
    "faiss'",
    (
        'i = faiss.read_index("{name}"); np.save("vectors.npy", i.reconstruct_n(0, i.ntotal)); or of codes: '
        'np.save("codes.npy", faiss.vector_to_array(i.xb).reshape(i.ntotal, -1))'
    ),
)
SAFETENSORS = ("Safetensors'", 'np.savez("data.npz", **safetensors.numpy.load_file("{name}"))')
OCTAVE = ("Octave's", 'load("{name}"); save("-v7", "data.mat") in Octave')
MATLAB_4 = ("MATLAB 4's", "load('{name}', '-mat'); save('data.mat', '-v7') in MATLAB or Octave")
PACKED = "unpack it and give what is inside"

# First bytes, whose file it is, and how to save it readably.
SIGNATURES = (
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", *TORCH),
    (b"Octave-1-L", *OCTAVE),
    (b"Octave-1-B", *OCTAVE),
    (b"# Created by Octave", *OCTAVE),
    (b"PAR1", "a Parquet table, such as pandas'", f'd = pandas.read_parquet("{{name}}"); {TABLE}'),
    (b"ARROW1", "a Feather (Arrow) table, such as pandas'", f'd = pandas.read_feather("{{name}}"); {TABLE}'),
    (b"FEA1", "a Feather (Arrow) table, such as pandas'", f'd = pandas.read_feather("{{name}}"); {TABLE}'),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel's", f'd = pandas.read_excel("{{name}}"); {TABLE}'),
    (b"SQLite format 3\0", "SQLite's", f"select the columns and {TABLE}"),
    (b"\x1f\x8b", "gzip's", PACKED),
    (b"BZh", "bzip2's", PACKED),
    (b"\xfd7zXZ\0", "xz's", PACKED),
    (b"\x28\xb5\x2f\xfd", "zstd's", PACKED),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip's", PACKED),
    (b"Rar!", "RAR's", PACKED),
    (b"version https://git-lfs", "Git LFS' pointer, not the data itself", "git lfs pull fetches the data"),
)
FAISS_INDEX = re.compile(rb"(I[xwvVBHNFMSRPqid24L][A-Za-z0-9]{2}|ILfs|Imiq|ilar)")
PICKLE_HEAD = re.compile(
    rb"\x80[\x02-\x05]|\([dlti](p?\d*\n)|c(__builtin__|copy_reg|numpy[\w.]*|torch[\w.]*|pandas[\w.]*)\n"
)


def foreign_program(path: Path) -> str | None:
    """Name the program that wrote a file of a format that is not read, and how to save it readably.

    The bytes decide, never the file's name. Nothing is unpickled and no foreign library is called.

    Args:
        path: the file.

    Returns:
        Two clauses for a message, such as "is PyTorch's; save it readably: ...", or None where the format is
        unknown.

    Raises:
        DataError: the file is HDF5 and damaged.

    Example:
        >>> import pickle, tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "features.mat")
        >>> _ = path.write_bytes(pickle.dumps([1.0, 2.0]))
        >>> print(foreign_program(path)[:12])
        is pickle's;
    """
    return _sentence(path.name, _recognise(path))


def _sentence(name: str, found: tuple[str, str] | None) -> str | None:
    return None if found is None else f"is {found[0]}; save it readably: {found[1].format(name=name)}."


def _recognise(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        with open_hdf5(path) as opened:
            return _hdf5(opened)
    for signature, program, cure in SIGNATURES:
        if head.startswith(signature):
            return program, cure
    found = _by_structure(head)
    return _text(head) if found is None and b"\0" not in head else found


def _by_structure(head: bytes) -> tuple[str, str] | None:
    """Formats without a fixed signature."""
    candidates = (
        (PICKLE_HEAD.match(head), _pickle(head)),
        (re.match(rb"\x78[\x01\x5e\x9c\xda]", head), JOBLIB),
        (_is_matlab_4(head), MATLAB_4),
        (FAISS_INDEX.match(head) and b"\0" in head[:16], FAISS),
        (head[257:262] == b"ustar", ("tar's", PACKED)),
        (head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 27, SAFETENSORS),
    )
    return next((program for fits, program in candidates if fits), None)


def _pickle(head: bytes) -> tuple[str, str]:
    if b"joblib" in head:
        return JOBLIB
    if b"pandas" in head:
        return PANDAS
    return TORCH if b"torch" in head else PICKLE


def _zip(path: Path) -> tuple[str, str] | None:
    names: list[str] = []
    with (
        suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError),
        zipfile.ZipFile(path) as archive,
    ):
        names = archive.namelist()
    if any(name.endswith(".npy") for name in names):
        return None
    if any(name.rsplit("/", 1)[-1] in {"data.pkl", "constants.pkl"} for name in names):
        return TORCH
    if "xl/workbook.xml" in names or "content.xml" in names:
        return "a spreadsheet, such as Excel's", f'd = pandas.read_excel("{{name}}"); {TABLE}'
    return ("a zip file without arrays", PACKED) if names else None


def foreign_hdf5(name: str, file: h5py.File) -> str | None:
    """Say of an open HDF5 file what `foreign_program` says."""
    return _sentence(name, _hdf5(file))


def _hdf5(file: h5py.File) -> tuple[str, str] | None:
    groups = [file, *(item for item in file.values() if isinstance(item, h5py.Group))]
    for group in groups:
        if "pandas_type" in group.attrs:
            key = _plain(group.name.strip("/"))
            return "pandas' HDF5 store", f'd = pandas.read_hdf("{{name}}", "{key}"); {TABLE}'
    if any("OCTAVE_NEW_FORMAT" in group.attrs for group in groups):
        return OCTAVE
    if "keras_version" in file.attrs:
        return "Keras' weights and no data set", f"predict features with the model, then {TABLE}"
    if file.attrs.get("encoding-type") in {"anndata", b"anndata"}:
        return "AnnData's", 'd = anndata.read_h5ad("{name}"); np.savez("data.npz", image=d.X, ...)'
    return None


def _plain(text: str) -> str:
    """A name as it may stand in a pattern that is formatted."""
    return text.replace("{", "{{").replace("}", "}}")


def _is_matlab_4(head: bytes) -> bool:
    """Five words of 32 bits: type, rows, columns, complex or not, length of the name; then the name."""
    if len(head) < 22:
        return False
    for order, digit in (("<", 0), (">", 1)):
        kind, rows, columns, is_complex, length = struct.unpack(f"{order}5i", head[:20])
        thousands, rest = divmod(kind, 1000)
        hundreds, rest = divmod(rest, 100)
        precision, matrix = divmod(rest, 10)
        sizes = rows >= 0 and columns >= 0 and is_complex in {0, 1} and 2 <= length <= 64
        if thousands == digit and hundreds == 0 and precision <= 5 and matrix <= 2 and sizes:
            name = head[20 : 20 + length]
            if re.fullmatch(rb"[A-Za-z]\w*\0", name):
                return True
    return False


def _text(head: bytes) -> tuple[str, str] | None:
    text = head.decode("utf-8", "replace").lstrip("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0].strip() if lines else ""
    if first.lower().startswith(("<!doctype html", "<html")):
        return "a web page, not the data itself", "fetch the file that the page links to"
    folder = "a folder of pictures with it as the table is built by build_folder (umml data build folder)"
    if first.startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(first), dict):
                return (
                    "a table of JSON lines",
                    f'd = pandas.read_json("{{name}}", lines=True); {TABLE}; {folder}',
                )
        return "JSON", f'd = json.load(open("{{name}}")); np.savez("data.npz", {ARRAYS})'
    for sign, name in ((",", "commas"), (";", "semicolons"), ("\t", "tabs")):
        if first.count(sign) and all(line.count(sign) == first.count(sign) for line in lines[1:3]):
            separator = "" if sign == "," else f", sep={sign!r}"
            return (
                f"a table of text (CSV) with {name}",
                f'd = pandas.read_csv("{{name}}"{separator}); {TABLE}; {folder}',
            )
    return None
