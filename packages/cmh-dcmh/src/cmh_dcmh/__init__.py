"""DCMH: deep cross-modal hashing (Jiang and Li, CVPR 2017), on frozen features."""

from cmh_dcmh._config import PRESETS, DCMHConfig
from cmh_dcmh._losses import step_losses, total_loss
from cmh_dcmh._method import DCMH, METHOD

__all__ = ["DCMH", "METHOD", "PRESETS", "DCMHConfig", "step_losses", "total_loss"]
