"""AGAH: adversary guided asymmetric hashing for cross-modal retrieval (Gu et al., ICMR 2019)."""

from cmh_agah._adamax import Adamax
from cmh_agah._attention import attend, normalise_batch, normalise_rows
from cmh_agah._cnnf import CNNF, read_cnnf_weights
from cmh_agah._config import PRESETS, AGAHConfig
from cmh_agah._losses import (
    classification_loss,
    cosine_quantisation_loss,
    critic_losses,
    label_code_loss,
    quantisation_loss,
)
from cmh_agah._method import AGAH, METHOD
from cmh_agah._networks import critic_layers
from cmh_agah._triplet import cosine_distances, triplet_losses
from cmh_agah._updates import update_label_codes, update_label_memory

__all__ = [
    "AGAH",
    "CNNF",
    "METHOD",
    "PRESETS",
    "AGAHConfig",
    "Adamax",
    "attend",
    "classification_loss",
    "cosine_distances",
    "cosine_quantisation_loss",
    "critic_layers",
    "critic_losses",
    "label_code_loss",
    "normalise_batch",
    "normalise_rows",
    "quantisation_loss",
    "read_cnnf_weights",
    "triplet_losses",
    "update_label_codes",
    "update_label_memory",
]
