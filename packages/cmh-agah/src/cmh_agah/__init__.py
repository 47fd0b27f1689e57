"""AGAH: adversary guided asymmetric hashing for cross-modal retrieval (Gu et al., ICMR 2019)."""

from cmh_agah._config import PRESETS, AGAHConfig
from cmh_agah._method import AGAH, METHOD

__all__ = ["AGAH", "METHOD", "PRESETS", "AGAHConfig"]
