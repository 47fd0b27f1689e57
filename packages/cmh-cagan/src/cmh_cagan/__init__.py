"""CAGAN: adaptive graph attention hashing, unsupervised (APWeb-WAIM 2023; Sensors 23(7):3439, 2023)."""

from cmh_cagan._config import PRESETS, CAGANConfig
from cmh_cagan._losses import similarity_losses, total_loss
from cmh_cagan._method import CAGAN, METHOD
from cmh_cagan._networks import GraphLayer, GraphNetwork
from cmh_cagan._similarity import joint_similarity

__all__ = [
    "CAGAN",
    "METHOD",
    "PRESETS",
    "CAGANConfig",
    "GraphLayer",
    "GraphNetwork",
    "joint_similarity",
    "similarity_losses",
    "total_loss",
]
