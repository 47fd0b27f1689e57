"""The known layouts, most particular first, and what all share: split, names, presence, what is unread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cmh_files import KEY_NAMES, Variable, shorten

from cmh_data._errors import DataError, MissingPartsError
from cmh_data._layouts.captions import captions
from cmh_data._layouts.names import add_names
from cmh_data._layouts.presence import read_presence
from cmh_data._layouts.roph import roph
from cmh_data._layouts.rows_first import describe
from cmh_data._layouts.sides import sides
from cmh_data._layouts.six_tables import six_tables
from cmh_data._layouts.sparse_keys import join_sparse
from cmh_data._layouts.splits import read_split
from cmh_data._layouts.tables import read_own, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_data._layouts.options import ReadOptions
    from cmh_data._layouts.raw import RawData

    Layout = Callable[[Path, Mapping[str, Variable], ReadOptions], RawData | None]

# To add a layout: a file with one function, its test, its place here, and its miniature in
# tools/describe_layouts.py.
LAYOUTS: tuple[Layout, ...] = (roph, six_tables, sides, captions, tables)


def recognise(
    path: Path, found: list[Variable], options: ReadOptions, attributes: Mapping[str, Any] | None = None
) -> RawData:
    """Read variables by the first layout that knows them.

    Args:
        path: the file or folder.
        found: its variables.
        options: what the user says.
        attributes: the file's own attributes.

    Returns:
        The parts. Whatever was not read is named in the notes.

    Raises:
        MissingPartsError: no layout knows them; the message lists what was found and what was expected.
        DataError: a layout knows them, and something is wrong.
    """
    read: set[str] = set()
    notes: list[str] = []
    by_key: dict[str, Variable] = {}
    for variable in found:
        by_key.setdefault(variable.key, _watched(variable, read))
    joined = join_sparse(by_key, notes)
    for key, variable in joined.items():
        if key not in by_key:
            joined[key] = _watched(variable, read)
    try:
        raw = _first_layout(path, joined, options, attributes or {})
    except DataError as error:
        if str(error).startswith(str(path)):
            raise
        raise DataError(f"{path}: {error}") from error
    if raw is None:
        roles = "; ".join(f"{role}: {', '.join(names)}" for role, names in KEY_NAMES.items())
        raise MissingPartsError(
            f"{path} fits no known layout: found {describe(found)}; expected keys such as {roles}."
        )
    raw.notes[:0] = notes
    raw.attributes = dict(attributes or {})
    raw.keys = tuple(str(variable) for variable in joined.values())
    n = next((part.shape[0] for part in raw.parts.values()), 0)
    if raw.train is None and raw.query is None and raw.retrieval is None:
        read_split(raw, joined, n, first_row=options.first_row)
    add_names(raw, joined)
    read_presence(raw, joined)
    read |= set(raw.chosen.values())
    unread = sorted(key for key in joined if key not in read)
    if unread:
        raw.notes.append(f"not read: {shorten(unread)}.")
    for part, name in raw.chosen.items():
        raw.chosen[part] = f"{name} {joined[name].shape} {joined[name].dtype}" if name in joined else name
    return raw


def _first_layout(
    path: Path, found: Mapping[str, Variable], options: ReadOptions, attributes: Mapping[str, Any]
) -> RawData | None:
    if attributes.get("format") == "cmh-data":
        return read_own(path, found)
    for layout in LAYOUTS:
        raw = layout(path, found, options)
        if raw is not None:
            return raw
    return None


def _watched(variable: Variable, read: set[str]) -> Variable:
    """The same variable, whose reading is noted."""

    def watch() -> NDArray[Any]:
        read.add(variable.key)
        return variable.read()

    return replace(variable, read=watch)
