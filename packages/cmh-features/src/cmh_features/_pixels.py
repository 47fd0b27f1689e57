"""From an image to the numbers that a network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Three = tuple[float, float, float]


@dataclass(frozen=True)
class PixelRule:
    """How an image becomes `(3, size, size)` float32, channels red, green, blue.

    Args:
        size: pixels of a side.
        mean: taken off each channel, whose values run from 0 to 1.
        deviation: what each channel is then divided by.
        short_side: scale the short side to so many pixels and cut the middle out; None: squeeze the whole
            image into the square.
    """

    size: int
    mean: Three = (0.485, 0.456, 0.406)  # ImageNet
    deviation: Three = (0.229, 0.224, 0.225)
    short_side: int | None = None

    def __str__(self) -> str:
        if self.short_side is None:
            cut = f"whole image to {self.size} x {self.size}"
        else:
            cut = f"short side to {self.short_side}, middle {self.size} x {self.size}"
        mean, deviation = ("/".join(f"{one:g}" for one in three) for three in (self.mean, self.deviation))
        return f"{cut} (bicubic), mean {mean}, deviation {deviation}"

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Return the pixels of an RGB image.

        Args:
            image: mode RGB.

        Returns:
            `(3, size, size)` float32.
        """
        box = None
        if self.short_side is not None:
            side = min(image.size) * self.size / self.short_side  # of the square, in pixels of the image
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
        square = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
        pixels = np.asarray(square, np.float32) / 255  # (size, size, 3)
        pixels = (pixels - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
