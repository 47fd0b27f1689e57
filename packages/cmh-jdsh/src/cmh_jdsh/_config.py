"""The options of JDSH, each with its source, and the presets."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotation when the class is made
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field

from cmh_jdsh._dsdw import DSDW, MIRFLICKR25K_DSDW, NUSWIDE_TC10_DSDW
from cmh_jdsh._similarity import Variant  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping


class JDSHConfig(TwoNetworkConfig):
    """Options of JDSH; the defaults are those of the authors' program for MIR-Flickr25K.

    "Program" below is the authors' released code of December 2020 unless a date says otherwise.

    Example:
        >>> JDSHConfig(bits=32, text_widths=(512,)).dsdw.maximum
        0.68
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; the authors' program: 16 to 128")
    epochs: int = Field(default=300, ge=1, description="passes over the training set; program")
    batch_size: int = Field(default=32, ge=1, description="samples in one step; program")
    variant: Variant = Field(
        default="umml2022",
        description="umml2022: the program of December 2020, which the UMML paper ran; sigir2020: that of "
        "May 2020, nearest to the paper",
    )
    text_widths: tuple[int, ...] = Field(
        default=(4096,), min_length=1, description="hidden layers of the text net; program"
    )
    image_share: float = Field(
        default=0.5, ge=0, description="alpha: share of the images' similarity in the target; program"
    )
    text_share: float = Field(default=0.1, ge=0, description="beta: share of the texts' similarity; program")
    joint_share: float = Field(
        default=0.4, ge=0, description="lambda: share of the second-order one; program"
    )
    scale: float = Field(default=1.4, gt=0, description="mu: factor of the whole target; program")
    dsdw: DSDW | Literal["estimate"] = Field(
        default=MIRFLICKR25K_DSDW,
        description="constants of the sharpening (program), or 'estimate': fitted to the data in the first "
        "epoch (ours)",
    )
    estimated_weights: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = Field(
        default=(0.1, 0.2),
        description="L1 and L2 where dsdw is 'estimate', which does not fit them; program: (0.1, 0.2) for "
        "MIR-Flickr25K, (0.2, 0.2) for NUS-WIDE",
    )
    intra_weight: float = Field(
        default=0.1, ge=0, description="weight of the losses inside a modality; program"
    )
    image_learning_rate: float = Field(default=0.01, gt=0, description="SGD; program")
    text_learning_rate: float = Field(default=0.01, gt=0, description="SGD; program")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="program")
    weight_decay: float = Field(default=5e-4, ge=0, description="program")
    alexnet_weights: Path | None = Field(
        default=None,
        description="torchvision's AlexNet weights for ImageNet (program); needed when images are pixels",
    )
    pixel_axes: Literal["height-width", "width-height"] = Field(
        default="height-width",
        description="axis order of pixel images; h5py reads MATLAB files as (n, 3, width, height), which the "
        "program transposes back",
    )
    dropout_backbone: bool = Field(
        default=True,
        description="keep AlexNet's dropout on while training, which makes its features, and in variant "
        "umml2022 the target too, noisy; program",
    )


# The authors used NUS-WIDE with 10 labels, the 21-label cut was never fitted; labels play no part, the images
# are mostly the same.
_NUSWIDE = JDSHConfig(image_share=0.4, text_share=0.3, joint_share=0.3, dsdw=NUSWIDE_TC10_DSDW)
_MAY = {"variant": "sigir2020", "scale": 1.47}

#: Named sets of options; "small" is for some thousand rows on a CPU.
PRESETS: Mapping[str, JDSHConfig] = MappingProxyType(
    {
        "mirflickr25k": JDSHConfig(),
        "nuswide-tc10": _NUSWIDE,
        "nuswide-tc21": _NUSWIDE,
        # UMML paper: batches of 128 instead of 32.
        "umml-mirflickr25k": JDSHConfig(batch_size=128),
        "umml-nuswide-tc21": _NUSWIDE.model_copy(update={"batch_size": 128}),
        # The program of May 2020.
        "mirflickr25k-sigir2020": JDSHConfig().model_copy(update=_MAY),
        "nuswide-tc10-sigir2020": _NUSWIDE.model_copy(update={**_MAY, "image_learning_rate": 0.001}),
        "small": JDSHConfig(
            epochs=30,
            batch_size=64,
            image_learning_rate=0.02,
            text_learning_rate=0.02,
            text_widths=(512,),
            standardise="matrix",
            dsdw="estimate",
        ),
    }
)
