"""UCCH: unsupervised contrastive cross-modal hashing (Hu et al., TPAMI 45(3), 2023)."""

from cmh_ucch._config import PRESETS, UCCHConfig
from cmh_ucch._losses import batch_contrast, memory_contrast, ranking_loss, total_loss
from cmh_ucch._method import METHOD, UCCH

__all__ = [
    "METHOD",
    "PRESETS",
    "UCCH",
    "UCCHConfig",
    "batch_contrast",
    "memory_contrast",
    "ranking_loss",
    "total_loss",
]
