"""Binary codes packed into 64-bit words.

Bit `j` of a code is bit `j % 64` (counted from the least significant) of word `j // 64`. Seen as bytes this
is `numpy.packbits(..., bitorder="little")`, padded with zero bits to a whole number of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._checks import as_matrix, as_numpy, one_of
from cmh_metrics._files import read_arrays, write_arrays
from cmh_metrics._packing import Bits, Block, Words, blocks, is_zero_one, pack_rows, zero_one

if TYPE_CHECKING:
    from os import PathLike

Values = Literal["auto", "signed", "binary"]
MAX_BITS = 1024


@dataclass(frozen=True, eq=False)
class PackedCodes:
    """Codes of `n` items, 64 bits to a word.

    Args:
        words: `(n, ceil(bits / 64))`, uint64. Bits beyond `bits` are cleared: padding never counts.
        bits: code length in bits, 1 to 1024.

    Raises:
        ValueError: if `bits` is out of range or `words` is not a uint64 matrix of the right width.

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
        padding = width * 64 - self.bits
        if padding:
            mask = np.uint64((1 << (64 - padding)) - 1)
            if (words[:, -1] > mask).any():
                words = words.copy()
                words[:, -1] &= mask
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
    def from_bytes(cls, codes: Any, bits: int | None = None) -> PackedCodes:
        """Read codes that are already packed into bytes, least significant bit first.

        Args:
            codes: `(n, n_byte)` uint8, as `numpy.packbits(bitorder="little")` writes it and faiss reads it.
            bits: code length; by default `8 * n_byte`.

        Raises:
            ValueError: if `codes` is not a uint8 matrix or `bits` does not fit its width.
        """
        array = as_numpy(as_matrix(codes, "codes"), "codes")
        if array.dtype != np.uint8:
            raise ValueError(
                f"codes must be uint8 bytes, but the dtype is {array.dtype}; use pack_codes for values"
            )
        bits = array.shape[1] * 8 if bits is None else bits
        check_bits(bits, "bits")
        if array.shape[1] != -(-bits // 8):
            raise ValueError(
                f"codes must have {-(-bits // 8)} bytes per row for {bits} bits, not {array.shape[1]}"
            )
        return cls(_words_from_bytes(array), bits)

    def save(self, path: str | PathLike[str]) -> None:
        """Write an `.npz` file with the arrays `words` and `bits`."""
        write_arrays(path, words=self.words, bits=np.int64(self.bits))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> PackedCodes:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file does not hold `words` and `bits`.
        """
        words, bits = read_arrays(path, "words", "bits")
        return cls(words, int(bits))


def check_bits(bits: Any, name: str) -> None:
    """Raise unless `bits` is a code length that the package handles."""
    if not isinstance(bits, (int, np.integer)) or not 1 <= bits <= MAX_BITS:
        raise ValueError(f"{name} must be a code length of 1 to {MAX_BITS} bits, but it is {bits!r}")


def pack_codes(codes: Any, *, values: Values = "auto", name: str = "codes") -> PackedCodes:
    """Pack a code matrix, one bit per value.

    Args:
        codes: `(n, bits)` of {-1, +1}, {0, 1}, booleans or real numbers; a numpy array, a memory map, an HDF5
            data set or a torch tensor. `PackedCodes` are returned as they are.
        values: what a value means. `"signed"`: the bit is `value >= 0`, so zero counts as +1. `"binary"`: the
            values are 0 and 1. `"auto"`: binary if no value is anything but 0 and 1, otherwise signed.
            Booleans and unsigned integers have no sign and are always binary.
        name: how error messages call `codes`.

    Returns:
        The packed codes; bit `j` of a row is bit `j % 64` of word `j // 64`.

    Raises:
        ValueError: if the matrix is empty or not two-dimensional, longer than 1024 bits, holds NaN, or holds
            something else than 0 and 1 where it must.

    Example:
        >>> pack_codes([[-1, 1, 1], [1, -1, -1]]).words.tolist()
        [[6], [1]]
    """
    rows = CodeRows(codes, name, values=values)
    return PackedCodes(rows.words(0, len(rows)), rows.bits)


def unpack_codes(codes: PackedCodes) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return the codes as `(n, bits)` int8 of {-1, +1}.

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

    def __init__(self, codes: Any, name: str, *, values: Values = "auto") -> None:
        one_of(values, "values", ("auto", "signed", "binary"))
        self._name = name
        self._source: Any = codes if isinstance(codes, PackedCodes) else as_matrix(codes, name)
        self.shape: tuple[int, int] = (int(self._source.shape[0]), int(self._source.shape[1]))
        self.bits = self.shape[1]
        if self.bits > MAX_BITS:
            raise ValueError(f"{name} must have at most {MAX_BITS} bits, but its shape is {self.shape}")
        #: Whether the values are read as signs and not as 0 and 1.
        self.signed = not isinstance(codes, PackedCodes) and self._find_signs(values)

    def __len__(self) -> int:
        return self.shape[0]

    def words(self, start: int, stop: int) -> Words:
        """Return rows `start` to `stop` as `(stop - start, ceil(bits / 64))` uint64."""
        if isinstance(self._source, PackedCodes):
            return self._source.words[start:stop]
        return pack_rows(self._source, start, stop, self._name, self._as_bits)

    def _as_bits(self, block: Block) -> Bits:
        if not self.signed:
            return zero_one(block, self._name)
        if block.dtype.kind == "f" and np.isnan(block.min()):
            raise ValueError(
                f"{self._name} must not contain NaN, but it does; check the model or file that it comes from"
            )
        return np.greater_equal(block, 0)

    def _find_signs(self, values: Values) -> bool:
        """Whether the values have signs: reads on only as long as nothing but 0 and 1 has been seen."""
        if values == "binary" or _is_unsigned(self._source.dtype):
            return False  # unsigned values can only be {0, 1}: anything else is an error and not a sign
        return values == "signed" or not all(
            not block.min() < 0 and is_zero_one(block)
            for _, block in blocks(self._source, 0, len(self), self._name)
        )


def both_sides(query_codes: Any, database_codes: Any, values: Values) -> tuple[CodeRows, CodeRows]:
    """Return the rows of queries and database, which mean the same by a zero.

    Zeros and ones beside signs are signs without a -1, so what one side shows holds for the other.

    Raises:
        ValueError: if codes are not what they should be or differ in length.
    """
    queries = CodeRows(query_codes, "query_codes", values=values)
    if values == "auto" and queries.signed:
        values = "signed"  # and the database need not be looked through
    database = CodeRows(database_codes, "database_codes", values=values)
    if values == "auto" and database.signed:
        queries = CodeRows(query_codes, "query_codes", values="signed")
    if queries.bits != database.bits:
        raise ValueError(
            "query_codes and database_codes must have the same number of bits, "
            f"but they have {queries.bits} and {database.bits}"
        )
    return queries, database


def _is_unsigned(dtype: Any) -> bool:
    """Whether a numpy or torch type holds only booleans or integers from 0 on."""
    if hasattr(dtype, "is_signed"):
        return not dtype.is_signed
    return np.dtype(dtype).kind in "bu"


def _words_from_bytes(rows: np.ndarray[Any, np.dtype[np.uint8]]) -> Words:
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<u8").astype(np.uint64, copy=False)
