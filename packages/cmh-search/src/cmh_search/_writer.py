"""Adding, deleting and updating the items of an index: one writer, any number of readers."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from cmh_metrics import PackedCodes, pack_codes

from cmh_search._arrays import sync_folder, write_array
from cmh_search._errors import CodeIndexError
from cmh_search._manifest import NAME, Manifest, SegmentEntry
from cmh_search._segment import (
    SIDES,
    Items,
    Segment,
    Side,
    file_missing,
    hash_ids,
    kept_values,
    write_segment,
)
from cmh_search._state import open_segment
from cmh_search._texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import TextIOWrapper
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

_FAN_OUT = 8  # so many segments of about one size become one


class IndexWriter:
    """The one writer of an index. Every call is whole or has not happened, also when the process is killed.

    Readers keep what they opened and see a change when they `refresh`.

    Args:
        path: the index folder.

    Raises:
        CodeIndexError: if there is no index, or another writer has it open.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from cmh_search import CodeIndex, IndexWriter
        >>> folder = tempfile.mkdtemp() + "/boats"
        >>> index = CodeIndex.create(folder, bits=16)
        >>> with IndexWriter(folder) as writer:
        ...     writer.add(ids=["a", "b"], image_codes=np.sign(np.random.default_rng(0).normal(size=(2, 16))))
        ...     writer.delete(["a"])
        >>> len(index.refresh())
        1
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._folder = Path(path)
        Manifest.read(self._folder)
        self._lock: TextIOWrapper | None = (self._folder / "lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise CodeIndexError(
                f"{path} is being written by another process; wait until it has ended"
            ) from None
        self._manifest = Manifest.read(self._folder)
        self._segments: dict[SegmentEntry, Segment] = {}
        try:
            for entry in self._manifest.segments:  # nothing is written on where something is damaged
                self._open(entry).open()
            self._remove_unused()
        except FileNotFoundError as error:
            self.close()
            raise file_missing(error) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another writer in; nothing is left to be written."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def add(
        self,
        *,
        ids: Sequence[str],
        image_codes: PackedCodes | ArrayLike | None = None,
        text_codes: PackedCodes | ArrayLike | None = None,
        image_present: ArrayLike | None = None,
        text_present: ArrayLike | None = None,
        image_values: ArrayLike | None = None,
        text_values: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        payload: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Add items, each with an image code, a text code or both.

        Args:
            ids: `n` strings, all different and not in the index yet.
            image_codes: `(n, bits)` of any numeric dtype, as `cmh_metrics.pack_codes` takes them, or
                PackedCodes; None: no item has an image. Rows that are not present may hold anything.
            text_codes: `(n, bits)` of any numeric dtype, likewise.
            image_present: `(n,)` bool, which items have an image code; None: all, where there are codes.
            text_present: `(n,)` bool, likewise.
            image_values: `(n, value_width)` float network outputs for re-ranking; needed where the index
                keeps them.
            text_values: `(n, value_width)` float, likewise.
            labels: `(n, n_label)` bool or zeros and ones of any numeric dtype, in the order of the index's
                label names; None: no labels.
            payload: a JSON object for each item, for example its text, path or title.

        Raises:
            CodeIndexError: if an id is there already, an item has no code, or sizes do not fit the index.
        """
        ids = _names(ids)
        items = self._check(
            ids,
            {"image": image_codes, "text": text_codes},
            {"image": image_present, "text": text_present},
            {"image": image_values, "text": text_values},
            labels=labels,
            payload=payload,
        )
        if known := self._find(ids, items.hashes):
            raise CodeIndexError(
                f"id {next(iter(known))!r} is in the index already; use update to replace its item"
            )
        self._publish(self._appended(self._manifest, items))

    def update(self, *, ids: Sequence[str], **items: Any) -> None:
        """Replace items as a whole; the new ones come last, as if deleted and added, in one step.

        Args:
            ids: `n` strings, all of them in the index.
            **items: what `add` takes.

        Raises:
            CodeIndexError: if an id is not in the index, or as in `add`.
            TypeError: for an argument that `add` does not know.
        """
        ids = _names(ids)
        checked = self._check(
            ids,
            {side: items.pop(f"{side}_codes", None) for side in SIDES},
            {side: items.pop(f"{side}_present", None) for side in SIDES},
            {side: items.pop(f"{side}_values", None) for side in SIDES},
            labels=items.pop("labels", None),
            payload=items.pop("payload", None),
        )
        if items:
            raise TypeError(f"update() got an unexpected keyword argument {next(iter(items))!r}")
        self._publish(self._appended(self._without(self._manifest, ids, checked.hashes), checked))

    def delete(self, ids: Iterable[str]) -> None:
        """Delete items.

        Args:
            ids: strings, all of them in the index.

        Raises:
            CodeIndexError: if an id is not in the index.
        """
        names = _names(ids)
        self._publish(self._without(self._manifest, names, hash_ids(names)))

    def compact(self) -> None:
        """Write all items into one segment and free the room of deleted ones; rows are numbered anew.

        Raises:
            CodeIndexError: if the index is damaged.
        """
        self._publish(self._merged(self._manifest, len(self._manifest.segments)))

    def _check(
        self,
        ids: list[str],
        codes: Mapping[Side, Any],
        present: Mapping[Side, Any],
        values: Mapping[Side, Any],
        *,
        labels: ArrayLike | None,
        payload: Sequence[Mapping[str, Any]] | None,
    ) -> Items:
        if self._lock is None:
            raise CodeIndexError("the writer is closed; open another one")
        n, bits = len(ids), self._manifest.bits
        if n == 0:
            raise CodeIndexError("ids must name at least one item, but it is empty")
        if wrong := [name for name in ids if not isinstance(name, str)]:  # type: ignore[redundant-expr]
            raise CodeIndexError(f"ids must be strings, but one is {wrong[0]!r}")
        if wrong := [name for name in ids if not _is_text(name)]:
            raise CodeIndexError(
                f"ids must be texts that UTF-8 can write, but one is {wrong[0]!r}; rename the item"
            )
        if len(set(ids)) < n:
            twice = next(name for name, count in Counter(ids).items() if count > 1)
            raise CodeIndexError(f"ids must be all different, but {twice!r} stands there twice")
        checked = {side: _present(present[side], codes[side] is not None, n, side) for side in SIDES}
        bare = np.flatnonzero(~checked["image"] & ~checked["text"])
        if len(bare):
            raise CodeIndexError(
                f"item {ids[bare[0]]!r} must have an image code or a text code, but it has neither"
            )
        return Items(
            ids=Texts.of([name.encode() for name in ids]),
            hashes=hash_ids(ids),
            codes={side: _words(codes[side], checked[side], bits, side) for side in SIDES},
            present=checked,
            values=self._check_values(values, checked),
            labels=self._check_labels(labels, n),
            payload=_payload(payload, n),
        )

    def _check_values(
        self, values: Mapping[Side, Any], present: Mapping[Side, NDArray[np.bool_]]
    ) -> dict[Side, NDArray[Any]] | None:
        width, value_type = self._manifest.value_width, self._manifest.kept_type
        if value_type is None:
            if any(given is not None for given in values.values()):
                raise CodeIndexError("this index keeps no values; create it with value_width for re-ranking")
            return None
        checked = {}
        for side in SIDES:
            array = np.zeros((len(present[side]), width), np.float32)
            if present[side].any():
                given = np.asarray(values[side], np.float32) if values[side] is not None else None
                if given is None or given.shape != array.shape or not np.isfinite(given[present[side]]).all():
                    raise CodeIndexError(
                        f"{side}_values must be finite numbers of shape {array.shape}, because this index "
                        f"keeps them, but it is {'missing' if given is None else f'of shape {given.shape}'}"
                    )
                array[present[side]] = given[present[side]]
            checked[side] = kept_values(array, value_type)
        return checked

    def _check_labels(self, labels: ArrayLike | None, n: int) -> NDArray[np.uint8]:
        n_label = len(self._manifest.label_names)
        if labels is None:
            return np.zeros((n, -(-n_label // 8)), np.uint8)
        table = np.asarray(labels)
        if table.shape != (n, n_label) or not np.isin(table, (0, 1)).all():
            raise CodeIndexError(
                f"labels must be zeros and ones of shape {(n, n_label)}, a column for each label name of the "
                f"index, but it is {table.dtype} of shape {table.shape}"
            )
        return np.packbits(table.astype(bool), axis=1)

    def _appended(self, manifest: Manifest, items: Items) -> Manifest:
        """The manifest with one more segment, after merging the last ones where they are many and small."""
        name, manifest = manifest.numbered()
        write_segment(self._folder / name, items)
        manifest = replace(manifest, segments=(*manifest.segments, SegmentEntry(name=name, n=len(items))))
        count = _to_merge([entry.n - entry.n_deleted for entry in manifest.segments])
        return self._merged(manifest, count) if count else manifest

    def _merged(self, manifest: Manifest, count: int) -> Manifest:
        """The manifest with its last `count` segments as one."""
        kept, merged = (
            manifest.segments[: -count or None],
            manifest.segments[len(manifest.segments) - count :],
        )
        parts = [
            segment.read(np.flatnonzero(live))
            for segment, live in ((self._open(entry), self._live(entry)) for entry in merged)
            if live.any()
        ]
        if count == 0 or not parts:
            return replace(manifest, segments=kept if count else manifest.segments)
        name, manifest = manifest.numbered()
        items = Items.joined(parts)
        write_segment(self._folder / name, items)
        return replace(manifest, segments=(*kept, SegmentEntry(name=name, n=len(items))))

    def _without(self, manifest: Manifest, ids: Sequence[str], hashes: NDArray[np.uint64]) -> Manifest:
        """The manifest after deleting items."""
        found = self._find(ids, hashes)
        if missing := [name for name in ids if name not in found]:
            raise CodeIndexError(f"id {missing[0]!r} is not in the index")
        entries = list(manifest.segments)
        for number in {number for number, _ in found.values()}:
            entry = entries[number]
            deleted = ~self._live(entry)
            deleted[[row for other, row in found.values() if other == number]] = True
            name, manifest = manifest.numbered()
            path = self._folder / f"{name}.deleted.npy"
            write_array(path, np.packbits(deleted))
            entries[number] = replace(entry, deleted=path.name, n_deleted=int(deleted.sum()))
        sync_folder(self._folder)
        return replace(manifest, segments=tuple(entries))

    def _publish(self, manifest: Manifest) -> None:
        manifest.write(self._folder)
        self._manifest = manifest
        self._segments = {
            entry: self._segments[entry] for entry in manifest.segments if entry in self._segments
        }
        self._remove_unused()

    def _remove_unused(self) -> None:
        """Remove what no manifest names: replaced files, and what a killed writer left behind."""
        used = {NAME, "lock"}
        for entry in self._manifest.segments:
            used |= {entry.name, entry.deleted or entry.name}
        for path in self._folder.iterdir():
            if path.name in used:
                continue
            if path.is_dir() and path.name.isdigit():
                shutil.rmtree(path)
            elif path.name.endswith((".deleted.npy", ".partial")):
                path.unlink()

    def _open(self, entry: SegmentEntry) -> Segment:
        if entry not in self._segments:
            self._segments[entry] = open_segment(self._folder, entry, self._manifest)
        return self._segments[entry]

    def _live(self, entry: SegmentEntry) -> NDArray[np.bool_]:
        deleted = self._open(entry).deleted
        return np.ones(entry.n, bool) if deleted is None else ~deleted

    def _find(self, ids: Sequence[str], hashes: NDArray[np.uint64]) -> dict[str, tuple[int, int]]:
        """Segment number and row of those items that are in the index."""
        return {
            name: (number, row)
            for number, entry in enumerate(self._manifest.segments)
            for name, row in self._open(entry).find(ids, hashes).items()
        }


def _to_merge(sizes: Sequence[int]) -> int:
    """How many of the last segments to merge: once `_FAN_OUT` in a row are of one order of size or below."""
    order = 1
    while order <= max(sizes, default=0) * _FAN_OUT:
        count = 0
        for size in reversed(sizes):
            if size >= order * _FAN_OUT:
                break
            count += 1
        if count >= _FAN_OUT:
            return count
        order *= _FAN_OUT
    return 0


def _names(given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        raise CodeIndexError(f"ids must be a list of strings, but it is the string {given!r}")
    return list(given)


def _is_text(name: str) -> bool:
    """Whether UTF-8 can write it: file names that are no text hold halves of characters."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _present(given: Any, has_codes: bool, n: int, side: Side) -> NDArray[np.bool_]:
    if given is None:
        return np.full(n, has_codes)
    present = np.asarray(given)
    if present.shape != (n,) or present.dtype != bool:
        raise CodeIndexError(
            f"{side}_present must be one bool for each of the {n} items, but it is {present.dtype} of shape "
            f"{present.shape}"
        )
    if present.any() and not has_codes:
        raise CodeIndexError(f"{side}_present says that items have a code, but {side}_codes is missing")
    return present


def _words(given: Any, present: NDArray[np.bool_], bits: int, side: Side) -> NDArray[np.uint64]:
    words = np.zeros((len(present), -(-bits // 64)), np.uint64)
    if not present.any():
        return words
    if not isinstance(given, PackedCodes):
        matrix = np.asarray(given)
        if matrix.ndim != 2 or len(matrix) != len(present):
            raise CodeIndexError(
                f"{side}_codes must be of shape {(len(present), bits)}, but it is of shape {matrix.shape}"
            )
        words[present] = _fitting(pack_codes(matrix[present], name=f"{side}_codes"), bits, side).words
        return words
    if len(given) != len(present):
        raise CodeIndexError(f"{side}_codes must have {len(present)} rows, but it has {len(given)}")
    words[present] = _fitting(given, bits, side).words[present]
    return words


def _fitting(codes: PackedCodes, bits: int, side: Side) -> PackedCodes:
    if codes.bits != bits:
        raise CodeIndexError(
            f"{side}_codes must have {bits} bits as the index has, but they have {codes.bits}"
        )
    return codes


def _payload(given: Sequence[Mapping[str, Any]] | None, n: int) -> Texts:
    if given is None:
        return Texts.of([b"{}"] * n)
    if len(given) != n:
        raise CodeIndexError(
            f"payload must have one object for each of the {n} items, but it has {len(given)}"
        )
    if wrong := [one for one in given if not isinstance(one, Mapping)]:  # type: ignore[redundant-expr]
        raise CodeIndexError(f"payload must be JSON objects, but one is {wrong[0]!r}")
    try:
        return Texts.of([json.dumps(one, ensure_ascii=False, allow_nan=False).encode() for one in given])
    except (TypeError, ValueError) as error:
        raise CodeIndexError(f"payload must be JSON objects, but {error}") from None
