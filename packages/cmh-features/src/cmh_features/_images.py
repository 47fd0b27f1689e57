"""Open images safely: a fixed list of formats, a limit on pixels, and every colour mode as RGB on white."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cmh_features._errors import UnreadableItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What is read, by decoders inside Pillow. EPS is left out on purpose: it would start Ghostscript."""
MAX_PIXELS = 89_478_485
"""The pixels of the largest image that is read: Pillow's own limit, above which it warns of bombs."""
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def open_image(source: Any, *, shrink_to: int | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return one image as RGB: turned as its EXIF data say, transparency on white, the first frame only.

    Args:
        source: a path, the bytes of a file, anything with `read_bytes()` such as a `zipfile.Path`, a
            `PIL.Image.Image`, or an array: `(height, width)`,
            `(height, width, 1 | 3 | 4)` or `(3, height, width)`, uint8, or floats from 0 to 1.
        shrink_to: JPEG files may be decoded at a half, a quarter or an eighth of their size as long as both
            sides stay at least so many pixels; None: always at full size.
        max_pixels: larger images are refused before they are decoded.

    Returns:
        The image in mode RGB.

    Raises:
        UnreadableItemError: if it is missing, empty, damaged, too large or of another format.

    Example:
        >>> open_image(np.zeros((4, 6), np.uint8)).mode
        'RGB'
    """
    if isinstance(source, Image.Image):
        return _as_rgb(source)
    if isinstance(source, (str, os.PathLike, bytes)):
        return _open_file(source, shrink_to, max_pixels)
    if hasattr(source, "read_bytes"):
        return _open_file(_read(source), shrink_to, max_pixels)
    return _from_array(np.asarray(source))


# What Pillow's plugins raise on damaged files: each of them means one unreadable image.
_DAMAGES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,  # where warnings are errors
    struct.error,
    zlib.error,
)


def _open_file(source: str | os.PathLike[str] | bytes, shrink_to: int | None, max_pixels: int) -> Image.Image:
    file = io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)
    if _size(source) == 0:
        raise UnreadableItemError("is empty")
    try:
        with Image.open(file, formats=FORMATS) as image:
            _check_size(image, max_pixels)
            if shrink_to is not None and image.format == "JPEG" and image.mode in {"RGB", "L"}:
                image.draft(image.mode, (shrink_to, shrink_to))
            return _as_rgb(image)
    except UnreadableItemError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableItemError(f"is not an image of the formats {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableItemError(f"has more pixels than the limit of {max_pixels}") from error
    except _DAMAGES as error:
        raise UnreadableItemError(f"is damaged ({error})") from error


def _read(source: Any) -> bytes:
    try:
        content: bytes = source.read_bytes()
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableItemError(f"cannot be read ({error})") from error
    return content


def _size(source: str | os.PathLike[str] | bytes) -> int:
    """Return the size of a file in bytes; a pipe or a device, which would block, is not a file."""
    if isinstance(source, bytes):
        return len(source)
    try:
        status = os.stat(source)  # noqa: PTH116 - a thousand files a second: no objects in between
    except OSError as error:
        raise UnreadableItemError(f"cannot be opened ({error.strerror})") from error
    except ValueError as error:
        raise UnreadableItemError(f"cannot be opened ({error})") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableItemError("is not a file")
    return status.st_size


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise UnreadableItemError(
            f"has {image.width} x {image.height} pixels, more than the limit of {max_pixels}"
        )


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.width == 0 or image.height == 0:
        raise UnreadableItemError("has no pixels")
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy() if image.readonly else image
    if image.mode in _SIXTEEN_BIT:
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_from_unit_interval(np.asarray(image))).convert("RGB")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Keep the upper eight of sixteen bits."""
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise UnreadableItemError("holds whole numbers beyond 16 bits, whose brightness is not known")
    return (values // 256).astype(np.uint8)


def _from_unit_interval(values: NDArray[Any]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise UnreadableItemError("holds real numbers outside 0 to 1, whose brightness is not known")
    return (values * 255 + 0.5).astype(np.uint8)


def _from_array(values: NDArray[Any]) -> Image.Image:
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[2] not in {1, 3, 4}:
        values = values.transpose(1, 2, 0)  # (height, width, 3)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]  # (height, width)
    if values.ndim not in {2, 3} or (values.ndim == 3 and values.shape[2] not in {3, 4}):
        raise UnreadableItemError(
            f"has the shape {values.shape}; an image must be (height, width), "
            "(height, width, 1, 3 or 4) or (3, height, width)"
        )
    if values.size == 0:
        raise UnreadableItemError("has no pixels")
    if values.dtype.kind == "f":
        values = _from_unit_interval(values)
    elif values.dtype == np.uint16:
        values = _eight_bits(values)
    elif values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype != np.uint8:
        raise UnreadableItemError(f"is of type {values.dtype}; pixels must be uint8, uint16, bool or float")
    return _as_rgb(Image.fromarray(np.ascontiguousarray(values)))
