"""Databases in shards, as a user gives them: files with codes and labels, or a list of shards in TOML."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from re import split
from typing import TYPE_CHECKING, Annotated

from cmh_metrics import DatabaseShard
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from umml_cli.errors import UserError, describe_validation
from umml_cli.inputs.foreign_codes import split_location

if TYPE_CHECKING:
    from collections.abc import Sequence

ARRAYS = ("codes", "labels", "ids")


class ShardEntry(BaseModel):
    """One shard of a list.

    Args:
        codes: `PATH` or `PATH:KEY`, from the folder of the list.
        labels: likewise.
        ids: likewise, if wanted.
        machine: address of the machine that the files lie on.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    codes: str
    labels: str
    ids: str | None = None
    machine: str | None = None


class ShardList(BaseModel):
    """A file with `[[shard]]` entries.

    Args:
        shard: the shards, in the order of their rows.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    shard: Annotated[list[ShardEntry], Field(min_length=1)]


def read_shards(files: Sequence[str], *, with_ids: bool = False) -> list[DatabaseShard]:
    """Return the shards that files describe; what they hold is read by whoever works on them.

    Args:
        files: each a list of shards in TOML, or an npz or HDF5 file with arrays `codes` and `labels`; a
            pattern with `*` stands for all files that fit, by name, and numbers in it by value.
        with_ids: whether files of arrays hold `ids`, too.

    Returns:
        The shards, in the order of the files.

    Raises:
        UserError: a pattern fits nothing, a list is not as described, or a shard comes twice.
    """
    shards = []
    for given in files:
        for file in _matching(given):
            shards += _listed(file) if file.suffix == ".toml" else [_whole(file, with_ids=with_ids)]
    places = Counter((Path(shard.codes).resolve(), shard.codes_name, shard.machine) for shard in shards)
    (path, *_), n = places.most_common(1)[0]
    if n > 1:
        raise UserError(f"--shards gives {path} {n} times, and so would its rows count; leave one out.")
    return shards


def _matching(given: str) -> list[Path]:
    if not has_magic(given) or Path(given).exists():
        return [Path(given)]
    found = sorted(glob(given), key=_by_number)  # noqa: PTH207 - a pattern may be absolute
    if not found:
        raise UserError(
            f"--shards {given} matches no file; give files that exist, or a list of shards in TOML."
        )
    return [Path(one) for one in found]


def _by_number(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A key that sorts part-2 before part-10: numbers by their value, before other text."""
    parts = split("([0-9]+)", name)
    return [(False, int(one), "") if one.isdecimal() else (True, 0, one) for one in parts], name


def _whole(file: Path, *, with_ids: bool) -> DatabaseShard:
    shard = DatabaseShard(file, file, codes_name="codes", labels_name="labels")
    return replace(shard, ids=file, ids_name="ids") if with_ids else shard


def _listed(file: Path) -> list[DatabaseShard]:
    try:
        found = ShardList.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not TOML: {error}.") from None
    except ValidationError as error:
        known = (*ShardList.model_fields, *ShardEntry.model_fields)
        raise UserError(f"{file}: {describe_validation(error, known)}.") from None
    return [_shard(entry, file.absolute().parent) for entry in found.shard]


def _shard(entry: ShardEntry, folder: Path) -> DatabaseShard:
    options = {"machine": entry.machine}
    for name in ARRAYS:
        location = getattr(entry, name)
        if location is not None:
            options[name], options[f"{name}_name"] = split_location(str(folder / location))
    return DatabaseShard(**options)
