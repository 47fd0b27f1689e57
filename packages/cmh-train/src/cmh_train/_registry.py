"""Find methods among the installed packages, and build them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from cmh_train._contract import HashingMethod, MethodConfig, MethodSpec, explain_options
from cmh_train._seeds import BUILD, check_seed, derive_seed, preserve_rng_state, seed_generators

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from cmh_train._contract import DataSpec

GROUP = "cmh.methods"


class UnknownMethodError(ValueError):
    """No installed package offers a method of this name."""


class BrokenMethodError(ValueError):
    """A package announces a method, but it cannot be loaded."""


def available_methods() -> dict[str, MethodSpec]:
    """Load every installed method that can be loaded; see `broken_methods` for the others.

    Returns:
        Specifications by name, in alphabetical order.

    Example:
        >>> all(spec.presets is not None for spec in available_methods().values())
        True
    """
    return {name: spec for name, spec in _load_all().items() if isinstance(spec, MethodSpec)}


def broken_methods() -> dict[str, BrokenMethodError]:
    """Try to load every installed method, and keep the errors of those that cannot be loaded.

    Returns:
        Errors by name, in alphabetical order; the message names the package and the cause.

    Example:
        >>> for name, error in broken_methods().items():
        ...     print(name, error)
    """
    return {name: error for name, error in _load_all().items() if isinstance(error, BrokenMethodError)}


def find_method(name: str) -> MethodSpec:
    """Load one installed method by name or alias; other packages, broken ones too, are left alone.

    Args:
        name: as the package announces it, or one of `MethodSpec.aliases`; in upper or lower case.

    Returns:
        Its specification; its `name` is the one to keep.

    Raises:
        UnknownMethodError: if there is none; the message lists those there are.
        BrokenMethodError: if it cannot be loaded.

    Example:
        >>> find_method("dahd")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cmh_train._registry.UnknownMethodError: there is no method 'dahd'; installed methods: ...
    """
    points = _announced()
    if name in points:
        return _load(points[name])
    for spec in available_methods().values():
        if name.lower() in (spec.name, *spec.aliases):
            return spec
    known = ", ".join(points) or "none; install a package such as cmh-dadh"
    raise UnknownMethodError(f"there is no method {name!r}; installed methods: {known}")


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
        >>> from cmh_train import HashingMethod
        >>> linear = MethodSpec(
        ...     name="linear",
        ...     title="Two linear layers",
        ...     config_type=MethodConfig,
        ...     build=HashingMethod,
        ...     supervised=False,
        ...     presets={"small": {"epochs": 5}},
        ... )
        >>> make_config(linear, preset="small", options={"bits": 32})
        MethodConfig(bits=32, epochs=5, batch_size=128)
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
        raise ValueError(explain_options(spec, error)) from None


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

    Returns:
        The method in training mode, float32.

    Raises:
        ValueError: if options do not fit the method, or a supervised method gets data without labels.
        BrokenMethodError: if the specification's `build` returns something else than a method.

    Example:
        >>> from cmh_train import DataSpec, HashingMethod
        >>> linear = MethodSpec(
        ...     name="linear",
        ...     title="Two linear layers",
        ...     config_type=MethodConfig,
        ...     build=HashingMethod,
        ...     supervised=False,
        ...     presets={"small": {"epochs": 5}},
        ... )
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3)
        >>> build_method(linear, {"bits": 16}, spec, seed=0).bits
        16
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
    with preserve_rng_state(cpu), cpu:  # built there whatever the default device is
        seed_generators(cpu, derive_seed(seed, BUILD))
        built = spec.build(config, data_spec)
    if not isinstance(built, HashingMethod):
        raise BrokenMethodError(
            f"build of method {spec.name!r} must return a HashingMethod, but it returned a "
            f"{type(built).__name__}; correct its package"
        )
    built.data_spec, built.config = data_spec, config
    if not hasattr(built, "bits"):
        built.bits = config.bits
    return built


def method_package(name: str) -> tuple[str, str] | None:
    """Return the package that offers a method, and its version.

    Args:
        name: of the method, no alias.

    Returns:
        Name and version of the package; None: no installed package offers the method.

    Example:
        >>> method_package("nothing of this name")
    """
    for point in _announced().get(name, []):
        if point.dist is not None:
            return point.dist.name, point.dist.version
    return None


def _announced() -> dict[str, list[EntryPoint]]:
    """What packages announce, by name in alphabetical order."""
    points: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        points.setdefault(point.name, []).append(point)
    return points


def _load_all() -> dict[str, MethodSpec | BrokenMethodError]:
    found: dict[str, MethodSpec | BrokenMethodError] = {}
    for name, points in _announced().items():
        try:
            found[name] = _load(points)
        except BrokenMethodError as error:
            found[name] = error
    return found


def _load(points: list[EntryPoint]) -> MethodSpec:
    point, *others = points
    package = _package(point)
    if others:
        packages = ", ".join(sorted(_package(each) for each in points))
        raise BrokenMethodError(
            f"method {point.name!r} is announced by several packages: {packages}; uninstall all but one"
        )
    try:
        spec = point.load()
    except (Exception, SystemExit) as error:
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


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
