"""What the values of codes mean: the one place that decides it, by what they are and not by their dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cmh_metrics._inputs.checks import one_of
from cmh_metrics._inputs.packing import blocks, is_zero_one, zero_one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cmh_metrics._inputs.packing import Bits, Block

CodeValues = Literal["auto", "signed", "binary"]
Cure = Literal["threshold", "packed", "code_values"]
CURES: dict[str, str] = {
    "threshold": "give threshold=0.5 for sigmoid outputs, or the value that separates the bits",
    "packed": "read packed bytes or words with PackedCodes.from_bytes and the number of bits; give "
    "code_values='signed' where they are outputs of a network after all",
    "code_values": "give code_values='signed' if a zero means +1, or 'binary' if all values are 0 and 1",
}


_HALF = 0.5  # where sigmoid outputs are parted
_FIRST_VALUES = 4096  # looked at before the rest


class CodeValueError(ValueError):
    """Say that values can't be codes as they are, and which argument reads them.

    Args:
        problem: what the values look like.
        cure: which argument reads them: a key of `CURES`.

    Example:
        >>> CodeValueError("codes must be signs, but they are not", "threshold").problem
        'codes must be signs, but they are not'
    """

    def __init__(self, problem: str, cure: Cure) -> None:
        super().__init__(f"{problem}; {CURES[cure]}")
        self.problem = problem
        self.cure = cure


class Reading:
    """How the values of one code matrix become bits.

    Args:
        source: `(n, bits)`, read block by block.
        name: how error messages call it.
        code_values: the caller's word for it.
        threshold: the caller's threshold.

    Raises:
        ValueError: if the values can't be codes, or contain NaN as far as they had to be read.
    """

    def __init__(self, source: Any, name: str, *, code_values: CodeValues, threshold: float | None) -> None:
        check_choice(code_values, threshold)
        self._source, self._name = source, name
        self._unsigned = _is_unsigned(source.dtype)
        self._threshold: float = 0 if threshold is None else threshold
        self.kind = self._kind(code_values, threshold)

    @property
    def text(self) -> str:
        """What a report says of it."""
        return {
            "binary": "0 and 1",
            "signs": "-1 and +1, a zero counting as +1",
            "real": "real outputs, a zero counting as +1",
            "signed": "signed as asked, a zero counting as +1",
            "threshold": f"1 from {self._threshold:g} on, otherwise 0",
        }[self.kind]

    def as_bits(self, block: Block) -> Bits:
        """Return a block as booleans, or raise if it holds what the others did not."""
        if self.kind == "binary":
            if self._unsigned:
                self._refuse_packed(block)
            return zero_one(block, self._name)
        if block.dtype.kind == "f" and np.isnan(block.min()):
            raise _nan(self._name)
        return np.greater_equal(block, self._threshold)

    def contains_zero(self) -> bool:
        """Whether any value is zero: reads on until one has been seen."""
        return any((block == 0).any() for block in self._blocks())

    @property
    def may_be_sign(self) -> bool:
        """Whether zeros and ones could be signs none of which is -1."""
        return self.kind == "binary" and not self._unsigned

    def _refuse_packed(self, block: Block) -> None:
        if not is_zero_one(block):
            raise _packed(self._name, block.min(), block.max(), block)

    def _blocks(self) -> Iterator[Block]:
        """Yield blocks of rows, the first of them small: as a rule it decides."""
        n, bits = (int(length) for length in self._source.shape)
        small = min(n, max(1, _FIRST_VALUES // bits))
        for start, stop in ((0, small), (small, n)):
            yield from (block for _, block in blocks(self._source, start, stop, self._name))

    def _kind(self, code_values: CodeValues, threshold: float | None) -> str:
        if threshold is not None:
            return "threshold"
        if code_values == "signed" and self._unsigned:
            raise ValueError(
                f"{self._name} must be of a type with a sign for code_values='signed', "
                f"but the dtype is {self._source.dtype}; leave code_values out"
            )
        if self._unsigned and np.dtype(bool) != self._source.dtype:
            self._refuse_packed(next(self._blocks()))  # of packed codes, the first block shows it
        if code_values == "binary" or self._unsigned:
            return "binary"
        return "signed" if code_values == "signed" else self._found_kind()

    def _found_kind(self) -> str:
        """Read on only as long as the values leave a choice."""
        low, high, binary = np.inf, -np.inf, True
        for block in self._blocks():
            least, most = block.min(), block.max()
            if least != least:  # noqa: PLR0124 - NaN
                raise _nan(self._name)
            low, high = min(low, least), max(high, most)
            binary = binary and is_zero_one(block)
            if low < 0:
                whole = block.dtype.kind == "i" or bool((block == np.rint(block)).all())
                if whole and (low < -1 or high > 1):
                    raise _packed(self._name, low, high, block)
                return "signs" if whole else "real"
        if binary:
            return "binary"
        if low < _HALF < high <= 1:
            raise CodeValueError(
                f"{self._name} must have values on both sides of zero, but all are from {low:g} to "
                f"{high:g}, as sigmoid outputs are, so that all codes would be equal",
                "threshold",
            )
        if all((block == np.rint(block)).all() for block in self._blocks()):
            raise _packed(self._name, low, high, next(self._blocks()))
        raise CodeValueError(
            f"{self._name} must have values on both sides of zero, but all are from {low:g} to {high:g}, so "
            "that all codes would be equal",
            "threshold",
        )


def check_choice(code_values: CodeValues, threshold: float | None) -> None:
    """Raise unless what a caller says of the values is known and does not contradict itself."""
    one_of(code_values, "code_values", get_args(CodeValues))
    if threshold is None:
        return
    if isinstance(threshold, bool) or not np.isscalar(threshold) or not np.isfinite(threshold):
        raise ValueError(f"threshold must be a finite number, but it is {threshold!r}")
    if code_values != "auto":
        raise ValueError(f"threshold must come without code_values, but code_values is {code_values!r}")


def _packed(name: str, low: Any, high: Any, block: Block) -> CodeValueError:
    if low < high and bool(((block == low) | (block == high)).all()):
        return CodeValueError(
            f"{name} must contain only 0 and 1 or signs, but it contains only {low:.0f} and {high:.0f}",
            "threshold",
        )
    return CodeValueError(
        f"{name} must contain only 0 and 1 or signs, but it contains whole numbers from {low:.0f} to "
        f"{high:.0f}, as codes packed into bytes or words do",
        "packed",
    )


def _nan(name: str) -> ValueError:
    return ValueError(f"{name} must not contain NaN, but it does; check the model or file that it comes from")


def _is_unsigned(dtype: Any) -> bool:
    """Whether a numpy or torch type holds only booleans or integers from 0 on."""
    if hasattr(dtype, "is_signed"):
        return not dtype.is_signed
    return np.dtype(dtype).kind in "bu"
