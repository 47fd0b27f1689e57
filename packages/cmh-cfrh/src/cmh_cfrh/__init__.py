"""CFRH, reconstructed: CLIP-based fusion-modal reconstructing hashing (after Li et al., IJMIR 2023)."""

from cmh_cfrh._config import PRESETS, CFRHConfig
from cmh_cfrh._losses import similarity_losses, total_loss
from cmh_cfrh._method import CFRH, METHOD
from cmh_cfrh._similarity import joint_similarity

__all__ = [
    "CFRH",
    "METHOD",
    "PRESETS",
    "CFRHConfig",
    "joint_similarity",
    "similarity_losses",
    "total_loss",
]
