"""CAGAN: adaptive graph attention hashing, unsupervised (APWeb-WAIM 2023; Sensors 23(7):3439, 2023)."""

from cmh_cagan._config import PRESETS, CAGANConfig
from cmh_cagan._losses import similarity_losses, total_loss
from cmh_cagan._method import CAGAN, METHOD
from cmh_cagan._networks import GraphLayer, GraphNetwork, hash_network
from cmh_cagan._similarity import enhance, joint_similarity, joint_similarity_of_present, text_affinity

__all__ = [
    "CAGAN",
    "METHOD",
    "PRESETS",
    "CAGANConfig",
    "GraphLayer",
    "GraphNetwork",
    "enhance",
    "hash_network",
    "joint_similarity",
    "joint_similarity_of_present",
    "similarity_losses",
    "text_affinity",
    "total_loss",
]
