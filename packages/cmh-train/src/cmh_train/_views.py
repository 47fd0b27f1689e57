"""Views: in training, features of the images that differ from step to step, such as those of random crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ImageViews(Protocol):
    """Gives the features of training images anew in every step.

    The same generator must give the same features.
    """

    @property
    def digest(self) -> str:
        """What the features depend on, as hexadecimal; a checkpoint is continued only with the same views."""

    def draw(self, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Draw the features of one step.

        Args:
            rows: `(n,)` int64, training rows that have an image; one may come several times.
            rng: where the random numbers come from.

        Returns:
            `(n, *image_shape)` floating point.
        """


def draw_views(
    views: ImageViews, rows: npt.NDArray[np.int64], shape: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw the features of one step and check their shape.

    Raises:
        ValueError: if they are not `(len(rows), *shape)`.
    """
    drawn = views.draw(rows, rng)
    if drawn.shape != (len(rows), *shape):
        raise ValueError(
            f"image_views must draw features of shape {(len(rows), *shape)}, but their shape is "
            f"{drawn.shape}; make them with the encoder that made the images of the data"
        )
    return drawn
