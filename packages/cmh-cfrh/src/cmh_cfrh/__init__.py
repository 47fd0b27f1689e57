"""CFRH, reconstructed: CLIP-based fusion-modal reconstructing hashing (after Li et al., IJMIR 2023)."""

from cmh_cfrh._config import PRESETS, CFRHConfig
from cmh_cfrh._losses import reconstruction_loss, similarity_losses, total_loss
from cmh_cfrh._method import CFRH, METHOD
from cmh_cfrh._networks import linear_stack
from cmh_cfrh._similarity import joint_similarity, joint_similarity_of_present, text_affinity

__all__ = [
    "CFRH",
    "METHOD",
    "PRESETS",
    "CFRHConfig",
    "joint_similarity",
    "joint_similarity_of_present",
    "linear_stack",
    "reconstruction_loss",
    "similarity_losses",
    "text_affinity",
    "total_loss",
]
