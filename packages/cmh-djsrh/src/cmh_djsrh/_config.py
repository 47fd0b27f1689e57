"""The options of DJSRH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

Width = Annotated[int, Field(ge=1)]


class DJSRHConfig(TwoNetworkConfig):
    """Options of DJSRH; the defaults are those of the authors' program for MIR-Flickr25K.

    "Program" below is the authors' released code.

    Example:
        >>> DJSRHConfig(bits=32).image_share
        0.9
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; the authors' program: 16 to 128")
    epochs: int = Field(default=80, ge=1, description="passes over the training set; program")
    batch_size: int = Field(default=32, ge=1, description="samples in one step; program")
    image_widths: tuple[Width, ...] = Field(
        default=(),
        description="widths of hidden layers between the images' features and their code; none: one linear "
        "layer, as the program has it after AlexNet",
    )
    text_widths: tuple[Width, ...] = Field(
        default=(4096,), description="widths of the text network's hidden layers; program"
    )
    image_share: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="beta: share of the images' affinity, the texts' has the rest; program",
    )
    joint_share: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="eta: share of the second-order affinity, the joint one has the rest; program",
    )
    scale: float = Field(default=1.5, gt=0, description="mu: factor of the whole target; program")
    intra_image_weight: float = Field(
        default=0.1, ge=0, description="lambda 1: weight of the loss among images; program"
    )
    intra_text_weight: float = Field(
        default=0.1, ge=0, description="lambda 2: weight of the loss among texts; program"
    )
    image_learning_rate: float = Field(default=0.001, gt=0, description="SGD; program")
    text_learning_rate: float = Field(default=0.01, gt=0, description="SGD; program")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="program")
    weight_decay: float = Field(default=5e-4, ge=0, description="program")
    missing: Literal["zero-filled", "left-out"] = Field(
        default="zero-filled",
        description="a missing image or text is a sample of zeros (what the program does with such data), or "
        "takes no part in similarities and losses unless another row completes it (ours)",
    )


#: Options for the data sets of the paper and for MS-COCO, and `small`.
PRESETS: Mapping[str, DJSRHConfig] = MappingProxyType(
    {
        "mirflickr25k": DJSRHConfig(),
        "nuswide-tc10": DJSRHConfig(image_share=0.6),
        # The program has no constants for MS-COCO: those of MIR-Flickr25K.
        "mscoco": DJSRHConfig(),
        "wikipedia": DJSRHConfig(
            epochs=200,
            image_share=0.3,
            intra_image_weight=0.3,
            intra_text_weight=0.3,
            image_learning_rate=0.01,
        ),
        "small": DJSRHConfig(
            epochs=30,
            image_learning_rate=0.02,
            text_learning_rate=0.02,
            image_share=0.5,
            standardise="matrix",
            missing="left-out",
            text_widths=(512,),
        ),
    }
)
