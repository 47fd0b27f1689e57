"""A segment: items that were added together, in files that never change once they are published.

Items fall into three groups, `image` (an image code only), `text` (a text code only) and `both`. The codes
of a modality are one file, first of the items that have it alone, then of those that have both; in each group
items stand in the order of their rows. So every group is one piece of a file, and equally distant items of a
group come by row.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cmh_metrics import PackedCodes

from cmh_search._errors import CodeIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Side = Literal["image", "text"]
SIDES: tuple[Side, Side] = ("image", "text")
Group = Literal["image", "text", "both"]
GROUPS: tuple[Group, ...] = ("image", "text", "both")
_BOTH: Group = "both"


def groups_with(side: Side) -> tuple[Group, Group]:
    """Return the groups whose items have a code of a modality."""
    return side, _BOTH


@dataclass(frozen=True, kw_only=True)
class Items:
    """Checked items on their way into a segment.

    Args:
        ids: one string for each item, all different.
        codes: for each modality `(n, words)` uint64; rows without a code hold zeros.
        present: for each modality `(n,)` bool.
        values: for each modality `(n, width)` float32 network outputs, or None.
        labels: `(n, n_label)` bool.
        payload: one JSON object for each item, as text.
    """

    ids: Sequence[str]
    codes: Mapping[Side, NDArray[np.uint64]]
    present: Mapping[Side, NDArray[np.bool_]]
    values: Mapping[Side, NDArray[np.float32]] | None
    labels: NDArray[np.bool_]
    payload: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.ids)


def group_rows(present: Mapping[Side, NDArray[np.bool_]]) -> dict[Group, NDArray[np.int64]]:
    """Return the rows of each group, rising."""
    image, text = present["image"], present["text"]
    return {
        "image": np.flatnonzero(image & ~text),
        "text": np.flatnonzero(text & ~image),
        "both": np.flatnonzero(image & text),
    }


def hash_id(name: str) -> int:
    """Return 64 bits of the BLAKE2b hash of an id."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def write_segment(folder: Path, items: Items) -> None:
    """Write a segment's files into a new folder and wait until they are on the disk."""
    folder.mkdir()
    rows = group_rows(items.present)
    for group, members in rows.items():
        write_array(folder / f"rows_{group}.npy", members)
    for side in SIDES:
        order = np.concatenate([rows[side], rows["both"]])
        write_array(folder / f"codes_{side}.npy", items.codes[side][order])
        if items.values is not None:
            write_array(folder / f"values_{side}.npy", _unit(items.values[side][order]).astype(np.float16))
    hashes = np.array([hash_id(name) for name in items.ids], np.uint64)
    order = np.argsort(hashes, kind="stable")
    write_array(folder / "id_hashes.npy", hashes[order])
    write_array(folder / "id_rows.npy", order)
    _write_texts(folder, "ids", [name.encode() for name in items.ids])
    _write_texts(folder, "payload", items.payload)
    write_array(folder / "labels.npy", np.packbits(items.labels, axis=1))
    sync_folder(folder)


class Segment:
    """A published segment, its files mapped into memory.

    Args:
        folder: where its files lie.
        bits: code length.
        deleted: `(n,)` bool, items that were deleted, or None.
    """

    def __init__(self, folder: Path, *, bits: int, deleted: NDArray[np.bool_] | None) -> None:
        self.folder = folder
        self.bits = bits
        self.deleted = deleted
        self._ids = _Texts(folder, "ids")
        self._payload = _Texts(folder, "payload")

    def __len__(self) -> int:
        return len(self._ids)

    def open(self) -> None:
        """Map every file now, so that a writer may remove them, and check that they go together.

        Raises:
            CodeIndexError: if one is damaged, as far as shapes, types and ends tell.
        """
        n = len(self)
        arrays: dict[str, tuple[NDArray[Any], type, tuple[int, ...]]] = {
            "id_hashes": (self._id_hashes, np.uint64, (n,)),
            "id_rows": (self._id_rows, np.int64, (n,)),
            "labels": (self.labels, np.uint8, (n, *self.labels.shape[1:2])),
        }
        members = {name: len(rows) for name, rows in self.rows.items()}
        arrays |= {f"rows_{name}": (rows, np.int64, (members[name],)) for name, rows in self.rows.items()}
        for side in SIDES:
            there = members[side] + members[_BOTH]
            arrays[f"codes_{side}"] = (self._words[side], np.uint64, (there, -(-self.bits // 64)))
            if (self.folder / "values_image.npy").exists():
                width = self._values[side].shape[1:2]
                arrays[f"values_{side}"] = (self._values[side], np.float16, (there, *width))
        for name, (array, dtype, shape) in arrays.items():
            if array.dtype != dtype or array.shape != shape:
                raise damaged(
                    self.folder / f"{name}.npy",
                    f"{array.dtype} of shape {array.shape} instead of {np.dtype(dtype)} of shape {shape}",
                )
        for name, rows in self.rows.items():
            if len(rows) and not 0 <= rows[0] <= rows[-1] < n:
                raise damaged(self.folder / f"rows_{name}.npy", f"row {rows[-1]} of {n}")
        _ = self._codes

    @cached_property
    def rows(self) -> dict[Group, NDArray[np.int64]]:
        """The rows of each group."""
        return {name: map_array(self.folder / f"rows_{name}.npy") for name in GROUPS}

    @cached_property
    def _values(self) -> dict[Side, NDArray[np.float16]]:
        return {side: map_array(self.folder / f"values_{side}.npy") for side in SIDES}

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """`(n, ceil(n_label / 8))` label bits, the first one highest."""
        labels: NDArray[np.uint8] = map_array(self.folder / "labels.npy")
        return labels

    @cached_property
    def _words(self) -> dict[Side, NDArray[np.uint64]]:
        return {side: map_array(self.folder / f"codes_{side}.npy") for side in SIDES}

    @cached_property
    def _codes(self) -> dict[tuple[Side, Group], PackedCodes]:
        pieces: dict[tuple[Side, Group], PackedCodes] = {}
        for side in SIDES:
            words, alone = self._words[side], len(self.rows[side])
            for group, piece in ((side, words[:alone]), (_BOTH, words[alone:])):
                if len(piece):
                    pieces[side, group] = PackedCodes(piece, self.bits)
        return pieces

    def codes(self, side: Side, group: Group) -> PackedCodes:
        """Return the codes of one modality of a group that has it."""
        return self._codes[side, group]

    def values(self, side: Side, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the network outputs of some rows, of length 1; NaN for rows without that modality."""
        alone = self.rows[side]
        result = np.full((len(rows), self._values[side].shape[1]), np.nan, np.float32)
        for group, offset in ((side, 0), (_BOTH, len(alone))):
            members = self.rows[group]
            place = np.searchsorted(members, rows)
            found = place < len(members)
            found[found] = members[place[found]] == rows[found]
            result[found] = self._values[side][offset + place[found]]
        return result

    def id(self, row: int) -> str:
        """Return the id of a row."""
        try:
            return self._ids[row].decode()
        except (UnicodeDecodeError, IndexError, ValueError) as error:
            raise damaged(self.folder / "ids.npy", error) from None

    def payload(self, row: int) -> dict[str, Any]:
        """Return the payload of a row."""
        try:
            loaded: dict[str, Any] = json.loads(self._payload[row])
        except (IndexError, ValueError) as error:
            raise damaged(self.folder / "payload.npy", error) from None
        if not isinstance(loaded, dict):
            raise damaged(self.folder / "payload.npy", f"row {row} is no table")
        return loaded

    @cached_property
    def _id_hashes(self) -> NDArray[np.uint64]:
        hashes: NDArray[np.uint64] = map_array(self.folder / "id_hashes.npy")
        return hashes

    @cached_property
    def _id_rows(self) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = map_array(self.folder / "id_rows.npy")
        return rows

    def find(self, names: Sequence[str]) -> dict[str, int]:
        """Return the rows of those items that are here and live."""
        wanted = np.array([hash_id(name) for name in names], np.uint64)
        first = np.searchsorted(self._id_hashes, wanted)
        last = np.searchsorted(self._id_hashes, wanted, side="right")
        found = {}
        for number in map(int, np.flatnonzero(last > first)):
            for row in map(int, self._id_rows[first[number] : last[number]]):
                if self.id(row) == names[number] and (self.deleted is None or not self.deleted[row]):
                    found[names[number]] = row
        return found

    def read(self, rows: NDArray[np.int64], n_label: int) -> Items:
        """Read whole items back, to write them into another segment."""
        present, codes = {}, {}
        width = -(-self.bits // 64)
        for side in SIDES:
            has = np.zeros(len(self), bool)
            words = np.zeros((len(self), width), np.uint64)
            for group in (side, _BOTH):
                if len(self.rows[group]):
                    has[self.rows[group]] = True
                    words[self.rows[group]] = self.codes(side, group).words
            present[side], codes[side] = has[rows], words[rows]
        values = None
        if (self.folder / "values_image.npy").exists():
            values = {side: np.nan_to_num(self.values(side, rows)) for side in SIDES}
        return Items(
            ids=[self.id(row) for row in rows],
            codes=codes,
            present=present,
            values=values,
            labels=np.unpackbits(self.labels[rows], axis=1, count=n_label).astype(bool),
            payload=[self._payload[row] for row in rows],
        )


class _Texts:
    """Many short texts in one file, found by their offsets."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offset = map_array(folder / f"{name}_offset.npy")
        self._content = map_array(folder / f"{name}.npy")
        if (
            self._offset.dtype != np.int64 or self._offset.ndim != 1 or not len(self._offset)
            or self._content.dtype != np.uint8 or self._content.shape != (self._offset[-1],)
        ):  # fmt: skip
            raise damaged(folder / f"{name}_offset.npy", f"it does not go with {name}.npy")

    def __len__(self) -> int:
        return len(self._offset) - 1

    def __getitem__(self, row: int | np.integer[Any]) -> bytes:
        return bytes(self._content[self._offset[row] : self._offset[row + 1]].data)


def _write_texts(folder: Path, name: str, texts: Sequence[bytes]) -> None:
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    write_array(folder / f"{name}_offset.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    write_array(folder / f"{name}.npy", np.frombuffer(b"".join(texts), np.uint8))


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    return unit


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array and wait until it is on the disk."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def map_array(path: Path) -> Any:
    """Map an array of an index into memory.

    Raises:
        FileNotFoundError: if a writer has removed it in the meantime.
        CodeIndexError: if it is damaged.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - NumPy evaluates the header, where anything may stand
        raise damaged(path, "it is no array of NumPy") from None


def damaged(path: Path, reason: object) -> CodeIndexError:
    """Return the error that a file of an index is damaged."""
    return CodeIndexError(f"{path} is damaged ({reason}); make the index anew")


def file_missing(error: FileNotFoundError) -> CodeIndexError:
    """Return the error that a file that the manifest names is not there."""
    return CodeIndexError(f"{error.filename} is missing; the index is damaged, make it anew")


@contextmanager
def damage_named(folder: Path) -> Iterator[None]:
    """Turn rows that point out of a segment, which only damage makes, into the error that says so."""
    try:
        yield
    except IndexError as error:
        raise damaged(folder, error) from None


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
