"""DCHMT: differentiable cross-modal hashing (Tu et al., MM 2022), on frozen features."""

from cmh_dchmt._config import PRESETS, DCHMTConfig
from cmh_dchmt._losses import distance_losses, total_loss
from cmh_dchmt._method import DCHMT, METHOD
from cmh_dchmt._networks import SelectingHash

__all__ = [
    "DCHMT",
    "METHOD",
    "PRESETS",
    "DCHMTConfig",
    "SelectingHash",
    "distance_losses",
    "total_loss",
]
