"""JDSH: joint-modal distribution-based similarity hashing (Liu et al., SIGIR 2020)."""

from cmh_jdsh._config import PRESETS, JDSHConfig
from cmh_jdsh._dsdw import DSDW, MIRFLICKR25K, NUSWIDE_TC10, SimilarityDistribution, sharpen
from cmh_jdsh._losses import similarity_losses, total_loss
from cmh_jdsh._method import JDSH, METHOD
from cmh_jdsh._pixels import centre_crops, read_alexnet, training_crops
from cmh_jdsh._similarity import affinity, joint_similarity

__all__ = [
    "DSDW",
    "JDSH",
    "METHOD",
    "MIRFLICKR25K",
    "NUSWIDE_TC10",
    "PRESETS",
    "JDSHConfig",
    "SimilarityDistribution",
    "affinity",
    "centre_crops",
    "joint_similarity",
    "read_alexnet",
    "sharpen",
    "similarity_losses",
    "total_loss",
    "training_crops",
]
