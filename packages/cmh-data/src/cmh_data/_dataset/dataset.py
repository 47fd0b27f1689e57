"""What a data set is once it is read: aligned rows, a split, names, and a digest of it all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray


class RowArray(Protocol):
    """What the rows of a modality offer, in memory or on disk: a shape, a dtype and reading by row."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values that reading gives."""

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read rows by integer, slice, or integer array."""

    def __len__(self) -> int:
        """The number of rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Which rows train, which are queries, and which are ranked.

    Args:
        train: `(n_train,)` int64, rows a method learns from.
        query: `(n_query,)` int64, the queries. No query row trains or is ranked.
        retrieval: `(n_retrieval,)` int64, rows that are ranked. Most protocols train on a part of them.
    """

    train: NDArray[np.int64]
    query: NDArray[np.int64]
    retrieval: NDArray[np.int64]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the three index arrays, as hexadecimal."""
        digest = hashlib.sha256()
        for name in ("train", "query", "retrieval"):
            rows: NDArray[np.int64] = getattr(self, name)
            digest.update(f"{name} <i8 {rows.shape};".encode())
            digest.update(np.ascontiguousarray(rows, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedDataset:
    """Paired images and texts with labels: row i of every array is one item.

    Args:
        image: `(n, d_image)` float features, or `(n, 3, height, width)` uint8 pixels read from disk by row.
        text: `(n, d_text)` float features or uint8 word occurrences.
        label: `(n, n_label)` uint8 zeros and ones.
        split: rows of training, query and retrieval set.
        ids: the item's own names, `n` of them, or empty.
        label_names: one name per label column, or empty.
        text_vocabulary: one word per text column, or empty.
        fine_labels: `(n,)` str, a finer class of each item, or None.
        captions: the items' own texts, `n` of them, "" where there is none; or empty.
        name: what to call the data set in reports.
        provenance: where the data comes from and how it was read, as JSON values.
        stored_digest: the digest as a file of this package's own format states it; `digest` is it when given.
        findings: what `load` found suspicious though not wrong, one sentence each.
        image_present: `(n,)` bool, rows that have an image; None: all. What stands in the other rows of
            `image`, usually zeros, is no data.
        text_present: `(n,)` bool, likewise for `text`.

    Raises:
        ValueError: a mask has not `n` rows.

    Example:
        >>> import numpy as np
        >>> rows = np.arange(4, dtype=np.int64)
        >>> data = PairedDataset(
        ...     image=np.eye(4, dtype=np.float32),
        ...     text=np.eye(4, dtype=np.uint8),
        ...     label=np.eye(4, dtype=np.uint8),
        ...     split=Split(train=rows[:3], query=rows[3:], retrieval=rows[:3]),
        ...     name="four",
        ... )
        >>> len(data)
        4
    """

    image: RowArray
    text: RowArray
    label: NDArray[np.uint8]
    split: Split
    ids: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    text_vocabulary: tuple[str, ...] = ()
    fine_labels: NDArray[np.str_] | None = None
    captions: tuple[str, ...] = ()
    name: str = "unnamed"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    stored_digest: str | None = None
    findings: tuple[str, ...] = ()
    image_present: NDArray[np.bool_] = None  # type: ignore[assignment] # an array after construction
    text_present: NDArray[np.bool_] = None  # type: ignore[assignment] # likewise

    def __post_init__(self) -> None:
        for name in ("image_present", "text_present"):
            stated = getattr(self, name)
            mask = np.ones(len(self), np.bool_) if stated is None else np.asarray(stated, np.bool_)
            if mask.shape != (len(self),):
                raise ValueError(f"{name} must have the shape ({len(self)},), but it is {mask.shape}.")
            object.__setattr__(self, name, mask)

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over values, split, names and what is missing, as hexadecimal, in any file format."""
        return self.stored_digest or self.compute_digest()

    def compute_digest(self) -> str:
        """Compute the digest from the values, whatever the file states; rows on disk are read once.

        Returns:
            SHA-256 as hexadecimal.
        """
        digest = ContentDigest()
        for name, array in self.arrays():
            digest.start(name, array)
            for block in row_blocks(array):
                digest.update(digest.reduce(block))
        return digest.finish(self)

    def sampled_digest(self) -> str:
        """Compute the digest of what is in memory and of at most 256 rows of what is on disk.

        Returns:
            SHA-256 as hexadecimal; not `digest`. The same rows are taken each time, evenly spread.
        """
        digest = hashlib.sha256()
        for name, array in self.arrays():
            shape = tuple(map(int, array.shape))
            rows = np.unique(np.linspace(0, max(0, len(array) - 1), 256).astype(np.int64))
            values = np.asarray(array[rows] if len(shape) == 4 and len(array) else array[:])
            digest.update(f"{name} {array.dtype.newbyteorder('<').str} {shape};".encode())
            digest.update(np.ascontiguousarray(values, array.dtype.newbyteorder("<")).tobytes())
        return ContentDigest(digest).finish(self)

    def arrays(self) -> tuple[tuple[str, RowArray], ...]:
        """Return image, text and label with their names, in the order of the digest.

        Returns:
            Pairs of a name and an array `(n, ...)` of any numeric dtype.
        """
        return (("image", self.image), ("text", self.text), ("label", self.label))

    def with_split(self, split: Split) -> PairedDataset:
        """Return the same rows under another split.

        Args:
            split: row numbers of the training, query and retrieval set.

        Returns:
            A data set that shares the arrays of this one, without its stated digest and findings.
        """
        return replace(self, split=split, stored_digest=None, findings=())


def row_blocks(array: RowArray, block_bytes: int = 1 << 23) -> Iterator[NDArray[Any]]:
    """Yield an array in blocks of whole rows of about `block_bytes` bytes."""
    row_bytes = max(1, int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize)
    step = max(1, block_bytes // row_bytes)
    for start in range(0, array.shape[0], step):
        yield np.asarray(array[start : start + step])


class ContentDigest:
    """The digest of a data set, fed while its rows pass by, so that large data is read once.

    Pixels enter by a 64-bit sum over each row, of its words times fixed odd factors, which is twenty times as
    fast as SHA-256; the digest is there to tell data sets apart, not to resist forgery.
    """

    def __init__(self, started: hashlib._Hash | None = None) -> None:
        self._digest = hashlib.sha256() if started is None else started
        self._factors: NDArray[np.uint64] | None = None
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)

    def start(self, name: str, array: RowArray) -> None:
        """Begin the next array."""
        self._dtype = array.dtype.newbyteorder("<")
        self._factors = None
        if len(array.shape) == 4:
            words = -(-int(np.prod(array.shape[1:])) * self._dtype.itemsize // 8)
            drawn = hashlib.shake_128(b"cmh-data rows").digest(8 * words)
            self._factors = np.frombuffer(drawn, "<u8").astype(np.uint64) | np.uint64(1)
        self._digest.update(f"{name} {self._dtype.str} {tuple(map(int, array.shape))};".encode())

    def reduce(self, block: NDArray[Any]) -> NDArray[Any]:
        """What of some rows enters the digest; may run in any thread."""
        values = np.ascontiguousarray(block, dtype=self._dtype)
        if self._factors is None:
            return values
        content = values.reshape(-1).view(np.uint8).reshape(len(values), -1)  # (rows, bytes)
        if missing := -content.shape[1] % 8:
            content = np.pad(content, ((0, 0), (0, missing)))
        sums: NDArray[np.uint64] = content.view("<u8").astype(np.uint64, copy=False) @ self._factors
        return sums.astype("<u8")

    def update(self, reduced: NDArray[Any]) -> None:
        """Add the next rows, as `reduce` gave them."""
        self._digest.update(reduced.data)

    def finish(self, dataset: PairedDataset) -> str:
        """Add the split and the names, and return the digest."""
        names = [dataset.ids, dataset.label_names, dataset.text_vocabulary]
        if dataset.fine_labels is not None:
            names.append(tuple(dataset.fine_labels.tolist()))
        if dataset.captions:
            names.append(dataset.captions)
        for name in ("image_present", "text_present"):
            mask = getattr(dataset, name)
            if not mask.all():  # complete data keep the digest that they always had
                self._digest.update(f"{name} {mask.shape};".encode())
                self._digest.update(mask.tobytes())
        self._digest.update(dataset.split.digest.encode())
        self._digest.update(json.dumps(names).encode())
        return self._digest.hexdigest()
