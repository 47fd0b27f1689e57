"""The options of DCHMT, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class DCHMTConfig(TwoNetworkConfig):
    """Options of DCHMT; the defaults are those of the command that the authors give for their numbers.

    "Program" below is what the program has where the command says nothing else.

    Example:
        >>> DCHMTConfig(bits=32, optimiser="adamw").batch_size
        256
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; paper: 16, 32, 64")
    epochs: int = Field(
        default=100,
        ge=1,
        description="passes over the training set, over which the rate falls; the authors' program",
    )
    batch_size: int = Field(
        default=256, ge=1, description="samples in one step; the authors' command (program: 64)"
    )
    hidden_width: int = Field(default=128, ge=1, description="width between feature and bits; program")
    margin_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="vartheta: squared distance from which dissimilar samples are left alone, as a share of "
        "the largest, 2 for each bit; command (program: 0.5)",
    )
    optimiser: Literal["bert-adam", "adamw"] = Field(
        default="bert-adam",
        description="bert-adam: each tensor, and each bit's own, clipped by itself, no bias correction, rate "
        "warms up and falls (program); adamw: torch's at a constant rate (ours)",
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="largest value; command (program: 0.001)")
    warm_up: float = Field(
        default=0.1, ge=0, le=1, description="share of the steps in which the rate rises; program"
    )
    weight_decay: float = Field(default=0.2, ge=0, description="biases too, times the rate; program")


#: Options for the data sets of the paper, Wikipedia, and `small`.
PRESETS: Mapping[str, DCHMTConfig] = MappingProxyType(
    {
        "mirflickr25k": DCHMTConfig(),
        "nuswide-tc21": DCHMTConfig(),
        "mscoco": DCHMTConfig(),
        # The program has no constants for Wikipedia: those of its other data sets.
        "wikipedia": DCHMTConfig(),
        "small": DCHMTConfig(epochs=60, batch_size=64, standardise="matrix", learning_rate=5e-3),
    }
)
