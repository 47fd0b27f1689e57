"""Pictures that may come from strangers: a fixed list of formats, a limit on pixels, bounded memory."""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._dataset.threads import ordered_map
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cmh_data._builders.archive import Archive

# Formats that Pillow reads by itself. EPS and its kin start Ghostscript, so they are no pictures here.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
LARGEST_PICTURE = 80_000_000  # pixels
LARGEST_FILE = 256 << 20  # bytes
PIXELS_AT_ONCE = 40_000_000  # decoded at the same time by all threads; one larger picture goes alone
NEAR_BITS = 4  # of 64; pictures whose fingerprints differ in no more are near-identical


@dataclass(frozen=True)
class PictureFile:
    """One picture of an archive, read when it is needed; its text is its path inside.

    Args:
        archive: where it is.
        name: its path inside.
    """

    archive: Archive
    name: str

    def __str__(self) -> str:
        return self.name

    def read_bytes(self) -> bytes:
        """Return the bytes of the file.

        Returns:
            At most 256 MB.

        Raises:
            DataError: it cannot be read, or is larger.
        """
        return self.archive.read(self.name, largest=LARGEST_FILE)


class _Room:
    """Lets threads decode together as long as their pictures are small."""

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._changed = threading.Condition()

    def take(self, amount: int) -> int:
        """Wait until `amount`, or everything, is free."""
        amount = min(amount, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._used + amount <= self._size)
            self._used += amount
        return amount

    def give_back(self, amount: int) -> None:
        """Free what was taken."""
        with self._changed:
            self._used -= amount
            self._changed.notify_all()


_ROOM = _Room(PIXELS_AT_ONCE)


def decode(content: bytes, size: int, *, mode: str = "RGB") -> NDArray[np.uint8]:
    """Decode a picture and scale it to a square.

    At most 80 million pixels are decoded, 40 million at once by all threads together or one larger picture
    alone, so the memory of decoding stays below 1 GB whatever the pictures are.

    Args:
        content: the bytes of the file.
        size: side of the square.
        mode: "RGB" or "L".

    Returns:
        `(size, size, 3)` or `(size, size)` uint8.

    Raises:
        DataError: no readable picture of a known format, or too many pixels; the message is a clause.
    """
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError("reading images needs pillow: install cmh-data[images], or give features.") from error
    taken = 0
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > LARGEST_PICTURE:
                raise DataError(
                    f"is {image.width} x {image.height} pixels, but at most {LARGEST_PICTURE} pixels are read"
                )
            taken = _ROOM.take(pixels)
            turned = image if image.mode == mode else image.convert(mode)
            square = turned.resize((size, size), Image.Resampling.BICUBIC)
    except UnidentifiedImageError as error:
        raise DataError(f"cannot be read as an image ({', '.join(FORMATS)} are read)") from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
        OverflowError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RuntimeError,
        NotImplementedError,
        ArithmeticError,
        AssertionError,
        Image.DecompressionBombError,
        Warning,
    ) as error:  # fmt: skip - what Pillow's readers raise on damaged files
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot be read as an image ({' '.join(str(error).split())[:120]})") from error
    finally:
        if taken:
            _ROOM.give_back(taken)
    return np.asarray(square, np.uint8)


class ImageFiles:
    """Images in an archive as rows of pixels: RGB, scaled to a square; a row without an image is black.

    Args:
        archive: where they are read from.
        names: the path of each row's image; "" where there is none.
        size: side of the square.
    """

    def __init__(self, archive: Archive, names: Sequence[str], size: int) -> None:
        if size < 1:
            raise DataError(f"size must be at least 1, but it is {size}.")
        self._archive, self._names, self._size = archive, names, size
        self.shape: tuple[int, ...] = (len(names), 3, size, size)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

        self.present: NDArray[np.bool_] = np.array([bool(name) for name in names], np.bool_)
        self.unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._names)

    def without_unreadable(self) -> ImageFiles:
        """Decode every image once, and return these rows without those that cannot be read.

        Returns:
            Rows of the same number; `unreadable` names what was left out.

        Raises:
            DataError: no image can be read, with the reason of the first.
        """
        wanted = [row for row, name in enumerate(self._names) if name]
        reasons = {row: reason for row, reason in ordered_map(self._try, wanted) if reason is not None}
        if len(reasons) == len(wanted):
            raise next(iter(reasons.values()))
        if not reasons:
            return self
        kept = ImageFiles(
            self._archive,
            ["" if row in reasons else name for row, name in enumerate(self._names)],
            self._size,
        )
        kept.unreadable = tuple(self._names[row] for row in sorted(reasons))
        return kept

    def _try(self, row: int) -> tuple[int, DataError | None]:
        try:
            self._decode(row)
        except DataError as error:
            return row, error
        return row, None

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return self._decode(int(chosen))
        pixels = [self._decode(int(row)) for row in chosen]
        return np.stack(pixels) if pixels else np.zeros((0, *self.shape[1:]), np.uint8)

    def _decode(self, row: int) -> NDArray[np.uint8]:
        name = self._names[row]
        if not name:
            return np.zeros(self.shape[1:], np.uint8)
        try:
            square = decode(self._archive.read(name, largest=LARGEST_FILE), self._size)
        except DataError as error:
            reason = str(error)
            raise DataError(
                reason if name in reason else f"{self._archive.source}: {name} {reason.rstrip('.')}."
            ) from error
        return np.ascontiguousarray(square.transpose(2, 0, 1))  # (3, size, size)


def identical_groups(archive: Archive, names: Sequence[str], *, near: bool = False) -> NDArray[np.int64]:
    """Number the pictures so that equal ones share a number.

    Args:
        archive: where they are read from.
        names: the path of each row's image; "" where there is none, and such a row is a group of its own.
        near: also join near-identical pictures: smaller, recompressed or slightly changed copies, whose
            64-bit gradient fingerprints (9 x 8 grey pixels) differ in at most 4 bits.

    Returns:
        `(n,)` int64, the group of each row.
    """
    first: dict[str, int] = {}  # by path
    by_content: dict[bytes, int] = {}
    groups = np.empty(len(names), np.int64)
    fingerprints: dict[int, int] = {}
    for row, name in enumerate(names):
        if name in first:
            groups[row] = groups[first[name]]
            continue
        if not name:
            groups[row] = row
            continue
        first[name] = row
        content = archive.read(name, largest=LARGEST_FILE)
        if not content:
            groups[row] = row
            continue
        groups[row] = by_content.setdefault(hashlib.sha256(content).digest(), row)
        if near and groups[row] == row:
            fingerprints[row] = _fingerprint(content)
    if near:
        groups = _join(groups, fingerprints)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _fingerprint(content: bytes) -> int:
    try:
        grey = decode(content, 9, mode="L")[:8].astype(np.int16)  # (8, 9)
    except DataError:
        return -1
    if int(grey.max()) - int(grey.min()) < 8:
        return -1  # one colour has no gradient to tell it by
    bits = np.packbits((grey[:, 1:] > grey[:, :-1]).ravel())
    return int.from_bytes(bits.tobytes(), "big")


def _join(groups: NDArray[np.int64], fingerprints: dict[int, int]) -> NDArray[np.int64]:
    parent = {row: row for row in fingerprints}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    rows_of: dict[int, list[int]] = {}
    for row, code in fingerprints.items():
        if code >= 0:
            rows_of.setdefault(code, []).append(row)
    for rows in rows_of.values():
        for row in rows[1:]:
            parent[root(row)] = root(rows[0])
    for first, second in _close_pairs(sorted(rows_of)):
        parent[root(rows_of[second][0])] = root(rows_of[first][0])
    return np.array([root(int(group)) if int(group) in parent else int(group) for group in groups], np.int64)


def _close_pairs(codes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Codes that differ in at most 4 bits: at least one of five stretches of bits is then equal."""
    for start in range(0, 65, 13):
        buckets: dict[int, list[int]] = {}
        for code in codes:
            buckets.setdefault(code >> start & 0x1FFF, []).append(code)
        for bucket in buckets.values():
            for number, one in enumerate(bucket):
                for other in bucket[number + 1 :]:
                    if (one ^ other).bit_count() <= NEAR_BITS:
                        yield one, other
