"""DADH: deep adversarial discrete hashing for cross-modal retrieval (Bai et al., ICMR 2020)."""

from cmh_dadh._config import PRESETS, DADHConfig
from cmh_dadh._method import DADH, METHOD

__all__ = ["DADH", "METHOD", "PRESETS", "DADHConfig"]
