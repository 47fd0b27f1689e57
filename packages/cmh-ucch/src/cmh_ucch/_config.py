"""The options of UCCH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

Width = Annotated[int, Field(ge=1)]


class UCCHConfig(TwoNetworkConfig):
    """Options of UCCH; the defaults are those of the authors' command for MIR-Flickr25K.

    "Program" below is the authors' released code, "command" what they call it with for MIR-Flickr25K, "paper"
    the article where it differs.

    Example:
        >>> UCCHConfig(bits=32).negatives
        4096
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; the authors' program: 16 to 128")
    epochs: int = Field(default=20, ge=1, description="passes over the training set; program")
    batch_size: int = Field(default=256, ge=1, description="samples in one step; program")
    image_widths: tuple[Width, ...] = Field(
        default=(8192, 8192), description="widths of the image network's hidden layers; program"
    )
    text_widths: tuple[Width, ...] = Field(
        default=(8192,), description="widths of the text network's hidden layers; program"
    )
    contrast_weight: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="alpha: weight of the contrast, ranking has the rest; command (0.9 is the program's "
        "default, made for IAPR TC-12)",
    )
    temperature: float = Field(
        default=0.9, gt=0, description="T: divides the products of codes and keys; program"
    )
    temperature_scaling: Literal["bits", "none"] = Field(
        default="bits",
        description="bits: products are divided by T sqrt(bits) (program); none: by T (paper)",
    )
    negatives: int = Field(
        default=4096, ge=1, description="K: keys of other samples that a code is compared with; program"
    )
    memory_momentum: float = Field(
        default=0.4, ge=0, lt=1, description="delta: share of the old memory in the new; program"
    )
    normalise_memory: bool = Field(
        default=True,
        description="give the mixture of old and new memory unit length (program), or leave it as it is "
        "(paper, eq. 5)",
    )
    warmup_epochs: int = Field(
        default=1,
        ge=0,
        description="first epochs, in which keys are those of the batch; program: 1, with raw images 5",
    )
    margin: float = Field(default=0.2, ge=0, description="m of the ranking loss; program")
    shift: float = Field(
        default=0.1,
        ge=0,
        description="by how much negatives beyond the margin are lowered in the ranking loss; command (1 is "
        "the program's default, made for IAPR TC-12)",
    )
    learning_rate: float = Field(
        default=1e-4,
        gt=0,
        description="Adam; program (its schedule first lowers it after 30 epochs, more than it trains)",
    )
    weight_decay: float = Field(default=1e-6, ge=0, description="added to the gradient; program")
    clip_norm: float = Field(
        default=1.0, gt=0, description="largest norm of the gradient of both networks together; program"
    )
    missing: Literal["zero-filled", "left-out"] = Field(
        default="zero-filled",
        description="a missing image or text is a sample of zeros (what the program does with such data), or "
        "takes no part in keys, memory and losses unless another row completes it (ours)",
    )


#: Options for the data sets of the paper and for Wikipedia, and `small`.
PRESETS: Mapping[str, UCCHConfig] = MappingProxyType(
    {
        "mirflickr25k": UCCHConfig(),
        # The values for these two were never released: those of MIR-Flickr25K.
        "nuswide-tc10": UCCHConfig(),
        "mscoco": UCCHConfig(),
        # The program's own defaults, which were made for this set.
        "iapr-tc12": UCCHConfig(contrast_weight=0.9, shift=1.0),
        # The authors have none: what docs/fidelity.md compares with their loss and layers (ours).
        "wikipedia": UCCHConfig(image_widths=(1024, 1024), text_widths=(1024,), standardise="matrix"),
        "small": UCCHConfig(
            image_widths=(1024, 1024),
            text_widths=(1024,),
            standardise="matrix",
            missing="left-out",
        ),
    }
)
