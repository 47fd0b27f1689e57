"""Methods and their options as a command names them: `dadh`, `DADH`, `epochs=5`, `dadh.margin=0.4`."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError, did_you_mean
from umml_cli.terms import split_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_data import PairedDataset
    from cmh_train import MethodConfig, MethodSpec
    from pydantic import JsonValue


@cache
def method_version(name: str) -> str:
    """Return the version of the package that provides the method `name`."""
    from cmh_train import method_package  # noqa: PLC0415 - brings torch

    offered_by = method_package(name)
    return offered_by[1] if offered_by else "unknown"


def named_method(name: str) -> MethodSpec:
    """Return the installed method of this name or alias, in upper or lower case.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    from cmh_train import UnknownMethodError, available_methods, find_method  # noqa: PLC0415 - brings torch

    try:
        return find_method(name)
    except UnknownMethodError as error:
        raise UserError(f"{error}{did_you_mean(name.lower(), available_methods())}") from None


def check_labels(method: MethodSpec, dataset: PairedDataset) -> None:
    """Refuse a method that learns from labels where there are none.

    Raises:
        UserError: naming the methods that need none.
    """
    from cmh_train import available_methods  # noqa: PLC0415 - brings torch

    if method.supervised and not dataset.label.shape[1]:
        others = sorted(name for name, spec in available_methods().items() if not spec.supervised)
        raise UserError(
            f"{method.name} learns from labels, but {dataset.name} has none; choose a method that needs none "
            f"(--method {', '.join(others)}), or add an array labels of zeros and ones, a row for each item "
            "and a column for each class."
        )


def named_label(label: str) -> str:
    """Return the label of an installed method: its name, and behind it the database that it is to rank.

    Args:
        label: a name or alias in upper or lower case, `amsh`; or with a database, `amsh-learned`.

    Raises:
        UserError: there is no such method.
    """
    from cmh_train import available_methods  # noqa: PLC0415 - brings torch

    name, database = split_label(label.lower())
    if database and label.lower() not in available_methods():
        spec = named_method(name)
        if "database" not in spec.config_type.model_fields:
            raise UserError(f"{label}: {spec.name} has no option database; leave -{database} out.")
        return f"{spec.name}-{database}"
    return named_method(label).name


def labelled_options(label: str) -> tuple[str, dict[str, JsonValue]]:
    """Turn `amsh-learned` into the method's name and the option that the label stands for."""
    name, database = split_label(named_label(label))
    return name, {"database": database} if database else {}


def method_config(name: str, *, preset: str | None, options: Mapping[str, JsonValue]) -> MethodConfig:
    """Return a method's options: its defaults or a preset, with some replaced.

    Args:
        name: the method.
        preset: one of its option sets.
        options: values that replace the preset's.

    Raises:
        UserError: there is no such preset or option; the message names the nearest.
        ValueError: a value is out of range.
    """
    from cmh_train import make_config  # noqa: PLC0415 - brings torch

    spec = named_method(name)
    if preset is not None and preset not in spec.presets:
        near = did_you_mean(preset, spec.presets)
        raise UserError(
            f"Method {spec.name} has no preset {preset!r}; there are "
            f"{', '.join(spec.presets) or 'none'}{near}"
        )
    fields = spec.config_type.model_fields
    known = {*fields, *(field.alias for field in fields.values() if field.alias is not None)}
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        near = did_you_mean(unknown, known) or f"; there are {', '.join(fields)}."
        raise UserError(f"Method {spec.name} has no option {unknown!r}{near}")
    return make_config(spec, preset=preset, options=options)


def parse_method_options(assignments: list[str]) -> dict[str, dict[str, JsonValue]]:
    """Turn `["epochs=5", "dadh.ridge=0.1"]` into options by method; those of every method under ""."""
    options: dict[str, dict[str, JsonValue]] = {}
    for name, value in parse_options(assignments).items():
        method, _, option = name.rpartition(".")
        options.setdefault(named_method(method).name if method else "", {})[option] = value
    return options


def options_of(assignments: list[str], method: str) -> dict[str, JsonValue]:
    """Turn `["epochs=5", "dadh.margin=0.4"]` into the options of one method.

    Raises:
        UserError: one names another method.
    """
    by_method = parse_method_options(assignments)
    others = [name for name in by_method if name not in {"", method}]
    if others:
        raise UserError(f"--set names the method {', '.join(others)}, but {method} is what is trained.")
    return {**by_method.get("", {}), **by_method.get(method, {})}


def overrides_of(
    assignments: list[str], *, epochs: int | None, bits: list[int] | None
) -> dict[str, dict[str, JsonValue]]:
    """Turn what a grid is given into options by method, as `parse_method_options` does.

    Args:
        assignments: of `--set`.
        epochs: of every method.
        bits: code lengths, which make runs of their own and are no option here.

    Raises:
        UserError: `--set` gives one of the others, too.
    """
    by_method = parse_method_options(assignments)
    for options in by_method.values():
        with_named(options, {"bits": bits or None})
    by_method[""] = with_named(by_method.get("", {}), {"epochs": epochs})
    return by_method


def with_named(chosen: Mapping[str, JsonValue], named: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the options that `--set` chose, and beside them those that have options of their own.

    Args:
        chosen: of `--set`.
        named: option to what `--bits`, `--epochs` or `--method` (database) says; None: nothing.

    Raises:
        UserError: both give one.
    """
    named = {name: value for name, value in named.items() if value is not None}
    for name in named:
        if name in chosen:
            option = "method" if name == "database" else name
            raise UserError(
                f"--{option} and --set give the same option of the method; leave one of them out."
            )
    return {**chosen, **named}


def parse_options(assignments: list[str]) -> dict[str, JsonValue]:
    """Turn `["epochs=5", "layer_widths=64,32"]` into a mapping; a value that is not JSON is text.

    Numbers with commas between them are a list, with or without brackets.
    """
    options: dict[str, JsonValue] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set takes NAME=VALUE, got {assignment!r}.")
        options[name.strip()] = _value(value)
    return options


def _value(text: str) -> JsonValue:
    for candidate in (text, f"[{text}]") if "," in text else (text,):
        try:
            value: JsonValue = json.loads(candidate)
        except ValueError:
            continue
        return value
    return text
