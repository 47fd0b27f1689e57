"""MTFH: matrix tri-factorization hashing for unpaired data (Liu et al., TPAMI 2021)."""

from cmh_mtfh._config import PRESETS, MTFHConfig
from cmh_mtfh._method import METHOD, MTFH

__all__ = ["METHOD", "MTFH", "PRESETS", "MTFHConfig"]
