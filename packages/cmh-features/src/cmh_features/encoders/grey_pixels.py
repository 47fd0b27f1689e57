"""The pixels themselves, small and grey: for characters, drawings and the like."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_features._encoder import Encoder, Identity

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from cmh_features._registry import EncoderRequest

DEFAULT_SIDE = 32
LARGEST_SIDE = 256


class GreyPixels(Encoder):
    """The grey values of a picture scaled to a square, 0 is white and 1 is black.

    Args:
        side: of the square, in pixels.
    """

    modalities = ("image",)
    batch_size = 256

    def __init__(self, side: int) -> None:
        self._side = side
        self.image_size = side
        self.width = side * side
        self.identity = Identity(
            name="grey-pixels" if side == DEFAULT_SIDE else f"grey-pixels:{side}",
            version=f"cmh-features {version('cmh-features')}",
            digest="",
            preprocessing=f"grey, {side} x {side} pixels, bicubic, white is 0 and black is 1",
        )

    def prepare_image(self, image: Image.Image) -> NDArray[Any]:
        """Return the grey values, `(side * side,)` uint8."""
        from PIL.Image import Resampling  # noqa: PLC0415 - as light as the rest of this package

        square = image.convert("L").resize((self._side, self._side), Resampling.BICUBIC)
        return np.asarray(square, np.uint8).ravel()

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, side * side)` float32 from 0 to 1."""
        return np.float32(1) - batch.astype(np.float32) / np.float32(255)


def build(request: EncoderRequest) -> Encoder:
    """Build the encoder; what follows the colon is the side."""
    side = request.argument or str(DEFAULT_SIDE)
    if not (side.isdecimal() and 1 <= int(side) <= LARGEST_SIDE):
        raise ValueError(
            f"grey-pixels:SIDE must have a side from 1 to {LARGEST_SIDE} pixels, but it is {side!r}"
        )
    if request.precision not in {"auto", "float32"}:
        raise ValueError(f"grey-pixels computes in float32 only, but {request.precision} was asked for")
    return GreyPixels(int(side))
