"""The options of AMSH, each with its source, and the presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cmh_train import KernelHashingConfig
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class AMSHConfig(KernelHashingConfig):
    """Options of AMSH; the defaults are those of the authors' program, but for `database`.

    Example:
        >>> AMSHConfig(bits=32, database="learned").anchors
        1500
    """

    bits: int = Field(default=64, ge=8, le=512, description="code length k; the authors' program: 8 to 128")
    epochs: int = Field(default=15, ge=1, description="rounds over the training set; program")
    anchors: int = Field(
        default=1500,
        ge=1,
        description="anchor rows of each kernel, or all rows where there are fewer; program",
    )
    anchor_rows: Literal["same", "independent"] = Field(
        default="same",
        description="same: both modalities take the first of one random order of the rows, each those that "
        "it has (program, which seeds its generator again); independent: each modality draws its own (ours)",
    )
    start_rows: int = Field(
        default=1000,
        ge=2,
        description="rows whose principal components are the start, or all where there are fewer; program, "
        "which fails with fewer",
    )
    intra_weight: float = Field(
        default=1e-3, ge=0, description="lambda: codes follow labels within a modality; program"
    )
    cross_weight: float = Field(
        default=1e-3, ge=0, description="beta: codes of both modalities follow their labels; program"
    )
    quantisation_weight: float = Field(
        default=1.0, gt=0, description="eta: codes follow their real-valued factors; program"
    )
    hash_rounds: int = Field(default=15, ge=1, description="rounds of the hash functions; program")
    hash_ridge: float = Field(
        default=0.01, gt=0, description="ridge of the hash functions' regression; program"
    )


#: Named sets of options; the program has the same for every data set.
PRESETS: Mapping[str, AMSHConfig] = MappingProxyType(
    {name: AMSHConfig() for name in ("mirflickr25k", "nuswide-tc10", "nuswide-tc21", "wikipedia", "small")}
)
