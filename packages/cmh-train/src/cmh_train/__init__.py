"""The contract of a cross-modal hashing method, its training loop and its checkpoints."""

from cmh_train._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cmh_train._contract import (
    Batch,
    DataSpec,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
)
from cmh_train._critics import input_gradient
from cmh_train._data import TrainingData, image_statistics
from cmh_train._device import Precision
from cmh_train._encode import encode_dataset
from cmh_train._fit import TrainingDiverged, fit, show_images
from cmh_train._record import EpochRecord, FitResult
from cmh_train._registry import (
    BrokenMethodError,
    UnknownMethodError,
    available_methods,
    build_method,
    find_method,
    make_config,
)
from cmh_train._triplets import triplet_hinge_sum

__all__ = [
    "Batch",
    "BrokenMethodError",
    "Checkpoint",
    "DataSpec",
    "EpochRecord",
    "FitResult",
    "HashingMethod",
    "MethodConfig",
    "MethodSpec",
    "Modality",
    "Precision",
    "TrainingData",
    "TrainingDiverged",
    "UnknownMethodError",
    "available_methods",
    "build_method",
    "encode_dataset",
    "find_method",
    "fit",
    "image_statistics",
    "input_gradient",
    "load_checkpoint",
    "make_config",
    "save_checkpoint",
    "show_images",
    "triplet_hinge_sum",
]
