"""A segment: items that were added together, in files that never change once they are published.

Items fall into three groups, `image` (an image code only), `text` (a text code only) and `both`. The codes
of a modality are one file, first of the items that have it alone, then of those that have both; in each group
items stand in the order of their rows. So every group is one piece of a file, and equally distant items of a
group come by row.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cmh_metrics import PackedCodes

from cmh_search._arrays import damaged, map_array, sync_folder, write_array
from cmh_search._errors import CodeIndexError
from cmh_search._texts import MappedTexts, Texts

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
        ids: one for each item, all different.
        hashes: `(n,)` uint64, as `hash_ids` makes them.
        codes: for each modality `(n, words)` uint64; rows without a code hold zeros.
        present: for each modality `(n,)` bool.
        values: for each modality `(n, width)` network outputs as they are kept, or None.
        labels: `(n, ceil(n_label / 8))` uint8, the first label highest.
        payload: one JSON object for each item, as text.
    """

    ids: Texts
    hashes: NDArray[np.uint64]
    codes: Mapping[Side, NDArray[np.uint64]]
    present: Mapping[Side, NDArray[np.bool_]]
    values: Mapping[Side, NDArray[Any]] | None
    labels: NDArray[np.uint8]
    payload: Texts

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def joined(cls, parts: Sequence[Items]) -> Items:
        """Put items one behind the other."""
        values = [part.values for part in parts if part.values is not None]
        return cls(
            ids=Texts.joined([part.ids for part in parts]),
            hashes=np.concatenate([part.hashes for part in parts]),
            codes={side: np.concatenate([part.codes[side] for part in parts]) for side in SIDES},
            present={side: np.concatenate([part.present[side] for part in parts]) for side in SIDES},
            values={side: np.concatenate([one[side] for one in values]) for side in SIDES}
            if values
            else None,
            labels=np.concatenate([part.labels for part in parts]),
            payload=Texts.joined([part.payload for part in parts]),
        )


def group_rows(present: Mapping[Side, NDArray[np.bool_]]) -> dict[Group, NDArray[np.int64]]:
    """Return the rows of each group, rising."""
    image, text = present["image"], present["text"]
    return {
        "image": np.flatnonzero(image & ~text),
        "text": np.flatnonzero(text & ~image),
        "both": np.flatnonzero(image & text),
    }


def hash_ids(names: Sequence[str]) -> NDArray[np.uint64]:
    """Return 64 bits of the BLAKE2b hash of each id."""
    digests = b"".join(
        [hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest() for name in names]
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)


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
            write_array(folder / f"values_{side}.npy", items.values[side][order])
    order = np.argsort(items.hashes, kind="stable")
    write_array(folder / "id_hashes.npy", items.hashes[order])
    write_array(folder / "id_rows.npy", order)
    items.ids.write(folder, "ids")
    items.payload.write(folder, "payload")
    write_array(folder / "labels.npy", items.labels)
    sync_folder(folder)


class Segment:
    """A published segment, its files mapped into memory.

    Args:
        folder: where its files lie.
        bits: code length.
        value_type: of the network outputs that it keeps, or None.
        deleted: `(n,)` bool, items that were deleted, or None.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bits: int,
        value_type: np.dtype[Any] | None,
        deleted: NDArray[np.bool_] | None,
    ) -> None:
        self.folder = folder
        self.bits = bits
        self.deleted = deleted
        self._value_type = value_type
        self._ids = MappedTexts(folder, "ids")
        self._payload = MappedTexts(folder, "payload")

    def __len__(self) -> int:
        return len(self._ids)

    def open(self) -> None:
        """Map every file now, so that a writer may remove them, and check that they go together.

        Raises:
            CodeIndexError: if one is damaged, as far as shapes, types and ends tell.
        """
        n = len(self)
        arrays: dict[str, tuple[NDArray[Any], Any, tuple[int, ...]]] = {
            "id_hashes": (self._id_hashes, np.uint64, (n,)),
            "id_rows": (self._id_rows, np.int64, (n,)),
            "labels": (self.labels, np.uint8, (n, *self.labels.shape[1:2])),
        }
        members = {name: len(rows) for name, rows in self.rows.items()}
        arrays |= {f"rows_{name}": (rows, np.int64, (members[name],)) for name, rows in self.rows.items()}
        for side in SIDES:
            there = members[side] + members[_BOTH]
            arrays[f"codes_{side}"] = (self._words[side], np.uint64, (there, -(-self.bits // 64)))
            if self._value_type is not None:
                width = self._values[side].shape[1:2]
                arrays[f"values_{side}"] = (self._values[side], self._value_type, (there, *width))
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
    def _values(self) -> dict[Side, NDArray[Any]]:
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
                    try:
                        pieces[side, group] = PackedCodes(piece, self.bits)
                    except ValueError as error:
                        raise damaged(self.folder / f"codes_{side}.npy", error) from None
        return pieces

    def codes(self, side: Side, group: Group) -> PackedCodes:
        """Return the codes of one modality of a group that has it."""
        return self._codes[side, group]

    def values(self, side: Side, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the network outputs of some rows, of length 1; NaN for rows without that modality."""
        result = np.full((len(rows), self._values[side].shape[1]), np.nan, np.float32)
        for found, kept in self._kept_values(side, rows):
            result[found] = unit(kept.astype(np.float32))
        return result

    def _kept_values(
        self, side: Side, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[Any]]]:
        """For each group, which of the rows are in it, and their outputs as they are kept."""
        for group, offset in ((side, 0), (_BOTH, len(self.rows[side]))):
            members = self.rows[group]
            place = np.searchsorted(members, rows)
            found = place < len(members)
            found[found] = members[place[found]] == rows[found]
            yield found, self._values[side][offset + place[found]]

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

    def find(self, names: Sequence[str], hashes: NDArray[np.uint64]) -> dict[str, int]:
        """Return the rows of those items that are here and live; `hashes` are those of the names."""
        order = np.argsort(hashes)  # rising ones are found without jumping about in the file
        first = np.empty(len(names), np.int64)
        first[order] = np.searchsorted(self._id_hashes, hashes[order])
        found = {}
        known = first < len(self._id_hashes)
        known[known] = self._id_hashes[first[known]] == hashes[known]
        for number in map(int, np.flatnonzero(known)):
            last = np.searchsorted(self._id_hashes, hashes[number], side="right")
            for row in map(int, self._id_rows[first[number] : last]):
                if self.id(row) == names[number] and (self.deleted is None or not self.deleted[row]):
                    found[names[number]] = row
        return found

    def read(self, rows: NDArray[np.int64]) -> Items:
        """Read whole items back, by rising rows, to write them into another segment.

        Raises:
            CodeIndexError: if rows are damaged, which would be written on.
        """
        grouped = np.concatenate([self.rows[group] for group in GROUPS])
        for name, known in (("rows_both", grouped), ("id_rows", self._id_rows)):
            if not np.array_equal(np.sort(known), np.arange(len(self))):
                raise damaged(self.folder / f"{name}.npy", "rows are missing or stand there twice")
        present, codes = {}, {}
        for side in SIDES:
            has = np.zeros(len(self), bool)
            words = np.zeros((len(self), -(-self.bits // 64)), np.uint64)
            for group in (side, _BOTH):
                if len(self.rows[group]):
                    has[self.rows[group]] = True
                    words[self.rows[group]] = self.codes(side, group).words
            present[side], codes[side] = has[rows], words[rows]
        hashes = np.empty(len(self), np.uint64)
        hashes[self._id_rows] = self._id_hashes
        values: dict[Side, NDArray[Any]] | None = None
        if self._value_type is not None:
            values = {}
            for side in SIDES:
                values[side] = np.zeros((len(rows), self._values[side].shape[1]), self._value_type)
                for found, kept in self._kept_values(side, rows):
                    values[side][found] = kept
        return Items(
            ids=self._ids.take(rows),
            hashes=hashes[rows],
            codes=codes,
            present=present,
            values=values,
            labels=self.labels[rows],
            payload=self._payload.take(rows),
        )


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows scaled to length 1; rows of zeros stay."""
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    return scaled


def kept_values(values: NDArray[np.float32], value_type: np.dtype[Any]) -> NDArray[Any]:
    """Return network outputs as an index keeps them: their direction, which is all that a cosine needs."""
    if value_type == np.float16:
        return unit(values).astype(np.float16)
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    scale = np.divide(127, largest, out=np.zeros_like(largest), where=largest > 0)
    kept: NDArray[Any] = np.rint(values * scale).astype(value_type)
    return kept


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
