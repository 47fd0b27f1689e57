"""The options of CFRH, each with the evidence for its default, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

Width = Annotated[int, Field(ge=1)]


class CFRHConfig(TwoNetworkConfig):
    """Options of the reconstruction of CFRH, each with a grade of evidence.

    [K] known: the paper's abstract or figure, or the part of the authors' code that was released. [I]
    inferred: from other programs of the same authors (CAGAN, AMTS, JDSH-VIT). [A] assumed: nothing was seen.
    "Ours" are options that the paper does not have.

    Example:
        >>> CFRHConfig(bits=32).reconstruction_weight
        1.0
    """

    bits: int = Field(
        default=64, ge=8, le=512, description="code length; [K] (known) an option, [A] (assumed) the default"
    )
    epochs: int = Field(default=20, ge=1, description="passes over the training set; [I] (inferred) CAGAN")
    batch_size: int = Field(default=32, ge=1, description="samples in one step; [I] CAGAN")
    standardise: Literal["none", "matrix"] = Field(
        default="none",
        description="what scales the images; none: nothing ([I] CAGAN); matrix: one mean and deviation of "
        "the whole matrix, for features that are not CLIP's and large (ours)",
    )
    image_widths: tuple[Width, ...] = Field(
        default=(4096,),
        description="widths of the image encoder's hidden layers; [K] one layer, [I] its width (JDSH-VIT, "
        "CAGAN); the figure draws it as wide as the input",
    )
    text_widths: tuple[Width, ...] = Field(
        default=(4096,),
        description="widths of the text encoder's hidden layers; [K] one layer, [I] its width",
    )
    decoder_widths: tuple[Width, ...] = Field(
        default=(4096,),
        description="widths of the hidden layers of both decoders; none: one linear layer; [K] a decoder for "
        "each modality, [A] its layers",
    )
    image_share: float = Field(
        default=0.5,
        ge=0,
        description="weight of the images' affinity, beta; [K] a key, [I] its value (CAGAN)",
    )
    text_share: float = Field(
        default=0.2,
        ge=0,
        description="weight of the texts' affinity, gamma; [K] a key, [I] its value (CAGAN)",
    )
    joint_share: float = Field(
        default=0.3,
        ge=0,
        description="weight of the second-order affinity, eta; [K] a key, [I] its value (CAGAN); the "
        "authors' last run tried 2, 3 and 4 on MS-COCO",
    )
    second_order: Literal["product", "cosine"] = Field(
        default="product",
        description="S_I S_T with rows of unit length, or cosines between the rows of S_I and S_T; [K] a "
        "product of both, [I] its form (AMTS)",
    )
    text_similarity: Literal["cosine", "binary"] = Field(
        default="cosine",
        description="cosine, or 1 where texts share a word and -1 otherwise; [I] cosine, later binary in "
        "CAGAN",
    )
    scale: float = Field(
        default=1.4, gt=0, description="factor of the whole affinity, mu; [K] a key, [I] its value (CAGAN)"
    )
    intra_weight: float = Field(
        default=0.1, ge=0, description="weight of the losses inside a modality; [K] the loss, [I] its weight"
    )
    cross_weight: float = Field(
        default=1.0, ge=0, description="weight of the loss across modalities; [K] the loss, [A] its weight"
    )
    pair_weight: float = Field(
        default=1.0,
        ge=0,
        description="weight, inside the loss across modalities, of the reward for partners with equal codes; "
        "[I] JDSH, CAGAN",
    )
    reconstruction_weight: float = Field(
        default=1.0, ge=0, description="weight of the autoencoders' losses; [K] the loss, [A] its weight"
    )
    reconstruction_target: Literal["normalised", "raw"] = Field(
        default="normalised",
        description="decoders aim at features of unit length, or at the features as they are; [K] each at "
        "its own modality, [A] unit length",
    )
    learning_rate: float = Field(
        default=0.01, gt=0, description="SGD, of all networks; [K] a key, [I] its value (CAGAN)"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="[I] CAGAN")
    weight_decay: float = Field(default=5e-4, ge=0, description="[I] CAGAN")
    missing: Literal["zero-filled", "left-out"] = Field(
        default="zero-filled",
        description="a missing image or text is a sample of zeros, or takes no part in similarities and "
        "losses unless another row completes it; ours",
    )


#: Options for the data sets of the paper, the same for all: no value is known, [I] at most; and `small`.
PRESETS: Mapping[str, CFRHConfig] = MappingProxyType(
    {
        "mirflickr25k": CFRHConfig(),
        "nuswide-tc10": CFRHConfig(),
        "mscoco": CFRHConfig(),
        "wikipedia": CFRHConfig(),
        "small": CFRHConfig(
            epochs=30,
            learning_rate=0.02,
            standardise="matrix",
            missing="left-out",
            image_widths=(512,),
            text_widths=(512,),
            decoder_widths=(512,),
        ),
    }
)
