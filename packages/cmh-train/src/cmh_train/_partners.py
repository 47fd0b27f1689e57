"""Partners: in training, real items of other rows in the place of missing ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class Partners(Protocol):
    """Says, anew in every epoch, which rows give each training row its image and its text.

    `cmh_unpair.Donors` is one. The same generator must give the same rows.
    """

    @property
    def digest(self) -> str:
        """What the draws depend on, as hexadecimal; a checkpoint is continued only with the same partners."""

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Draw one epoch's rows.

        Args:
            rng: where the random numbers come from.

        Returns:
            Image rows and text rows, `(n_train,)` int64 each; a row that has the item gives itself.
        """


def draw_partners(
    partners: Partners, n_train: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw one epoch's rows and check that they are rows.

    Raises:
        ValueError: if they are not `(n_train,)` int64 rows of the training set.
    """
    image_rows, text_rows = partners.draw(np.random.default_rng(seed))
    for name, rows in (("image", image_rows), ("text", text_rows)):
        if rows.shape != (n_train,) or rows.dtype != np.int64:
            raise ValueError(
                f"partners must draw {n_train} {name} rows as int64, but it drew {rows.dtype} of shape "
                f"{rows.shape}; find them for these training rows"
            )
        if rows.min() < 0 or rows.max() >= n_train:
            raise ValueError(
                f"partners must draw {name} rows from 0 to {n_train - 1}, but it drew {rows.min()} to "
                f"{rows.max()}; find them for these training rows"
            )
    return image_rows, text_rows
