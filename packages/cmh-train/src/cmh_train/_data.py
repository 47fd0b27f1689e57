"""The training rows of a data set, as arrays and their description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from cmh_train._contract import DataSpec

Array = npt.NDArray[np.generic]

_CHUNK_ENTRIES = 2**22  # 32 MB of float64 at a time
_FEATURE_KINDS = "fiub"  # float, signed and unsigned integer, bool
_FEATURE_RANK = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """The training rows: what `fit` trains on. Make one with `TrainingData.from_arrays`.

    Args:
        image: `(n_train, *image_shape)` features or pixels, any real dtype; a removed image holds the fill
            value.
        text: `(n_train, text_width)`, any real dtype; a removed text holds the fill value.
        label: `(n_train, n_label)` zeros and ones, any real dtype, or None. Rows of removed samples keep
            their labels.
        image_present: `(n_train,)` bool, False where the image was removed.
        text_present: `(n_train,)` bool, False where the text was removed.
        spec: shapes and scaling statistics.
    """

    image: Array
    text: Array
    label: Array | None
    image_present: npt.NDArray[np.bool_]
    text_present: npt.NDArray[np.bool_]
    spec: DataSpec

    @classmethod
    def from_arrays(
        cls,
        *,
        image: npt.ArrayLike,
        text: npt.ArrayLike,
        label: npt.ArrayLike | None = None,
        image_present: npt.ArrayLike | None = None,
        text_present: npt.ArrayLike | None = None,
        image_mean: float | None = None,
        image_std: float | None = None,
    ) -> Self:
        """Check the arrays of the training rows and describe them.

        Args:
            image: `(n_train, d_image)` features or `(n_train, 3, height, width)` pixels, any real dtype.
            text: `(n_train, text_width)`, any real dtype.
            label: `(n_train, n_label)` zeros and ones, any real dtype; None for unsupervised training.
            image_present: `(n_train,)` bool; None: all present.
            text_present: `(n_train,)` bool, likewise.
            image_mean: scalar mean over the whole original image matrix (all rows, nothing removed), as
                `image_statistics` gives it. None: over the training images that are present.
            image_std: scalar standard deviation over the same entries, `> 0`. Give both or neither.

        Returns:
            The checked data; arrays are not copied where their type is right already.

        Raises:
            ValueError: if shapes, types or values do not fit.

        Example:
            >>> import numpy as np
            >>> data = TrainingData.from_arrays(image=np.eye(4), text=np.ones((4, 3)), label=np.eye(4))
            >>> data.spec.image_shape, data.spec.text_width, data.spec.n_label
            ((4,), 3, 4)
        """
        image, text = _features("image", image), _features("text", text)
        if text.ndim != _FEATURE_RANK:
            raise ValueError(f"text must have two axes (rows, words), but its shape is {text.shape}")
        n_train = len(image)
        if len(text) != n_train:
            raise ValueError(_unequal_numbers(n_train, len(text)))
        label = None if label is None else _labels(label, n_train)
        image_present = _present("image_present", image_present, n_train)
        text_present = _present("text_present", text_present, n_train)
        if (image_mean is None) != (image_std is None):
            raise ValueError("image_mean and image_std belong together: give both or neither")
        if image_mean is None or image_std is None:
            image_mean, image_std = image_statistics(image[image_present] if image_present.any() else image)
        if not (np.isfinite(image_mean) and np.isfinite(image_std) and image_std > 0):
            raise ValueError(
                "image_mean and image_std must be finite and image_std positive, "
                f"not {image_mean} and {image_std}"
            )
        spec = DataSpec(
            n_train=n_train,
            image_shape=image.shape[1:],
            text_width=text.shape[1],
            n_label=0 if label is None else label.shape[1],
            image_mean=float(image_mean),
            image_std=float(image_std),
        )
        return cls(
            image=image,
            text=text,
            label=label,
            image_present=image_present,
            text_present=text_present,
            spec=spec,
        )

    @classmethod
    def from_unpaired(
        cls,
        *,
        image: npt.ArrayLike,
        text: npt.ArrayLike,
        image_label: npt.ArrayLike | None = None,
        text_label: npt.ArrayLike | None = None,
        image_mean: float | None = None,
        image_std: float | None = None,
    ) -> Self:
        """Take images and texts that are no pairs, in any numbers.

        The images come first, as rows without a text, then the texts, as rows without an image. Methods that
        need no pairs (`MethodSpec.needs_pairs`) train on each kind alone; others see what is missing as
        zeros.

        Args:
            image: `(n_image, d_image)` features or `(n_image, 3, height, width)` pixels, any real dtype.
            text: `(n_text, text_width)`, any real dtype.
            image_label: `(n_image, n_label)` zeros and ones, any real dtype; None for unsupervised training.
            text_label: `(n_text, n_label)`, any real dtype, with the same columns; give both or neither.
            image_mean: as for `from_arrays`.
            image_std: likewise.

        Returns:
            The checked data of `n_image + n_text` rows, with zeros for what is missing.

        Raises:
            ValueError: if shapes, types or values do not fit.

        Example:
            >>> import numpy as np
            >>> data = TrainingData.from_unpaired(image=np.eye(4), text=np.ones((2, 3)))
            >>> data.spec.n_train, data.image_present.sum(), data.text_present.sum()
            (6, np.int64(4), np.int64(2))
        """
        image, text = _features("image", image), _features("text", text)
        if (image_label is None) != (text_label is None):
            raise ValueError("image_label and text_label belong together: give both or neither")
        label = None
        if image_label is not None and text_label is not None:
            image_label = _labels(image_label, len(image), "image_label", "image")
            text_label = _labels(text_label, len(text), "text_label", "text")
            if image_label.shape[1] != text_label.shape[1]:
                raise ValueError(
                    "image_label and text_label must have the same columns, "
                    f"but they have {image_label.shape[1]} and {text_label.shape[1]}"
                )
            label = np.concatenate((image_label, text_label))
        is_image = np.arange(len(image) + len(text)) < len(image)
        return cls.from_arrays(
            image=np.concatenate((image, np.zeros((len(text), *image.shape[1:]), image.dtype))),
            text=np.concatenate((np.zeros((len(image), *text.shape[1:]), text.dtype), text)),
            label=label,
            image_present=is_image,
            text_present=~is_image,
            image_mean=image_mean,
            image_std=image_std,
        )


def image_statistics(image: npt.ArrayLike) -> tuple[float, float]:
    """Compute one mean and one standard deviation over every entry of an image matrix.

    Methods that standardise their images by scalars (DADH) want them over the full original matrix: all rows,
    before any sample was zero-filled.

    Args:
        image: `(n, ...)` of any real dtype; read in pieces, so a memory-mapped array stays on disk.

    Returns:
        Mean and population standard deviation; the deviation is 1 where all entries are equal.

    Example:
        >>> image_statistics([[0.0, 2.0], [4.0, 6.0]])
        (3.0, 2.23606797749979)
    """
    image = np.asanyarray(image)
    rows = max(1, _CHUNK_ENTRIES // max(1, image[0].size))
    chunks = [slice(start, start + rows) for start in range(0, len(image), rows)]
    mean = sum(float(image[chunk].sum(dtype=np.float64)) for chunk in chunks) / image.size
    squares = sum(float(np.square(image[chunk].astype(np.float64) - mean).sum()) for chunk in chunks)
    std = float(np.sqrt(squares / image.size))
    return mean, std if std > 0 else 1.0


def to_tensor(array: Array) -> torch.Tensor:
    """Give a tensor on the CPU that shares the array's memory, or a copy where `is_copied` says so."""
    return torch.from_numpy(np.require(array, tensor_dtype(array), requirements=("C", "W")))


def is_copied(array: Array) -> bool:
    """Whether torch cannot use the array where it lies: read-only, not in one piece, or of another type."""
    return tensor_dtype(array) != array.dtype or not (array.flags.c_contiguous and array.flags.writeable)


def tensor_dtype(array: Array) -> np.dtype[np.generic]:
    """The type that the array's numbers have as a tensor: the same wherever torch can calculate with it."""
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        return np.dtype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return np.dtype(np.float64)
    return array.dtype.newbyteorder("=")


def _features(name: str, values: npt.ArrayLike) -> Array:
    array = np.asanyarray(values)
    if array.ndim < _FEATURE_RANK or 0 in array.shape:
        raise ValueError(
            f"{name} must have a row axis and a feature axis, both not empty, but its shape is {array.shape}"
        )
    if array.dtype.kind not in _FEATURE_KINDS:
        raise ValueError(f"{name} must hold real numbers, but its dtype is {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values; remove or replace those rows first")
    return array


def _labels(values: npt.ArrayLike, n_train: int, name: str = "label", of: str = "image") -> Array:
    label = _features(name, values)
    if label.ndim != _FEATURE_RANK:
        raise ValueError(f"{name} must have two axes (rows, labels), but its shape is {label.shape}")
    _check_rows(name, len(label), n_train, of)
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"{name} must hold zeros and ones only (multi-hot), one column for each label")
    return label


def _present(name: str, values: npt.ArrayLike | None, n_train: int) -> npt.NDArray[np.bool_]:
    if values is None:
        return np.ones(n_train, dtype=np.bool_)
    present = np.asarray(values)
    if present.dtype != np.bool_ or present.ndim != 1:
        raise ValueError(
            f"{name} must be one bool for each training row, not {present.dtype} of shape {present.shape}"
        )
    _check_rows(name, len(present), n_train)
    return present


def _check_rows(name: str, rows: int, n_train: int, of: str = "image") -> None:
    if rows != n_train:
        raise ValueError(f"{of} and {name} must have the same rows, but {of} has {n_train} and {name} {rows}")


def _unequal_numbers(n_image: int, n_text: int) -> str:
    from cmh_train._registry import available_methods  # noqa: PLC0415 - loads every method

    methods = [name for name, spec in available_methods().items() if not spec.needs_pairs]
    named = f" ({', '.join(methods)})" if methods else ""
    return (
        f"image and text must have the same rows, but image has {n_image} and text {n_text}; methods that "
        f"need no pairs{named} train on other numbers of images and texts: TrainingData.from_unpaired"
    )
