"""The options of DADH, with the source of every constant."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from cmh_train import MethodConfig
from pydantic import Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the configuration file of June 2020 has instead of the defaults below (it is set for NUS-WIDE); the
# image net learns at a tenth of the learning rate, all else at ten times.
_ICMR2020: Mapping[str, Any] = MappingProxyType(
    {"image_widths": (4096, 2048), "learning_rate": 6e-4, "adversarial_weight": 0.5}
)


class DADHConfig(MethodConfig):
    """Options of the authors' current program (March 2021), which the UMML paper ran.

    "Program" below is the authors' released code of March 2021, unless a variant is named; of some values it
    is the only source, the ICMR paper gives others too. With `variant="icmr2020"` the image net's widths, the
    learning rate and the adversarial weight default to those of June 2020.

    Example:
        >>> DADHConfig(bits=32, layer_widths=(1024, 512, 256)).learning_rate
        5e-05
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; 64 in the UMML paper")
    epochs: int = Field(
        default=300, ge=1, description="passes over the training set; the authors' program, both versions"
    )
    batch_size: int = Field(default=128, ge=1, description="samples in one step; program, both versions")
    variant: Literal["umml2022", "icmr2020", "clean"] = Field(
        default="umml2022",
        description="umml2022: the program of March 2021, deviations kept; icmr2020: that of June 2020; "
        "clean: the former with loss weights as named, both sides adversarial, gradients through both (ours)",
    )
    layer_widths: tuple[int, ...] = Field(
        default=(8192, 4096, 2048),
        min_length=1,
        description="layers of both nets, where image_widths is not given; the last "
        "is the width of the features that the discriminator compares; program",
    )
    image_widths: tuple[int, ...] | None = Field(
        default=None,
        min_length=1,
        description="layers of the image net, where they differ from layer_widths, with the same last; "
        "program: (4096, 2048) in icmr2020",
    )
    standardise: Literal["matrix", "training", "feature"] = Field(
        default="matrix",
        description="what scales the images; matrix: one mean and deviation of the whole matrix, rows "
        "outside the training set included (program); training: of the training images that are present; "
        "feature: likewise, of each feature by itself (ours); without any, they are those of the matrix",
    )
    pair_weight: float = Field(
        default=1.0, ge=0.0, description="theta: weight of the pair loss, in icmr2020 alone; program"
    )
    dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="after every layer; program: 0.5 for NUS-WIDE, none for MIR-Flickr",
    )
    learning_rate: float = Field(
        default=5e-5,
        gt=0.0,
        description="of all three Adams; program: 1e-5 for NUS-WIDE; in icmr2020 6e-4, a tenth of it for the "
        "image net and ten times for all else",
    )
    learning_rate_factor: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="of the networks, not the discriminators, at the end of epochs 0, 100, 200 (program)",
    )
    decay_every: int = Field(
        default=100,
        ge=1,
        description="epochs between two decays; the first comes after epoch 0 already (program)",
    )
    smallest_learning_rate: float = Field(default=1e-6, ge=0.0, description="floor of the decay (program)")
    triplet_weight: float = Field(
        default=10.0, ge=0.0, description="alpha: weight of the triplet loss; program, both versions"
    )
    quantisation_weight: float = Field(
        default=1.0,
        ge=0.0,
        description="beta: weight of the quantisation loss; program, which adds 0.1 in umml2022",
    )
    adversarial_weight: float = Field(
        default=1.0, ge=0.0, description="gamma: weight of the adversarial losses; program: 0.5 in icmr2020"
    )
    margin: float = Field(
        default=0.4,
        ge=0.0,
        le=2.0,
        description="of the triplet loss, in cosine distance; program, both versions",
    )
    completed_margin: float = Field(
        default=2.0,
        gt=0.0,
        description="factor of margin where items of other rows stand in for missing ones (ours): missing "
        "items, which share one code, double the margin by themselves; 1 switches it off; not used with a "
        "reference point",
    )
    reference_point: Literal["none", "learned"] = Field(
        default="none",
        description="learned: a code of each modality, trained with the networks, that lies a margin farther "
        "than the positives and nearer than the negatives of every anchor, as the one code of missing items "
        "does (ours; docs/completion.md)",
    )
    output_weight: float = Field(
        default=1e-5, ge=0.0, description="mu: weight of the networks' outputs in the code update; program"
    )
    ridge: float = Field(
        default=1.0, gt=0.0, description="lambda: ridge of the label projection in the code update; program"
    )
    gradient_penalty_weight: float = Field(
        default=10.0, ge=0.0, description="weight inside the discriminators' losses; program"
    )
    weight_decay: float = Field(default=5e-4, ge=0.0, description="of the networks' Adam (program)")
    discriminator_weight_decay: float = Field(
        default=1e-4, ge=0.0, description="of the discriminators' Adams (program)"
    )
    discriminator_betas: tuple[float, float] = Field(
        default=(0.5, 0.9), description="of the discriminators' Adams (program)"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_constants(cls, given: Any) -> Any:
        """Let the variant of 2020 alone mean its constants, where nothing else was asked for."""
        if not isinstance(given, dict) or given.get("variant") != "icmr2020":
            return given
        constants = dict(_ICMR2020)
        if "layer_widths" in given:  # other widths than the program's: of both nets, unless said otherwise
            del constants["image_widths"]
        return constants | given

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.layer_widths) < 4:
            raise ValueError("layer_widths must all be at least 4, since the discriminator quarters the last")
        if self.image_widths is not None and self.image_widths[-1] != self.layer_widths[-1]:
            raise ValueError("image_widths and layer_widths must end with the same width")
        if self.variant == "icmr2020" and self.dropout > 0:
            raise ValueError("dropout must be 0 in variant icmr2020, whose nets have none")
        if self.batch_size < 2 and self.variant != "icmr2020":
            raise ValueError("batch_size must be at least 2, since batch normalisation needs a variance")
        return self


#: Named sets of options; "small" is for some thousand rows on a CPU.
PRESETS: Mapping[str, DADHConfig] = MappingProxyType(
    {
        "icmr2020": DADHConfig(bits=64, epochs=300, batch_size=128, variant="icmr2020"),
        "mirflickr25k": DADHConfig(bits=64, epochs=300, batch_size=128),
        "nuswide-tc21": DADHConfig(bits=64, epochs=300, batch_size=128, learning_rate=1e-5, dropout=0.5),
        # For a few thousand rows on a CPU: narrow layers, and a learning rate that gets there in few steps.
        "small": DADHConfig(
            bits=64, epochs=20, batch_size=128, learning_rate=1e-3, layer_widths=(512, 256, 128)
        ),
    }
)
