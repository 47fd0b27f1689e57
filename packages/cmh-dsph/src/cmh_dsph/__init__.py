"""DSPH: deep semantic-aware proxy hashing (Huo et al., TCSVT 2024), on frozen features."""

from cmh_dsph._config import PRESETS, DSPHConfig
from cmh_dsph._losses import proxy_loss, separation_loss, total_loss
from cmh_dsph._method import DSPH, METHOD
from cmh_dsph._threshold import similarity_threshold

__all__ = [
    "DSPH",
    "METHOD",
    "PRESETS",
    "DSPHConfig",
    "proxy_loss",
    "separation_loss",
    "similarity_threshold",
    "total_loss",
]
