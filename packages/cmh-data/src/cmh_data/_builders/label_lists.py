"""Labels of one item as people write them: lists, lists written as text, names joined by a separator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATORS = (";", "|", "\t", "\n", ",")  # the first one that a column holds is its separator
# What pandas and spreadsheets write for "nothing here"; "none" in small letters may be a word.
MISSING = frozenset(
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
        "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    }
)  # fmt: skip


def is_missing(value: Any) -> bool:
    """Tell whether a cell of a table says that nothing is there: null, NaN, blank, or such a word.

    Args:
        value: the cell.

    Returns:
        True or False.
    """
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return True
    return isinstance(value, str) and value.strip() in MISSING


def label_lists(values: Sequence[Any], *, separator: str | None = None) -> tuple[list[list[str]], str]:
    """Read one column of labels.

    Args:
        values: one cell per item: a list, a number, a name, names joined by a separator, or a list written
            as text such as `['cat', 'dog']`.
        separator: between names; None: the first of `;`, `|`, tab, line end and `,` that the column holds.

    Returns:
        The names of each item, and how they were read in a few words, or "".

    Example:
        >>> label_lists(["cat, dog", "dog", None])[0]
        [['cat', 'dog'], ['dog'], []]
        >>> label_lists(["['cat', 'dog']", "[]"])[0]
        [['cat', 'dog'], []]
    """
    multi_hot = _multi_hot(values)
    if multi_hot is not None:
        return multi_hot, "rows of zeros and ones, one column for each label"
    texts = [value for value in values if isinstance(value, str) and not is_missing(value)]
    plain = [text for text in texts if not _is_written_list(text)]
    how = "lists written as text" if len(plain) < len(texts) else ""
    if separator is None and plain:
        separator = next((one for one in SEPARATORS if any(one in text.strip() for text in plain)), None)
        if separator is not None:
            how = f"names joined by {separator!r}"
    return [_names(value, separator) for value in values], how


def _names(value: Any, separator: str | None) -> list[str]:
    if is_missing(value):
        return []
    if isinstance(value, str):
        if _is_written_list(value):
            return _written_list(value)
        parts: Sequence[Any] = value.split(separator) if separator else [value]
    elif isinstance(value, (list, tuple, set, np.ndarray)):
        parts = list(value)
    else:
        parts = [value]
    return [name for part in parts if not is_missing(part) and (name := _name(part))]


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of whole numbers with gaps is stored as floats
    return str(value).strip()


def _is_written_list(text: str) -> bool:
    text = text.strip()
    return len(text) > 1 and (text[0], text[-1]) in {("[", "]"), ("(", ")"), ("{", "}")}


def _written_list(text: str) -> list[str]:
    inside = text.strip()[1:-1]
    quoted = re.findall(r"\"([^\"]*)\"|'([^']*)'", inside)
    if quoted:
        parts = [double or single for double, single in quoted]
    elif "," in inside:
        parts = inside.split(",")
    else:
        words = inside.split()
        parts = words if all(re.fullmatch(r"-?\d+\.?", word) for word in words) else [inside]
    return [part.strip() for part in parts if not is_missing(part)]


def _multi_hot(values: Sequence[Any]) -> list[list[str]] | None:
    """Rows of zeros and ones, all of one length, in which some number stands twice."""
    first = next(iter(values), None)
    if not isinstance(first, (list, tuple)) or len(first) < 2:
        return None
    rows = [value if isinstance(value, (list, tuple)) else () for value in values]
    if any(
        len(row) != len(first) or any(one not in (0, 1) or isinstance(one, str) for one in row)
        for row in rows
    ):
        return None
    if all(len(set(row)) == len(row) for row in rows):
        return None
    digits = len(str(len(first) - 1))
    return [[f"{column:0{digits}d}" for column, one in enumerate(row) if one] for row in rows]
