"""The options of DADH, with the source of every constant."""

from __future__ import annotations

from typing import Literal, Self

from cmh_train import MethodConfig
from pydantic import Field, model_validator


class DADHConfig(MethodConfig):
    """Options of the authors' current program (March 2021), which the UMML paper ran.

    "Program" below means that the constant stands in the authors' code and in no paper.

    Example:
        >>> DADHConfig(bits=32, layer_widths=(1024, 512, 256)).learning_rate
        5e-05
    """

    variant: Literal["umml2022", "icmr2020", "clean"] = Field(
        default="umml2022",
        description="umml2022: the program of March 2021, peculiarities kept; icmr2020: that of June 2020; "
        "clean: the former with loss weights as named, both sides adversarial, gradients through both",
    )
    layer_widths: tuple[int, ...] = Field(
        default=(8192, 4096, 2048),
        min_length=1,
        description="of both feature nets; the last is the width of the feature that the adversary compares",
    )
    image_layer_widths: tuple[int, ...] | None = Field(
        default=None,
        min_length=1,
        description="of the image net alone, where it differs; the last must be the same",
    )
    theta: float = Field(default=1.0, ge=0.0, description="weight of the pair loss, in icmr2020 alone")
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="after every layer; the program has 0.5 for NUS-WIDE, none for MIR-Flickr",
    )
    learning_rate: float = Field(default=5e-5, gt=0.0, description="of all three Adams; NUS-WIDE: 1e-5")
    learning_rate_decay: float = Field(
        default=0.8, gt=0.0, le=1.0, description="generator only, at the end of epochs 0, 100, 200 (program)"
    )
    decay_every: int = Field(
        default=100,
        ge=1,
        description="epochs between two decays; the first comes after epoch 0 already (program)",
    )
    smallest_learning_rate: float = Field(default=1e-6, ge=0.0, description="floor of the decay (program)")
    alpha: float = Field(default=10.0, ge=0.0, description="weight of the triplet loss")
    beta: float = Field(
        default=1.0, ge=0.0, description="weight of the quantisation loss; the program trains with beta + 0.1"
    )
    gamma: float = Field(default=1.0, ge=0.0, description="weight of the adversarial losses")
    margin: float = Field(default=0.4, ge=0.0, le=2.0, description="of the triplet loss, in cosine distance")
    mu: float = Field(default=1e-5, ge=0.0, description="weight of the network's outputs in the code update")
    ridge: float = Field(
        default=1.0, gt=0.0, description="lambda, ridge of the label projection in the code update"
    )
    penalty: float = Field(default=10.0, ge=0.0, description="weight of the gradient penalty (program)")
    weight_decay: float = Field(default=5e-4, ge=0.0, description="of the generator's Adam (program)")
    critic_weight_decay: float = Field(
        default=1e-4, ge=0.0, description="of the discriminators' Adams (program)"
    )
    critic_betas: tuple[float, float] = Field(
        default=(0.5, 0.9), description="of the discriminators' Adams (program)"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.layer_widths) < 4:
            raise ValueError("layer_widths must all be at least 4, since the discriminator quarters the last")
        if self.image_layer_widths is not None and self.image_layer_widths[-1] != self.layer_widths[-1]:
            raise ValueError("image_layer_widths and layer_widths must end with the same width")
        if self.variant == "icmr2020" and self.dropout > 0:
            raise ValueError("dropout must be 0 in variant icmr2020, whose nets have none")
        if self.batch_size < 2 and self.variant != "icmr2020":
            raise ValueError("batch_size must be at least 2, since batch normalisation needs a variance")
        return self


MIRFLICKR25K = DADHConfig(bits=64, epochs=300, batch_size=128)
NUSWIDE_TC21 = DADHConfig(bits=64, epochs=300, batch_size=128, learning_rate=1e-5, dropout=0.5)
# The configuration file of June 2020; the image net learns at a tenth of the rate, all else at ten times.
ICMR2020 = DADHConfig(
    bits=64,
    epochs=300,
    batch_size=128,
    variant="icmr2020",
    image_layer_widths=(4096, 2048),
    learning_rate=6e-4,
    gamma=0.5,
)
# For a few thousand rows on a CPU: narrow layers, and a learning rate that gets there in few steps.
SMALL = DADHConfig(bits=64, epochs=20, batch_size=128, learning_rate=1e-3, layer_widths=(512, 256, 128))
