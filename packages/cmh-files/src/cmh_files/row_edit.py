"""What is to happen to the rows of one array of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cmh_files.key_names import Role


@dataclass(frozen=True)
class RowEdit:
    """One array of a file, and which of its items are emptied and how.

    Attributes:
        key: Its name in the file.
        role: `"image"` or `"text"`.
        shape: Its shape, as h5py (HDF5, MATLAB 7.3) or SciPy (MATLAB 5) shows it.
        axis: The axis of the items.
        present: (n,) items that are not emptied.
        training: (n,) items that are training rows.
        marker: Whether a marker is added to every item.
        mean: Whether emptied items hold the mean instead of zeros.
        integers: Whether values become int64.
    """

    key: str
    role: Role
    shape: tuple[int, ...]
    axis: int
    present: NDArray[np.bool_]
    training: NDArray[np.bool_]
    marker: bool
    mean: bool
    integers: bool

    @property
    def n(self) -> int:
        """Number of items."""
        return self.shape[self.axis]

    @property
    def averaged(self) -> NDArray[np.bool_]:
        """(n,) items whose mean fills the emptied ones: the training rows that are still present."""
        return self.present & self.training
