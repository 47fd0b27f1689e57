"""The contract of a cross-modal hashing method, its training loop and its checkpoints."""

from cmh_train._bert_adam import BertAdam
from cmh_train._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cmh_train._codes import zero_as_bit_0
from cmh_train._contract import (
    Batch,
    DataSpec,
    FullBatchConfig,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
    Role,
    TrainingRows,
)
from cmh_train._data import TrainingData, image_statistics
from cmh_train._device import Precision, at_least_float32, full_precision
from cmh_train._encode import block_rows, encode_dataset, encode_rows
from cmh_train._fit import TrainingDivergedError, fit, prepare_untrained
from cmh_train._gradients import gradient_penalty, input_gradient
from cmh_train._kernel_hashing import KernelHashingConfig, KernelHashingMethod, gaussian_kernel
from cmh_train._model import (
    ItemEncoder,
    Model,
    ModelDescription,
    ModelError,
    find_model,
    load_model,
    save_model,
)
from cmh_train._networks import linear_layers
from cmh_train._norms import frobenius_norm
from cmh_train._optimisers import PlainAdam, PlainAdamW, PlainOptimiser, PlainSGD
from cmh_train._partners import Partners
from cmh_train._products import FastLinear, fast_linear, fast_product, has_fast_product
from cmh_train._record import EpochRecord, FitResult
from cmh_train._registry import (
    BrokenMethodError,
    UnknownMethodError,
    available_methods,
    broken_methods,
    build_method,
    find_method,
    make_config,
    method_package,
)
from cmh_train._samples import score_samples
from cmh_train._similarity import (
    SecondOrder,
    affinity,
    binary_affinity,
    counted_pairs,
    fuse_affinities,
    fuse_known_affinities,
    second_order_affinity,
    similarity_loss,
    weigh_known_affinities,
)
from cmh_train._sparse_input import SparseInputLinear, sparse_linear
from cmh_train._trial import PrecisionTrial, choose_precision
from cmh_train._triplets import triplet_hinge_sum
from cmh_train._two_networks import (
    SharpenedMethod,
    TwoNetworkConfig,
    TwoNetworkMethod,
    image_feature_width,
)
from cmh_train._views import ImageViews

__all__ = [
    "Batch",
    "BertAdam",
    "BrokenMethodError",
    "Checkpoint",
    "DataSpec",
    "EpochRecord",
    "FastLinear",
    "FitResult",
    "FullBatchConfig",
    "HashingMethod",
    "ImageViews",
    "ItemEncoder",
    "KernelHashingConfig",
    "KernelHashingMethod",
    "MethodConfig",
    "MethodSpec",
    "Modality",
    "Model",
    "ModelDescription",
    "ModelError",
    "Partners",
    "PlainAdam",
    "PlainAdamW",
    "PlainOptimiser",
    "PlainSGD",
    "Precision",
    "PrecisionTrial",
    "Role",
    "SecondOrder",
    "SharpenedMethod",
    "SparseInputLinear",
    "TrainingData",
    "TrainingDivergedError",
    "TrainingRows",
    "TwoNetworkConfig",
    "TwoNetworkMethod",
    "UnknownMethodError",
    "affinity",
    "at_least_float32",
    "available_methods",
    "binary_affinity",
    "block_rows",
    "broken_methods",
    "build_method",
    "choose_precision",
    "counted_pairs",
    "encode_dataset",
    "encode_rows",
    "fast_linear",
    "fast_product",
    "find_method",
    "find_model",
    "fit",
    "frobenius_norm",
    "full_precision",
    "fuse_affinities",
    "fuse_known_affinities",
    "gaussian_kernel",
    "gradient_penalty",
    "has_fast_product",
    "image_feature_width",
    "image_statistics",
    "input_gradient",
    "linear_layers",
    "load_checkpoint",
    "load_model",
    "make_config",
    "method_package",
    "prepare_untrained",
    "save_checkpoint",
    "save_model",
    "score_samples",
    "second_order_affinity",
    "similarity_loss",
    "sparse_linear",
    "triplet_hinge_sum",
    "weigh_known_affinities",
    "zero_as_bit_0",
]
