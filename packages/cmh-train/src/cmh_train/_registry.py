"""Find methods among the installed packages, and build them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from cmh_train._contract import MethodConfig, MethodSpec
from cmh_train._seeds import BUILD, check_seed, derive_seed, isolated_random, seed_generators

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from cmh_train._contract import DataSpec, HashingMethod

GROUP = "cmh.methods"


class UnknownMethodError(ValueError):
    """No installed package offers a method of this name."""


class BrokenMethodError(ValueError):
    """A package announces a method, but it cannot be loaded."""


def available_methods() -> dict[str, MethodSpec]:
    """Load every installed method, by name in alphabetical order.

    Raises:
        BrokenMethodError: if a package announces a method that cannot be loaded; the message names the
            package.
    """
    return {point.name: _load(point) for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def find_method(name: str) -> MethodSpec:
    """Load one installed method by name; other packages, broken ones too, are left alone.

    Raises:
        UnknownMethodError: if there is none; the message lists those there are.
        BrokenMethodError: if it cannot be loaded.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none; install a package such as cmh-dadh"
        raise UnknownMethodError(f"there is no method {name!r}; installed methods: {known}")
    return _load(points[name])


def make_config(
    method: str | MethodSpec, *, preset: str | None = None, options: Mapping[str, Any] | None = None
) -> MethodConfig:
    """Make the options of a method: its defaults, or a preset, with some options replaced.

    Args:
        method: a name, or a specification.
        preset: one of `MethodSpec.presets`; None: the defaults.
        options: values that replace the preset's.

    Returns:
        An instance of the method's `config_type`.

    Raises:
        ValueError: for an unknown preset or option, or a value out of range; the message names it.

    Example:
        >>> make_config("dadh", preset="small", options={"bits": 32}).bits  # doctest: +SKIP
        32
    """
    spec = find_method(method) if isinstance(method, str) else method
    if preset is not None and preset not in spec.presets:
        known = ", ".join(sorted(spec.presets)) or "none"
        raise ValueError(f"method {spec.name!r} has no preset {preset!r}; presets: {known}")
    # The dumped defaults are left out, so that a validator sees what was really chosen.
    chosen = {} if preset is None else spec.presets[preset].model_dump(exclude_unset=True)
    try:
        return spec.config_type.model_validate({**chosen, **(options or {})})
    except ValidationError as error:
        raise ValueError(_one_sentence(spec, error)) from None


def build_method(
    method: str | MethodSpec,
    config: MethodConfig | Mapping[str, Any] | None,
    data_spec: DataSpec,
    seed: int,
) -> HashingMethod:
    """Build an untrained method; the same seed gives the same weights.

    Torch's own generators, those of GPUs too, stay as they were. The method is on the CPU; `fit` moves it.

    Args:
        method: a name, or a specification.
        config: its options, or a mapping of them; None: the defaults.
        data_spec: the data it will see.
        seed: non-negative.

    Raises:
        ValueError: if options do not fit the method, or a supervised method gets data without labels.
    """
    check_seed(seed)
    spec = find_method(method) if isinstance(method, str) else method
    if not isinstance(config, MethodConfig):
        config = make_config(spec, options=config)
    if not isinstance(config, spec.config_type):
        raise ValueError(  # noqa: TRY004 - bad input is a ValueError everywhere in this project
            f"method {spec.name!r} takes a {spec.config_type.__name__}, not a {type(config).__name__}"
        )
    if spec.supervised and data_spec.n_label == 0:
        raise ValueError(
            f"method {spec.name!r} learns from labels, but the data have none; "
            "give label=... to the data or choose a method that needs none, such as jdsh"
        )
    cpu = torch.device("cpu")
    with isolated_random(cpu), cpu:  # built there whatever the default device is
        seed_generators(cpu, derive_seed(seed, BUILD))
        built = spec.build(config, data_spec)
    built.data_spec, built.config = data_spec, config
    return built


def _load(point: EntryPoint) -> MethodSpec:
    package = point.dist.name if point.dist else "an unknown package"
    try:
        spec = point.load()
    except Exception as error:
        raise BrokenMethodError(
            f"method {point.name!r} of {package} cannot be loaded from {point.value!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(spec, MethodSpec):
        raise BrokenMethodError(
            f"method {point.name!r} of {package}: {point.value!r} is a {type(spec).__name__}, "
            "not a MethodSpec"
        )
    return spec


def _one_sentence(spec: MethodSpec, error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(spec.config_type.model_fields)
        return f"method {spec.name!r} has no option {name!r}; options: {known}"
    if not name:
        return f"method {spec.name!r}: {first['msg']}"
    return f"option {name!r} of method {spec.name!r}: {first['msg']}, not {first['input']!r}"
