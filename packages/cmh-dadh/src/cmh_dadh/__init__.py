"""DADH: deep adversarial discrete hashing for cross-modal retrieval (Bai et al., ICMR 2020)."""

from cmh_dadh._config import DADHConfig
from cmh_dadh._dadh import DADH
from cmh_dadh._method import METHOD
from cmh_dadh._triplet import triplet_losses, triplet_weights
from cmh_dadh._variants import DADH2020, CleanDADH

__all__ = ["DADH", "DADH2020", "METHOD", "CleanDADH", "DADHConfig", "triplet_losses", "triplet_weights"]
