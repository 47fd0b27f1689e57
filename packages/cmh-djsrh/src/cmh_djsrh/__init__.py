"""DJSRH: deep joint-semantics reconstructing hashing, unsupervised (Su, Zhong, Zhang, ICCV 2019)."""

from cmh_djsrh._config import PRESETS, DJSRHConfig
from cmh_djsrh._losses import similarity_losses, total_loss
from cmh_djsrh._method import DJSRH, METHOD
from cmh_djsrh._similarity import joint_similarity

__all__ = [
    "DJSRH",
    "METHOD",
    "PRESETS",
    "DJSRHConfig",
    "joint_similarity",
    "similarity_losses",
    "total_loss",
]
