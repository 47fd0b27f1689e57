"""AMSH: label-supervised cross-modal hashing that needs no pairs."""

from cmh_amsh._config import PRESETS, AMSHConfig
from cmh_amsh._method import AMSH, METHOD

__all__ = ["AMSH", "METHOD", "PRESETS", "AMSHConfig"]
