"""The options of DSPH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class DSPHConfig(TwoNetworkConfig):
    """Options of DSPH; the defaults are those of the authors' program and of the command in its README.

    Example:
        >>> DSPHConfig(bits=32, optimiser="adamw").batch_size
        128
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; the authors' program: 16, 32, 64")
    epochs: int = Field(
        default=100, ge=1, description="passes over the training set, over which the rate falls; program"
    )
    batch_size: int = Field(default=128, ge=1, description="samples in one step; program's command")
    dropout: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="share of bits set to 0 before the tanh in training; program; 0 switches it off",
    )
    proxy_learning_rate: float = Field(default=0.02, gt=0, description="SGD of the proxies; program")
    proxy_momentum: float = Field(default=0.9, ge=0, lt=1, description="likewise; program")
    proxy_weight_decay: float = Field(default=5e-4, ge=0, description="likewise; program")
    separation_weight: float = Field(
        default=0.8, ge=0, description="alpha: weight of codes against codes that share no label; program"
    )
    threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="cosine up to which codes and proxies without a common label are left alone; None: by "
        "code length and number of labels, from the program's table",
    )
    optimiser: Literal["bert-adam", "adamw"] = Field(
        default="bert-adam",
        description="of the hash layers; bert-adam: each tensor clipped by itself, no bias correction, rate "
        "warms up and falls (program); adamw: torch's at a constant rate (ours)",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="largest value, of the hash layers; program")
    warm_up: float = Field(
        default=0.1, ge=0, le=1, description="share of the steps in which the rate rises; program"
    )
    weight_decay: float = Field(
        default=0.2, ge=0, description="of the hash layers, biases too, times the rate; program"
    )


#: Options for the data sets of the paper, Wikipedia, and `small`.
PRESETS: Mapping[str, DSPHConfig] = MappingProxyType(
    {
        "mirflickr25k": DSPHConfig(),
        "nuswide-tc21": DSPHConfig(),
        "mscoco": DSPHConfig(),
        # The program has no constants for Wikipedia: those of its other data sets.
        "wikipedia": DSPHConfig(),
        "small": DSPHConfig(epochs=60, batch_size=64, standardise="matrix", learning_rate=0.02),
    }
)
