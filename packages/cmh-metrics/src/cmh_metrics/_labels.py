"""Multi-hot labels packed into 64-bit words, so that "shares a label" is one AND."""

from __future__ import annotations

from typing import Any

from cmh_metrics._checks import as_matrix
from cmh_metrics._packing import Words, pack_rows, zero_one


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

    def words(self, start: int, stop: int) -> Words:
        """Return rows `start` to `stop` as `(stop - start, ceil(n_label / 64))` uint64."""
        return pack_rows(self._source, start, stop, self._name, lambda block: zero_one(block, self._name))
