"""Small training data on which every method can show what it does."""

from __future__ import annotations

import numpy as np
from cmh_train import TrainingData


def example_data(
    *,
    n_train: int = 33,
    image_shape: tuple[int, ...] = (12,),
    text_width: int = 9,
    n_label: int = 3,
    labelled: bool = True,
    missing_images: slice | None = None,
    missing_texts: slice | None = None,
) -> TrainingData:
    """Make training rows of a few classes that both modalities tell.

    Args:
        n_train: number of rows; row i belongs to class `i % n_label`.
        image_shape: of one image; features where it has one axis, otherwise pixels `(3, height, width)` in
            0..255.
        text_width: width of a text.
        n_label: number of classes.
        labelled: whether the data have labels.
        missing_images: rows whose image is removed: zeros, and False in `image_present`.
        missing_texts: likewise.

    Returns:
        Images `(n_train, *image_shape)` and texts `(n_train, text_width)` float32, labels
        `(n_train, n_label)` uint8. The same arguments give the same data.

    Example:
        >>> example_data(missing_texts=slice(0, 5)).text_present.sum()
        np.int64(28)
    """
    generator = np.random.default_rng(0)
    label = np.eye(n_label, dtype=np.uint8)[np.arange(n_train) % n_label]
    image = generator.random((n_train, *image_shape), dtype=np.float32)
    if len(image_shape) == 1:
        image += 2 * np.eye(n_label, *image_shape, dtype=np.float32)[label.argmax(axis=1)]
    else:
        image = (255 * image).astype(np.uint8)
    text = generator.random((n_train, text_width), dtype=np.float32)
    text += 2 * np.eye(n_label, text_width, dtype=np.float32)[label.argmax(axis=1)]
    image_present, text_present = np.ones((2, n_train), dtype=np.bool_)
    image_present[missing_images or slice(0)] = False
    text_present[missing_texts or slice(0)] = False
    image[~image_present] = 0
    text[~text_present] = 0
    return TrainingData.from_arrays(
        image=image,
        text=text,
        label=label if labelled else None,
        image_present=image_present,
        text_present=text_present,
    )


class CompleteRows:
    """Partners without chance: the complete rows in turn give their items to the rows that miss one.

    Args:
        data: has complete rows.
        shift: which of the complete rows begins.
    """

    def __init__(self, data: TrainingData, *, shift: int = 0) -> None:
        complete = np.roll(np.flatnonzero(data.image_present & data.text_present), -shift)
        own = np.arange(len(data.image_present))
        self.image_rows = np.where(data.image_present, own, complete[own % len(complete)])
        self.text_rows = np.where(data.text_present, own, complete[own % len(complete)])
        self.digest = f"complete rows from {complete[0]}"

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        """Return the same image rows and text rows, `(n_train,)` int64 each, for any `rng`."""
        return self.image_rows, self.text_rows
