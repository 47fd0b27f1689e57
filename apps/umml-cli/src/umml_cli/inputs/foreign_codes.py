"""Codes and labels that come from anywhere: arrays in files, given as PATH or PATH:KEY."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, Literal

import cmh_data
import h5py
import numpy as np
from cmh_files import container
from cmh_metrics import PackedCodes

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DAMAGED = (
    EOFError, MemoryError, OSError, OverflowError, SyntaxError, TokenError, TypeError, ValueError
)  # fmt: skip
ARRAYS = ("query_codes", "query_labels", "database_codes", "database_labels")


@dataclass(frozen=True)
class Packing:
    """How codes are packed into bytes or words.

    Args:
        bits: code length.
        bitorder: whether a code's first bit is the least ("little") or most ("big") significant of its byte.
    """

    bits: int
    bitorder: Literal["little", "big"]


@dataclass(frozen=True)
class Orientation:
    """One way in which items may lie in a stored array.

    Args:
        array: `(n, columns)`, or `(n,)` for one class an item.
        turned: whether that is not how the file lies, as far as it says.
    """

    array: Any
    turned: bool


Side = tuple[Orientation, Orientation]  # codes, labels


def split_location(location: str) -> tuple[str, str | None]:
    """Path and key of `PATH:KEY`; a colon that belongs to the path of an existing file stays in it."""
    path, colon, key = location.rpartition(":")
    is_drive = len(path) == 1 and path.isalpha() and key.startswith(("\\", "/"))  # C:\codes.npy
    return (path, key) if colon and key and not is_drive and not Path(location).exists() else (location, None)


def read_arrays(
    locations: Mapping[str, str], packing: Packing | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Read codes and labels of both sides, each with a row for each item.

    One rule for every container: an array lies as its file says (MATLAB 7.3 stores axes in reverse and marks
    its arrays; HDF5 of other programs says nothing), unless only the other way makes the rows of codes and
    labels, the bits of both sides and the label columns of both sides agree. A table of labels with one
    column or one row names a class for each item.

    Args:
        locations: `PATH` or `PATH:KEY` by `ARRAYS`; codes may be a file that `PackedCodes.save` wrote.
        packing: how the codes are packed, if they are.

    Returns:
        The arrays of `cmh_metrics`, and the names of those that lay the other way.

    Raises:
        UserError: the arrays do not fit together, fit in more than one way, or are not packed like this.
        DataError: a file cannot be read.
    """
    ways = {
        name: _code_ways(location) if name.endswith("codes") else _label_ways(location)
        for name, location in locations.items()
    }
    for name, found in ways.items():
        if len(found[0].array.shape) not in (1, 2):
            raise UserError(
                f"The {_words(name)} must be a matrix, a row for each item, not {found[0].array.shape}."
            )
    chosen = _fitting(ways, columns_count=packing is None)
    arrays = {name: one.array for name, one in chosen.items()}
    if packing is not None:
        arrays |= _unpacked(arrays, packing)
    return arrays, [_words(name) for name, one in chosen.items() if one.turned]


def read_queries(locations: Mapping[str, str]) -> dict[str, Any]:
    """Read codes and labels of the queries alone, where the database is read elsewhere.

    Args:
        locations: `PATH` or `PATH:KEY` of `query_codes` and `query_labels`, which lie as their files say.

    Returns:
        Both arrays.

    Raises:
        UserError: they have other numbers of rows.
        DataError: a file cannot be read.
    """
    ways = {
        "query_codes": _code_ways(locations["query_codes"])[:1],
        "query_labels": _label_ways(locations["query_labels"])[:1],
    }
    codes, labels = _side_ways(ways, "query")[0]
    return {"query_codes": codes.array, "query_labels": labels.array}


def read_one_array(location: str) -> Any:
    """Read one array as it lies in its file.

    Args:
        location: `PATH` or `PATH:KEY`.

    Returns:
        The array.

    Raises:
        DataError: the file cannot be read.
    """
    return _array(*split_location(location))


def _fitting(ways: dict[str, list[Orientation]], *, columns_count: bool) -> dict[str, Orientation]:
    """Choose a way for each array so that all agree, turning as few as possible."""
    pairs = product(_side_ways(ways, "query"), _side_ways(ways, "database"))
    alike = [pair for pair in pairs if _sides_agree(*pair, columns_count=columns_count)]
    if not alike:  # then nothing is turned, and `evaluate` says in what the sides differ
        alike = list(product(_side_ways(ways, "query", turn=False), _side_ways(ways, "database", turn=False)))
    ranked = sorted(alike, key=_cost)
    best = [pair for pair in ranked if _cost(pair) == _cost(ranked[0])]
    if len(best) > 1:
        shapes = ", ".join(f"{_words(name)} {found[0].array.shape}" for name, found in ways.items())
        raise UserError(
            f"The {shapes} fit together in more than one way, and HDF5 does not say which axis counts items; "
            "save them as npy or npz, a row for each item."
        )
    (query, database) = best[0]
    return dict(zip(ARRAYS, (*query, *database), strict=True))


def _side_ways(ways: dict[str, list[Orientation]], side: str, *, turn: bool = True) -> list[Side]:
    """Return the ways in which codes and labels of a side have as many rows."""
    codes, labels = ways[f"{side}_codes"], ways[f"{side}_labels"]
    fits = [pair for pair in product(codes, labels) if len(pair[0].array) == len(pair[1].array)]
    fits = [pair for pair in fits if turn or not any(one.turned for one in pair)]
    if not fits:
        raise UserError(
            f"The {side} codes {codes[0].array.shape} and labels {labels[0].array.shape} have no number of "
            "rows in common; give files of the same items."
        )
    return fits


def _sides_agree(query: Side, database: Side, *, columns_count: bool) -> bool:
    """Whether both sides have as many bits and as many label columns."""
    (codes, labels), (other_codes, other_labels) = query, database
    same_bits = codes.array.shape[1:] == other_codes.array.shape[1:] or not columns_count
    return same_bits and labels.array.shape[1:] == other_labels.array.shape[1:]


def _cost(pair: tuple[Side, Side]) -> int:
    return sum(one.turned for side in pair for one in side)


def _code_ways(location: str) -> list[Orientation]:
    path, key = split_location(location)
    if key is None and _is_packed(path):
        return [Orientation(PackedCodes.load(path), turned=False)]
    ways = _ways(location)
    if ways[0].array.ndim == 1:  # one word a code, or one code
        return [
            Orientation(ways[0].array[:, None], turned=False),
            Orientation(ways[0].array[None], turned=True),
        ]
    return ways


def _label_ways(location: str) -> list[Orientation]:
    ways = []
    for one in _ways(location):
        columns = one.array.shape[1:]
        if columns == (1,):  # one class an item, whichever way it lies
            ways.append(Orientation(one.array[:, 0], turned=False))
        else:
            ways.append(one)
    return ways


def _ways(location: str) -> list[Orientation]:
    """Return the ways in which items may lie in an array, the one that the file says first."""
    path, key = split_location(location)
    array = _array(path, key)
    if array.ndim != 2:
        return [Orientation(array, turned=False)]
    says, lies = _says_which_axis(path, key)
    first, second = (array, array.T) if lies else (array.T, array)
    return [Orientation(first, turned=False), Orientation(second, turned=says)]


def _array(path: str, key: str | None) -> Any:
    """Read an array; one that fills a file of numpy's is mapped, and read in parts when it is packed."""
    if key is None and Path(path).is_file() and container(Path(path)) == "npy":
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (
            ValueError,
            EOFError,
            OSError,
            SyntaxError,
            TypeError,
            MemoryError,
            OverflowError,
            TokenError,
        ):
            pass  # an empty array can't be mapped; of a damaged file, the reader says what is wrong
    return cmh_data.read_array(path, key)


def _says_which_axis(path: str, key: str | None) -> tuple[bool, bool]:
    """Whether a file says which axis counts items, and whether it is the first."""
    if not h5py.is_hdf5(path):
        return True, True
    with h5py.File(path) as file:
        marks = (file[key] if key else file.visititems(_if_array)).attrs
        if "MATLAB_sparse" in marks:  # read as MATLAB shows it
            return True, True
        return "MATLAB_class" in marks, "MATLAB_class" not in marks


def _if_array(name: str, item: Any) -> Any:
    """Return the item if it is an array of the file, for a visit that ends there."""
    if name.startswith("#refs#"):
        return None
    return item if isinstance(item, h5py.Dataset) or "MATLAB_sparse" in item.attrs else None


def _is_packed(path: str) -> bool:
    """Whether a file is what `PackedCodes.save` writes."""
    try:
        with zipfile.ZipFile(path) as file:
            return set(file.namelist()) == {"words.npy", "bits.npy"}
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False  # whoever reads it says what is wrong


def _unpacked(arrays: dict[str, Any], packing: Packing) -> dict[str, PackedCodes]:
    """Return the codes of both sides from bytes or words."""
    names = ("query_codes", "database_codes")
    kinds = [getattr(arrays[name], "dtype", np.dtype(np.uint64)) for name in names]
    if (kinds[0] == np.int8) != (kinds[1] == np.int8):
        raise UserError(
            f"The query codes are {kinds[0]} and the database codes {kinds[1]}: int8 may be the byte minus "
            "128 or the same byte read as signed; save both sides as uint8."
        )
    return {name: _packed(arrays[name], name, packing) for name in names}


def _packed(array: Any, name: str, packing: Packing) -> PackedCodes:
    if isinstance(array, PackedCodes):
        return array
    options: Any = {"bits": packing.bits, "bitorder": packing.bitorder, "name": name}
    if array.dtype == np.int8:  # both sides are, so that either reading gives the same distances
        try:
            return PackedCodes.from_bytes(np.ascontiguousarray(array).view(np.uint8), **options)
        except ValueError:
            pass
    return PackedCodes.from_bytes(array, **options)


def _words(name: str) -> str:
    return name.replace("_", " ")


def read_label_lists(query: NDArray[Any], database: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Read class names and numbers by the rule for data files, where a table must be made of them.

    Args:
        query: labels of the queries, `(n,)` or `(n, n_label)`.
        database: labels of the database.

    Returns:
        Tables in place of texts that hold several names each; otherwise nothing. What was done, and numbers
        that seem to count from 0 on one side and from 1 on the other, are said on standard error.

    Raises:
        DataError: values that are no labels.
    """
    if query.ndim != 1 or database.ndim != 1:
        return {}
    if {query.dtype.kind, database.dtype.kind} <= set("USO"):
        labels = cmh_data.read_labels(query, database)
        (note,) = labels.notes
        if "(" not in note:  # one name an item
            return {}
        print(f"Note: {note}", file=sys.stderr)  # noqa: T201
        return {"query_labels": labels.tables[0], "database_labels": labels.tables[1]}
    if {query.dtype.kind, database.dtype.kind} <= set("buif"):
        ends = [(float(one.min()), float(one.max())) for one in (query, database)]
        if ends[0] in {(ends[1][0] + step, ends[1][1] + step) for step in (-1, 1)}:
            said = " and ".join(f"{low:g} to {high:g}" for low, high in ends)
            print(  # noqa: T201
                f"Note: class numbers of queries and database run from {said}: does one side count from 1?",
                file=sys.stderr,
            )
    return {}
