"""Multi-hot labels packed into 64-bit words, so that "shares a label" is one AND."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._checks import as_matrix, as_numpy

_BLOCK_VALUES = 1 << 21


class LabelRows:
    """Rows of packed multi-hot labels, read on demand.

    Args:
        labels: `(n, n_label)` of 0 and 1; a numpy array, a memory map, an HDF5 data set or a torch tensor.
        name: how error messages call it.
    """

    def __init__(self, labels: Any, name: str) -> None:
        if getattr(labels, "ndim", 2) == 1:
            raise ValueError(
                f"{name} must be a multi-hot matrix (rows, labels), but its shape is {tuple(labels.shape)}; "
                "turn class numbers into one column per class, for example numpy.eye(n_class)[numbers]"
            )
        self._name = name
        self._source = as_matrix(labels, name)
        self.shape: tuple[int, int] = (int(self._source.shape[0]), int(self._source.shape[1]))
        self.n_label = self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def words(self, start: int, stop: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return rows `start` to `stop` as `(stop - start, ceil(n_label / 64))` uint64."""
        packed = np.zeros((stop - start, -(-self.n_label // 64)), np.uint64)
        bytes_ = packed.view(np.uint8)
        step = max(1, _BLOCK_VALUES // self.n_label)
        for first in range(start, stop, step):
            block = as_numpy(self._source[first : min(first + step, stop)], self._name)
            rows = np.packbits(self._as_bits(block), axis=1, bitorder="little")
            bytes_[first - start : first - start + len(rows), : rows.shape[1]] = rows
        return packed if np.little_endian else packed.byteswap()

    def _as_bits(self, block: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if block.dtype.kind == "b":
            return block
        bits = np.not_equal(block, 0)
        if not np.array_equal(bits, block):
            other = block[(block != 0) & (block != 1)][0].item()
            raise ValueError(f"{self._name} must contain only 0 and 1, but it contains {other}")
        return bits
