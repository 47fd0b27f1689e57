"""The options of AGAH, each with its source, and the presets."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotation when the class is made
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cmh_train import MethodConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class AGAHConfig(MethodConfig):
    """Options of AGAH; the defaults are those of the authors' program, for MIR-Flickr25K and NUS-WIDE alike.

    "Program" below is the authors' released code; the published paper states only some of these values.

    Example:
        >>> AGAHConfig(bits=32, text_widths=(512,)).feature_width
        512
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; the authors' program: 64")
    epochs: int = Field(default=300, ge=1, description="passes over the training set; program")
    batch_size: int = Field(default=128, ge=1, description="samples in one step; program")
    feature_width: int = Field(default=512, ge=1, description="width of the common features; program")
    text_widths: tuple[int, ...] = Field(
        default=(8192, 4096), description="widths of the hidden layers of the text net; program"
    )
    discriminator_widths: tuple[int, int] = Field(
        default=(512, 256), description="widths of the hidden layers of both discriminators; program"
    )
    normalise: Literal["batch", "row"] = Field(
        default="batch",
        description="divide features by the Frobenius norm of the whole batch (program) or row by row",
    )
    encode_norm: Literal["batch", "training"] = Field(
        default="batch",
        description=(
            "what divides features when encoding, where normalise is 'batch': the norm of every batch_size "
            "rows in order (program), or the running mean of the training batches' norms, so that a code "
            "depends on its own sample alone (ours)"
        ),
    )
    attention_temperature: float = Field(
        default=5.0, gt=0, description="factor inside the sigmoid of the attention; program"
    )
    memory_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="share of the label memory in the attended feature; program: 1 - 0.8",
    )
    margin: float = Field(default=0.3, ge=0, description="margin of the triplet losses; program")
    cosine_quantisation_weight: float = Field(
        default=1.0, ge=0, description="alpha: weight of this loss; program"
    )
    classification_weight: float = Field(
        default=0.0, ge=0, description="beta: weight of this loss; program: off"
    )
    label_code_weight: float = Field(default=0.001, ge=0, description="gamma: weight of this loss; program")
    quantisation_weight: float = Field(default=1.0, ge=0, description="eta: weight of this loss; program")
    adversarial_weight: float = Field(default=1.0, ge=0, description="mu: weight of this loss; program")
    gradient_penalty_weight: float = Field(
        default=10.0, ge=0, description="weight inside the discriminators' losses; program"
    )
    image_learning_rate: float = Field(default=1e-4, gt=0, description="Adamax, whole image net; program")
    learning_rate: float = Field(default=1e-3, gt=0, description="Adamax, text net and heads; program")
    weight_decay: float = Field(
        default=5e-4, ge=0, description="Adamax, of image net, text net and heads; program"
    )
    discriminator_learning_rate: float = Field(default=1e-3, gt=0, description="Adamax; program")
    discriminator_betas: tuple[float, float] = Field(
        default=(0.5, 0.9), description="of the discriminators' Adamax; program"
    )
    discriminator_weight_decay: float = Field(default=1e-4, ge=0, description="program")
    learning_rate_factor: float = Field(
        default=0.6, gt=0, le=1, description="of the first two learning rates at every decay; program"
    )
    decay_every: int = Field(
        default=100, ge=1, description="epochs between decays, the first after epoch 0; program"
    )
    smallest_learning_rate: float = Field(default=1e-6, ge=0, description="floor of the decay; program")
    cnnf_weights: Path | None = Field(
        default=None, description="the file imagenet-vgg-f.mat (program); needed when images are pixels"
    )
    pixel_axes: Literal["height-width", "width-height"] = Field(
        default="height-width",
        description="axis order of pixel images; h5py reads MATLAB files as (n, 3, width, height), which the "
        "program takes as they are",
    )


# The authors use one set of values for both data sets; only the widths of the inputs differ, which the data
# tell.
#: Named sets of options; "small" is for some thousand rows on a CPU.
PRESETS: Mapping[str, AGAHConfig] = MappingProxyType(
    {
        "mirflickr25k": AGAHConfig(),
        "nuswide-tc21": AGAHConfig(),
        # UMML paper: 20 epochs instead of 300, evaluated once at the end.
        "umml-mirflickr25k": AGAHConfig(epochs=20),
        "umml-nuswide-tc21": AGAHConfig(epochs=20),
        # Ours, for some thousand rows on a CPU. Smaller discriminators leave more of the step to the other
        # losses and of the time to the trunks; larger steps make up for fewer of them.
        "small": AGAHConfig(
            epochs=40,
            text_widths=(512,),
            discriminator_widths=(32, 16),
            image_learning_rate=1e-3,
            learning_rate=2e-3,
        ),
    }
)
