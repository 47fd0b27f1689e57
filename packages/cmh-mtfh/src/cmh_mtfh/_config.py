"""The options of MTFH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cmh_train import KernelHashingConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class MTFHConfig(KernelHashingConfig):
    """Options of MTFH; the defaults are those of the authors' program, but for `database`.

    Example:
        >>> MTFHConfig(bits=32, text_bits=16).anchors
        500
    """

    bits: int = Field(
        default=64, ge=8, le=512, description="q1: code length of the images; the authors' program: 16 to 128"
    )
    text_bits: int | None = Field(
        default=None, ge=8, le=512, description="q2: code length of the texts; None: that of the images"
    )
    epochs: int = Field(
        default=50,
        ge=1,
        description="rounds at most; the program stops by smallest_fall alone, and so do most runs here",
    )
    image_share: float = Field(
        default=0.5, ge=0, le=1, description="alpha: weight of the images' code space; program"
    )
    mapping_weight: float = Field(
        default=0.1, ge=0, description="beta: codes map from one space into the other; program"
    )
    mapping_ridge: float = Field(default=0.1, gt=0, description="ridge of H1 and H2; program")
    sweep: Literal["prefix", "permutation"] = Field(
        default="prefix",
        description="bits that a sweep visits; prefix: the first r, r drawn for every sweep (program, "
        "presumably a mistake); permutation: all of them in a random order (as the paper describes it)",
    )
    text_mapping: Literal["H1", "H2"] = Field(
        default="H2",
        description="mapping in the step of the texts' codes; H2: program; H1: what the objective says",
    )
    smallest_fall: float = Field(
        default=1.0, ge=0, description="rounds end when the objective falls by less; program"
    )
    logistic_ridge: float = Field(
        default=0.01, gt=0, description="ridge of the hash functions' logistic regression; program"
    )
    logistic_iterations: int = Field(
        default=300, ge=1, description="L-BFGS iterations of the hash functions at most (ours)"
    )


#: Named sets of options; the program is for Wikipedia, its constants serve all data.
PRESETS: Mapping[str, MTFHConfig] = MappingProxyType(
    {name: MTFHConfig() for name in ("wikipedia", "mirflickr25k", "nuswide-tc10", "nuswide-tc21", "small")}
)
