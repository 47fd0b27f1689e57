"""Binary codes packed into 64-bit words.

Bit `j` of a code is bit `j % 64` (counted from the least significant) of word `j // 64`. Seen as bytes this
is `numpy.packbits(..., bitorder="little")`, padded with zero bits to a whole number of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._inputs.checks import as_matrix, as_numpy, one_of
from cmh_metrics._inputs.code_values import CodeValueError, CodeValues, Reading, check_choice
from cmh_metrics._inputs.npz import read_arrays, write_arrays
from cmh_metrics._inputs.packing import Words, pack_rows

if TYPE_CHECKING:
    from os import PathLike

    from cmh_metrics._inputs.packing import Block

BitOrder = Literal["little", "big"]
MAX_BITS = 1024


@dataclass(frozen=True, eq=False)
class PackedCodes:
    """Codes of `n` items, 64 bits to a word.

    Args:
        words: `(n, ceil(bits / 64))`, uint64. Bits beyond `bits` must be 0.
        bits: code length in bits, 1 to 1024.

    Raises:
        ValueError: if `bits` is out of range, `words` is not a uint64 matrix of the right width, or a bit
            beyond
        `bits` is set.

    Example:
        >>> import numpy as np
        >>> codes = PackedCodes(np.array([[5]], dtype=np.uint64), bits=4)
        >>> unpack_codes(codes)
        array([[ 1, -1,  1, -1]], dtype=int8)
    """

    words: Words
    bits: int

    def __post_init__(self) -> None:
        check_bits(self.bits, "bits")
        words = as_matrix(self.words, "words")
        width = -(-self.bits // 64)
        if not isinstance(words, np.ndarray) or words.dtype != np.uint64 or words.shape[1] != width:
            raise ValueError(
                f"words must be a uint64 array of {width} column(s) for {self.bits} bits, "
                f"but it is {getattr(words, 'dtype', type(words).__name__)} of shape {tuple(words.shape)}"
            )
        if _has_bits_beyond(words, self.bits):
            raise ValueError(
                f"words must have no bit set beyond the {self.bits} bits of a code, but it has; bit j of a "
                "code is bit j % 64 of word j // 64, counted from the least significant: another order of "
                "bits is read by from_bytes with bitorder='big'"
            )
        object.__setattr__(self, "words", np.ascontiguousarray(words))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, rows: Any) -> PackedCodes:
        """Select rows with a slice, an index array or a boolean mask."""
        return PackedCodes(np.atleast_2d(self.words[rows]), self.bits)

    @property
    def shape(self) -> tuple[int, int]:
        """`(n, bits)`: the shape of the unpacked matrix."""
        return len(self.words), self.bits

    def as_bytes(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return `(n, ceil(bits / 8))` uint8, as `numpy.packbits(bitorder="little")` and faiss have it."""
        little = self.words.astype("<u8", copy=False)
        return np.ascontiguousarray(little.view(np.uint8)[:, : -(-self.bits // 8)])

    @classmethod
    def from_bytes(
        cls, codes: Any, bits: int | None = None, *, bitorder: BitOrder = "little", name: str = "codes"
    ) -> PackedCodes:
        """Read codes that are already packed into bytes, or into longer words.

        Args:
            codes: `(n, n_byte)` uint8; or int8, each value being the byte less 128, as sentence-transformers
                writes "binary" embeddings (where the same bits are merely called int8, give
                `codes.view(numpy.uint8)`); or `(n, n_word)` words of 16, 32 or 64 bits, the first byte of a
                word being its least significant. Whole numbers of another type, as MATLAB may store them,
                are read by their range.
            bits: code length in bits; by default all that the rows hold.
            bitorder: `"little"`: the first bit of a code is the least significant of its byte, as faiss has
                it. `"big"`: the most significant, as `numpy.packbits` does by default.
            name: how error messages call `codes`.

        Returns:
            The codes.

        Raises:
            ValueError: if `codes` are not packed, `bits` does not fit their width, or a bit beyond `bits` is
                set.

        Example:
            >>> PackedCodes.from_bytes(np.array([[3]], np.uint8), bits=2).words.tolist()
            [[3]]
            >>> PackedCodes.from_bytes(np.array([[192]], np.uint8), bits=2, bitorder="big").words.tolist()
            [[3]]
        """
        one_of(bitorder, "bitorder", ("little", "big"))
        array = as_numpy(as_matrix(codes, name), name)
        if bits is not None:
            check_bits(bits, "bits")
        in_bytes = _as_bytes(array, bits, name)
        bits = in_bytes.shape[1] * 8 if bits is None else bits
        check_bits(bits, "bits")
        if bitorder == "big":
            in_bytes = np.packbits(np.unpackbits(in_bytes, axis=1), axis=1, bitorder="little")
        beyond = _words_from_bytes(in_bytes)
        width = -(-bits // 64)
        if _has_bits_beyond(beyond, bits):
            other = {"little": "big", "big": "little"}[bitorder]
            raise ValueError(
                f"{name} must have no bit set beyond the {bits} bits of a code, but it has with "
                f"bitorder={bitorder!r}; try bitorder={other!r}, or give the right number of bits"
            )
        return cls(np.ascontiguousarray(beyond[:, :width]), bits)

    def save(self, path: str | PathLike[str]) -> None:
        """Write an `.npz` file with the arrays `words` and `bits`.

        Args:
            path: the file, written under exactly this name.
        """
        write_arrays(path, words=self.words, bits=np.int64(self.bits))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> PackedCodes:
        """Read what `save` wrote.

        Args:
            path: the file.

        Returns:
            The codes.

        Raises:
            ValueError: if the file does not hold `words` and `bits`.
        """
        words, bits = read_arrays(path, "words", "bits")
        if bits.shape or bits.dtype.kind not in "iu":
            raise ValueError(
                f"{path} must hold one integer as 'bits', but it is {bits.dtype} of {bits.shape}"
            )
        return cls(words, int(bits))


def check_bits(bits: Any, name: str) -> None:
    """Raise unless `bits` is a code length that the package handles."""
    if not isinstance(bits, (int, np.integer)) or not 1 <= bits <= MAX_BITS:
        raise ValueError(f"{name} must be a code length of 1 to {MAX_BITS} bits, but it is {bits!r}")


def pack_codes(
    codes: Any, *, code_values: CodeValues = "auto", threshold: float | None = None, name: str = "codes"
) -> PackedCodes:
    """Pack a code matrix, one bit per value.

    Args:
        codes: `(n, bits)` of {-1, +1}, {0, 1}, booleans or real outputs, 1 to 1024 bits; a numpy array, a
            memory map, an HDF5 data set, a torch tensor or a list. `PackedCodes` are returned as they are.
        code_values: what a value means. `"signed"`: the bit is `value >= 0`, so a zero counts as +1.
            `"binary"`: the values are 0 and 1. `"auto"`: whatever the dtype, nothing but 0 and 1 is binary,
            signs and real outputs are signed, and what could be neither is refused.
        threshold: reads the bit as `value >= threshold`, 0.5 for sigmoid outputs.
        name: how error messages call `codes`.

    Returns:
        The packed codes; bit `j` of a row is bit `j % 64` of word `j // 64`.

    Raises:
        ValueError: if the matrix is empty or not two-dimensional, longer than 1024 bits, or holds NaN.
        CodeValueError: (a ValueError) if the values can't be codes: between 0 and 1 as sigmoid outputs, or
            whole numbers as packed bytes.

    Example:
        >>> pack_codes([[-1, 1, 1], [1, -1, -1]]).words.tolist()
        [[6], [1]]
        >>> pack_codes([[0.2, 0.9]], threshold=0.5).words.tolist()
        [[2]]
    """
    rows = CodeRows(codes, name, code_values=code_values, threshold=threshold)
    return PackedCodes(rows.words(0, len(rows)), rows.bits)


def unpack_codes(codes: PackedCodes) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return the codes as signs.

    Args:
        codes: packed codes of `n` items.

    Returns:
        `(n, bits)` int8 of {-1, +1}.

    Raises:
        ValueError: if `codes` are not packed.

    Example:
        >>> unpack_codes(pack_codes([[0, 1]]))
        array([[-1,  1]], dtype=int8)
    """
    if not isinstance(codes, PackedCodes):
        raise ValueError(f"codes must be PackedCodes, but it is {type(codes).__name__}; use pack_codes")  # noqa: TRY004
    bits = np.unpackbits(codes.as_bytes(), axis=1, count=codes.bits, bitorder="little")
    return bits.view(np.int8) * np.int8(2) - np.int8(1)


class CodeRows:
    """Rows of packed words, read and packed on demand: a database on disk never has to fit in memory."""

    def __init__(
        self, codes: Any, name: str, *, code_values: CodeValues = "auto", threshold: float | None = None
    ) -> None:
        check_choice(code_values, threshold)
        self._name = name
        self.source: Any = codes if isinstance(codes, PackedCodes) else as_matrix(codes, name)
        self.shape: tuple[int, int] = (int(self.source.shape[0]), int(self.source.shape[1]))
        self.bits = self.shape[1]
        if self.bits > MAX_BITS:
            raise ValueError(f"{name} must have at most {MAX_BITS} bits, but its shape is {self.shape}")
        #: How values become bits; None for codes that are packed already.
        self.reading: Reading | None = None
        if not isinstance(codes, PackedCodes):
            self.reading = Reading(self.source, name, code_values=code_values, threshold=threshold)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def text(self) -> str:
        """What a report says of the values."""
        return "packed bits" if self.reading is None else self.reading.text

    def in_memory(self) -> Any:
        """Return the codes as an array that can be sent to another process, or as `PackedCodes`."""
        return self.source if self.reading is None else as_numpy(self.source[:], self._name)

    def words(self, start: int, stop: int) -> Words:
        """Return rows `start` to `stop` as `(stop - start, ceil(bits / 64))` uint64."""
        if self.reading is None:
            words: Words = self.source.words[start:stop]
            return words
        return pack_rows(self.source, start, stop, self._name, self.reading.as_bits)


def both_sides(
    query_codes: Any, database_codes: Any, code_values: CodeValues, threshold: float | None
) -> tuple[CodeRows, CodeRows]:
    """Return the rows of queries and database, each read by what it holds.

    Raises:
        ValueError: if codes are not what they should be or differ in length.
        CodeValueError: if one side holds zeros and ones and the other signs with zeros among them: whether
            its
        zeros are bits or signs can't be told.
    """
    queries = CodeRows(query_codes, "query_codes", code_values=code_values, threshold=threshold)
    database = CodeRows(database_codes, "database_codes", code_values=code_values, threshold=threshold)
    if queries.bits != database.bits:
        raise ValueError(
            "query_codes and database_codes must have the same number of bits, "
            f"but they have {queries.bits} and {database.bits}"
        )
    for (name, one), other in (
        (("query_codes", queries), database),
        (("database_codes", database), queries),
    ):
        if (
            one.reading is not None
            and other.reading is not None
            and one.reading.may_be_sign
            and other.reading.kind == "signs"
            and one.reading.contains_zero()
            and other.reading.contains_zero()
        ):
            raise CodeValueError(
                f"{name} must mean the same by a zero as the other codes, but it holds nothing but 0 and 1, "
                "and the others hold -1, 0 and +1",
                "code_values",
            )
    return queries, database


def _as_bytes(array: Block, bits: int | None, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return packed rows of any type as bytes, the least significant of a word first."""
    kind, size, columns = array.dtype.kind, array.dtype.itemsize, array.shape[1]
    if kind == "b" or (kind == "f" and not (array == np.rint(array)).all()):
        raise ValueError(
            f"{name} must be packed whole numbers, but the dtype is {array.dtype}; use pack_codes for values"
        )
    fits = [width for width in (8, 16, 32, 64) if bits is None or -(-bits // width) == columns]
    if kind in "iu" and size * 8 in fits:
        if array.dtype == np.int8:
            return (array.astype(np.int16) + 128).astype(np.uint8)
        return np.ascontiguousarray(array.astype(f"<{kind}{size}", copy=False)).view(np.uint8)
    low, high = array.min(), array.max()
    if 8 in fits and low >= 0 and high <= 255:
        return array.astype(np.uint8)
    if 8 in fits and low >= -128 and high <= 127:
        return (array.astype(np.int16) + 128).astype(np.uint8)
    for width in (width for width in fits if width > 8 and (kind in "iu" or width <= 32)):
        if low >= 0 and int(high) < 1 << width:  # 64 bits do not fit a float
            return np.ascontiguousarray(array.astype(f"<u{width // 8}")).view(np.uint8)
    expected = (
        "" if bits is None else f" of {-(-bits // 8)} bytes or {-(-bits // 64)} 64-bit words for {bits} bits"
    )
    raise ValueError(
        f"{name} must be packed rows{expected}, but it is {array.dtype} of shape {array.shape} with values "
        f"from {low} to {high}"
    )


def _has_bits_beyond(words: Words, bits: int) -> bool:
    """Whether a bit beyond the length of the codes is set."""
    width, used = -(-bits // 64), bits % 64
    if words[:, width:].any():
        return True
    return bool(used and (words[:, width - 1] >> np.uint64(used)).any())


def _words_from_bytes(rows: np.ndarray[Any, np.dtype[np.uint8]]) -> Words:
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<u8").astype(np.uint64, copy=False)
