"""The items of a folder as its tables say them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cmh_data._builders import tables
from cmh_data._builders.item_rows import ItemRows
from cmh_data._builders.label_lists import is_missing
from cmh_data._errors import DataError, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_data._builders.archive import Archive


def read_tables(
    archive: Archive,
    names: Sequence[str],
    *,
    columns: Mapping[str, str] | None,
    separator: str | None,
    encoding: str | None,
) -> ItemRows:
    """Read the rows of one table, of several with the same columns, or of one of images and one of texts.

    Args:
        archive: where the tables lie.
        names: their paths there, at least one.
        columns: which column is which; of several tables, each takes those that it has.
        separator: of CSV files; None: found.
        encoding: of CSV and JSONL files; None: found.

    Returns:
        The rows of the tables one after the other.

    Raises:
        DataError: a table cannot be read or is not right, or several tables do not go together.
    """
    found = {name: _columns(archive, name, separator, encoding) for name in names}
    stated = dict(columns or {})
    absent = [one for one in stated.values() if not any(one in present for present in found.values())]
    if absent and len(found) > 1:
        listed = "; ".join(f"{name} has {shorten(present, 20)}" for name, present in found.items())
        raise DataError(f"no table of {archive.source} has a column {absent[0]!r}: {listed}.")
    roles = {
        name: tables.find_columns(
            present, name, {role: one for role, one in stated.items() if one in present or len(found) == 1}
        )
        for name, present in found.items()
    }
    if len(names) > 1 and not _go_together(list(roles.values())):
        raise DataError(
            f"{archive.source} must hold one table, several with the same columns, or one of images and one "
            f"of texts, but holds {shorten(names)}; put the columns of each item into one table."
        )
    where = names[0] if len(names) == 1 else f"{len(names)} tables"
    rows = ItemRows(where, "; ".join(_said(name, roles[name], found[name]) for name in names))
    for name in names:
        records = tables.records(archive, name, separator=separator, encoding=encoding)
        for number, record in enumerate(records, start=1):
            cells = {role: record.get(column) for role, column in roles[name].items()}
            image = _image_path(name, cells.get("image"))
            rows.add(
                archive.source,
                item=image or f"{name}#{number}",
                image=image,
                text=text_of(cells.get("text")),
                labels=cells.get("labels"),
                side="" if is_missing(cells.get("split")) else str(cells["split"]).strip(),
            )
    return rows


def text_of(value: Any) -> str:
    """The text of a cell; several captions of one image are joined, and what says "nothing" is ""."""
    if isinstance(value, (list, tuple)):
        return " ".join(text for one in value if (text := text_of(one)))
    return "" if is_missing(value) else str(value).strip()


def _columns(archive: Archive, name: str, separator: str | None, encoding: str | None) -> list[str]:
    found: dict[str, None] = {}
    for record in tables.records(archive, name, separator=separator, encoding=encoding):
        found.update(dict.fromkeys(map(str, record)))
    if not found:
        raise DataError(f"{archive.source}: {name} holds no row.")
    return list(found)


def _go_together(roles: Sequence[Mapping[str, str]]) -> bool:
    """Tables in parts have the same columns; otherwise no two may say the same of an item."""
    sides = [{"image", "text"} & set(one) for one in roles]
    return all(one == roles[0] for one in roles) or (len(roles) == 2 and not sides[0] & sides[1])


def _said(name: str, roles: Mapping[str, str], found: Sequence[str]) -> str:
    unread = [column for column in found if column not in roles.values()]
    said = ", ".join(role if role == column else f"{role} from {column}" for role, column in roles.items())
    return f"table {name}: {said}" + (f"; not read: {shorten(unread)}" if unread else "")


def _image_path(table: str, value: Any) -> str:
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        if isinstance(value, (int, float)):
            return str(int(value)) if float(value).is_integer() else str(value)
        raise DataError(
            f"{table}: image must be the path of a picture in the folder, but a row holds a "
            f"{type(value).__name__}; save the pictures as files and name them."
        )
    if re.match(r"(https?|ftp|s3|gs)://", value.strip(), re.IGNORECASE):
        raise DataError(
            f"{table}: image must be the path of a picture in the folder, but a row holds the address "
            f"{value.strip()[:80]}; fetch the pictures first, nothing is downloaded here."
        )
    return value.strip()
