"""JDSH: joint-modal distribution-based similarity hashing (Liu et al., SIGIR 2020)."""

from cmh_jdsh._config import PRESETS, JDSHConfig
from cmh_jdsh._dsdw import DSDW
from cmh_jdsh._method import JDSH, METHOD

__all__ = ["DSDW", "JDSH", "METHOD", "PRESETS", "JDSHConfig"]
