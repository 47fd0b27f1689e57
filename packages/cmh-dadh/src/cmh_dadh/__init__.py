"""DADH: deep adversarial discrete hashing for cross-modal retrieval (Bai et al., ICMR 2020)."""

from cmh_dadh._config import DADHConfig
from cmh_dadh._dadh import DADH, METHOD
from cmh_dadh._triplet import triplet_losses, triplet_weights

__all__ = ["DADH", "METHOD", "DADHConfig", "triplet_losses", "triplet_weights"]
