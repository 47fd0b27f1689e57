"""The training rows of a run, as its plan leaves them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from cmh_train import TrainingData, image_statistics
from cmh_unpair import find_donors

if TYPE_CHECKING:
    from cmh_data import PairedDataset
    from cmh_unpair import Donors, UnpairingPlan

    from umml_cli.runs.specification import RunSpecification


def training_data(
    plan: UnpairingPlan, dataset: PairedDataset, specification: RunSpecification
) -> tuple[TrainingData, Donors | None]:
    """Unpair the training rows as planned; scaling statistics come from the full, whole matrix."""
    rows = dataset.split.train
    mean, std = _image_statistics(dataset)
    unpaired = plan.apply(
        np.asarray(dataset.image[rows]), np.asarray(dataset.text[rows]), np.asarray(dataset.label[rows])
    )
    donors = None
    if specification.completion != "none":
        count = {} if specification.neighbours is None else {"neighbours": specification.neighbours}
        donors = find_donors(unpaired, by=specification.completion, **count)
    data = TrainingData.from_arrays(
        image=unpaired.images,
        text=unpaired.texts,
        label=unpaired.labels if unpaired.labels.shape[1] else None,
        image_present=unpaired.image_present,
        text_present=unpaired.text_present,
        image_mean=mean,
        image_std=std,
    )
    return data, donors


@lru_cache(maxsize=4)  # a data set is one object for all runs of a worker
def _image_statistics(dataset: PairedDataset) -> tuple[float, float] | tuple[None, None]:
    """Of all images of the data set; pixels, which no method scales by one number, are not read for it."""
    if len(dataset.image.shape) > 2 or not dataset.image_present.any():
        return None, None
    images = np.asarray(dataset.image[:])
    return image_statistics(images if dataset.image_present.all() else images[dataset.image_present])
