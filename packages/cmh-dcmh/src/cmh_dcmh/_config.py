"""The options of DCMH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cmh_train import TwoNetworkConfig
from pydantic import Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping

Width = Annotated[int, Field(ge=1)]

# What the TensorFlow program and its PyTorch port have instead of the defaults below.
_PORT: Mapping[str, Any] = MappingProxyType(
    {"last_learning_rate": 1e-6, "weight_decay": 0.0, "centre_texts": False}
)


class DCMHConfig(TwoNetworkConfig):
    """Options of DCMH; the defaults are those of the authors' MATLAB program.

    "Program" below is the MATLAB program, which the authors recommend. With `variant="port"` the last
    learning rate, the weight decay and the centring of texts default to those of the TensorFlow program and
    of its PyTorch port.

    Example:
        >>> DCMHConfig(variant="port").weight_decay
        0.0
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length; paper: 16, 32, 64")
    epochs: int = Field(
        default=500,
        ge=1,
        description="rounds of text and image steps, over which the rate falls; the authors' program",
    )
    batch_size: int = Field(default=128, ge=1, description="samples in one step; program, port")
    variant: Literal["matlab", "port"] = Field(
        default="matlab",
        description="matlab: the authors' program; port: TensorFlow and PyTorch programs, with random "
        "outputs at the start, codes after each epoch, image steps before text steps, rates that "
        "fall linearly",
    )
    centre_texts: bool = Field(
        default=True,
        description="subtract the mean of the training texts that are present (ours; program: of all texts, "
        "queries too); port: False",
    )
    image_widths: tuple[Width, ...] = Field(
        default=(),
        description="hidden layers between image features and code; program: none, the code's layer alone "
        "follows CNN-F's fc7",
    )
    text_widths: tuple[Width, ...] = Field(
        default=(8192,), description="hidden layers of the text net; program, port"
    )
    initial_deviation: float = Field(
        default=0.01,
        gt=0,
        description="of the normally distributed initial weights and biases; program, port",
    )
    quantisation_weight: float = Field(
        default=1.0, ge=0, description="gamma: weight of the distance to the codes; program, port"
    )
    balance_weight: float = Field(
        default=1.0, ge=0, description="eta: weight of the outputs' sums; program, port"
    )
    learning_rate: float = Field(default=10**-1.5, gt=0, description="SGD, in the first epoch; program, port")
    last_learning_rate: float = Field(
        default=1e-3,
        gt=0,
        description="in the last epoch, reached by equal factors; program; port: 1e-6, linearly",
    )
    weight_decay: float = Field(default=5e-4, ge=0, description="of weights and biases; program; port: 0")

    @model_validator(mode="before")
    @classmethod
    def _fill_constants(cls, given: Any) -> Any:
        """Let the variant alone mean its constants, where nothing else was asked for."""
        if not isinstance(given, dict) or given.get("variant") != "port":
            return given
        return dict(_PORT) | given


#: Options for the data sets of the field, and `small`.
PRESETS: Mapping[str, DCMHConfig] = MappingProxyType(
    {
        "mirflickr25k": DCMHConfig(),
        "nuswide-tc21": DCMHConfig(),
        # The program has constants for neither: those of MIR-Flickr25K.
        "mscoco": DCMHConfig(),
        "wikipedia": DCMHConfig(),
        "small": DCMHConfig(
            variant="port",
            epochs=60,
            batch_size=32,
            standardise="matrix",
            centre_texts=True,
            text_widths=(512,),
            initial_deviation=0.05,
            balance_weight=0.01,
            learning_rate=0.2,
            last_learning_rate=0.02,
        ),
    }
)
