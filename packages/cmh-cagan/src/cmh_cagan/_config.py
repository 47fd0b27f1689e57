"""The options of CAGAN, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

Width = Annotated[int, Field(ge=1)]


class CAGANConfig(TwoNetworkConfig):
    """Options of CAGAN; the defaults are those of the authors' program for MIR-Flickr25K.

    "Program" below is the authors' released code, "figure" the drawing of the method in their papers.

    Example:
        >>> CAGANConfig(bits=32).batch_size
        32
    """

    bits: int = Field(
        default=128, ge=8, le=512, description="code length; the authors' program, papers: 16 to 128"
    )
    epochs: int = Field(default=20, ge=1, description="passes over the training set; program")
    batch_size: int = Field(
        default=32,
        ge=1,
        description="samples in one step and size of the learned adjacency; program",
    )
    image_widths: tuple[Width, ...] = Field(
        default=(4096,), description="widths of the image network's hidden layers; program"
    )
    text_widths: tuple[Width, ...] = Field(
        default=(4096,), description="widths of the text network's hidden layers; program"
    )
    graph_widths: tuple[Width, ...] = Field(
        default=(2048, 1024), min_length=1, description="widths of the graph networks' layers; program"
    )
    image_share: float = Field(
        default=0.5, ge=0, description="weight of the images' similarity, eta; program"
    )
    text_share: float = Field(default=0.2, ge=0, description="weight of the texts' similarity, beta; program")
    joint_share: float = Field(
        default=0.3, ge=0, description="weight of the second-order one, lambda; program"
    )
    scale: float = Field(default=1.4, gt=0, description="factor of the whole target, mu; program")
    text_similarity: Literal["binary", "cosine"] | None = Field(
        default=None,
        description="binary: 1 where texts share a word and -1 otherwise (program); cosine (figure); None: "
        "binary, but cosine where training texts have negative entries (ours)",
    )
    similarity_enhancement: bool = Field(
        default=False,
        description="spread the similarities away from their mean (figure; switched off in the program)",
    )
    attention: Literal["additive", "multiplicative"] = Field(
        default="additive",
        description="how the learned matrix W enters the adjacency: S + g W (program) or S + g S W, entry by "
        "entry (our reading of the figure)",
    )
    attention_weight: float = Field(
        default=0.45, ge=0, description="weight of the learned matrix, gamma; program"
    )
    text_graph_code: bool = Field(
        default=False,
        description="compare text codes with the texts' graph codes (figure), not with the images' (program)",
    )
    intra_weight: float = Field(
        default=0.1, ge=0, description="weight of the losses inside a modality, delta; program"
    )
    cross_weight: float = Field(
        default=1.0,
        ge=0,
        description="weight of the losses across modalities and of the graph codes', epsilon; program",
    )
    graph_weight: float = Field(
        default=0.15, ge=0, description="weight of graph codes against codes, phi; program"
    )
    learning_rate: float = Field(default=0.01, gt=0, description="SGD, of all networks; program")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="program")
    weight_decay: float = Field(default=5e-4, ge=0, description="program")
    missing: Literal["zero-filled", "left-out"] = Field(
        default="zero-filled",
        description="a missing image or text is a sample of zeros (what the program does with such data), or "
        "takes no part in similarities and losses unless another row completes it (ours)",
    )


#: Options for the data sets of the papers, and `small`.
PRESETS: Mapping[str, CAGANConfig] = MappingProxyType(
    {
        "mirflickr25k": CAGANConfig(),
        "nuswide-tc10": CAGANConfig(graph_weight=0.25, attention_weight=0.5),
        "mscoco": CAGANConfig(),
        # The program has no constants for Wikipedia and cannot evaluate it: those of MIR-Flickr25K.
        "wikipedia": CAGANConfig(),
        "small": CAGANConfig(
            bits=64,
            epochs=30,
            learning_rate=0.02,
            standardise="matrix",
            missing="left-out",
            image_widths=(512,),
            text_widths=(512,),
            graph_widths=(256, 128),
        ),
    }
)
