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
    """One array of a file, and which of its items are removed and how.

    Args:
        key: Its name in the file.
        role: `"image"` or `"text"`.
        shape: Its shape, as h5py (HDF5, MATLAB 7.3) or SciPy (MATLAB 5) shows it.
        axis: The axis of the items.
        present: `(n,)` bool, items that are not removed.
        training: `(n,)` bool, items that are training rows.
        marker: Whether a marker is added to every item.
        mean: Whether removed items hold the mean instead of zeros.
        integers: Whether values become int64.

    Example:
        >>> import numpy as np
        >>> edit = RowEdit(
        ...     key="YAll", role="text", shape=(13, 4), axis=1, present=np.arange(4) > 0,
        ...     training=np.ones(4, bool), marker=False, mean=False, integers=False,
        ... )
        >>> edit.n, edit.averaged.tolist()
        (4, [False, True, True, True])
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
        """`(n,)` bool, items whose mean fills the removed ones: the training rows that are still present."""
        return self.present & self.training
