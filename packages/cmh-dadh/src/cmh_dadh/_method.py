"""What the package announces."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cmh_train import DataSpec, HashingMethod, MethodConfig, MethodSpec

from cmh_dadh._config import ICMR2020, MIRFLICKR25K, NUSWIDE_TC21, SMALL, DADHConfig
from cmh_dadh._dadh import DADH
from cmh_dadh._variants import DADH2020, CleanDADH

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIANTS: Mapping[str, type[DADH]] = {"umml2022": DADH, "icmr2020": DADH2020, "clean": CleanDADH}


def _build(config: MethodConfig, data: DataSpec) -> HashingMethod:
    options = cast("DADHConfig", config)
    return _VARIANTS[options.variant](options, data)


METHOD = MethodSpec(
    name="dadh",
    title="Deep Adversarial Discrete Hashing (Bai et al., ICMR 2020)",
    config_type=DADHConfig,
    build=_build,
    supervised=True,
    presets={
        "icmr2020": ICMR2020,
        "mirflickr25k": MIRFLICKR25K,
        "nuswide-tc21": NUSWIDE_TC21,
        "small": SMALL,
    },
)
