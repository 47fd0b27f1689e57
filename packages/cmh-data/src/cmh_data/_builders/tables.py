"""Tables of one's own items: CSV of any separator, JSONL and Parquet, read row by row."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from cmh_data._errors import DataError, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cmh_data._builders.archive import Archive

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
SEPARATORS = (",", ";", "\t", "|")
LONGEST_LINE = 16 << 20  # characters
LARGEST_PARQUET = 2 << 30  # bytes
# What people call the columns, in order of preference.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "image": (
        "image", "images", "image_path", "img", "img_path", "picture", "photo", "filename", "file_name",
        "file", "path", "filepath", "image_name",
    ),
    "text": ("text", "caption", "captions", "texts", "description", "sentence", "sentences", "title"),
    "labels": ("labels", "label", "category", "categories", "classes", "class", "tags", "keywords"),
    "split": ("split", "set", "subset", "part"),
}  # fmt: skip


def records(
    archive: Archive, name: str, *, separator: str | None = None, encoding: str | None = None
) -> Iterator[dict[str, Any]]:
    """Read a table row by row; only one row, of Parquet one batch, is held at a time.

    Args:
        archive: where the table lies.
        name: its path there; the ending decides how it is read.
        separator: of a CSV file; None: the one of `,`, `;`, tab and `|` that its first line has most of.
        encoding: of a CSV or JSONL file; None: UTF-8, or UTF-16 with a byte order mark.

    Yields:
        The cells of each row by the names of the columns.

    Raises:
        DataError: the table cannot be read; the message says where and why.
    """
    encoding = encoding or _encoding(archive, name)
    try:
        if name.lower().endswith(".parquet"):
            yield from _parquet(archive, name)
        elif name.lower().endswith(".jsonl"):
            yield from _jsonl(archive, name, encoding)
        else:
            yield from _csv(archive, name, encoding, separator)
    except UnicodeError as error:
        raise DataError(
            f"{archive.source}: {name} is not encoded as {encoding} ({error}); save it as UTF-8, "
            "or name its encoding (encoding=, --encoding), such as cp1252."
        ) from error
    except LookupError as error:
        raise DataError(f"{archive.source}: {error}; name the encoding of {name}, such as utf-8.") from error


def find_columns(
    found: Sequence[str], table: str, columns: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Say which column is image, text, labels and split.

    Args:
        found: the columns of the table, in order.
        table: its name, for messages.
        columns: what the user says: from "image", "text", "labels" or "split" to a column.

    Returns:
        From each of these four that is there to its column.

    Raises:
        DataError: a column that the user names is not there, or neither image nor text is.
    """
    columns = dict(columns or {})
    unknown = sorted(set(columns) - set(COLUMN_NAMES))
    if unknown:
        raise DataError(f"columns must name image, text, labels or split, but they name {unknown[0]!r}.")
    absent = [column for column in columns.values() if column not in found]
    if absent:
        raise DataError(f"{table} has no column {absent[0]!r}; its columns are {shorten(found, 20)}.")
    for role, column in recognised(found).items():
        if role not in columns and column not in columns.values():
            columns[role] = column
    if not {"image", "text"} & set(columns):
        raise DataError(
            f"{table} has the columns {shorten(found, 20)}, and none is known as image or text; say which "
            "they are, for example --columns image=filename,text=caption,labels=tags "
            "(columns={'image': 'filename', ...})."
        )
    return columns


def recognised(found: Iterable[str]) -> dict[str, str]:
    """Say which columns have a name that people give to image, text, labels or split."""
    lowered = {column.strip().lower(): column for column in reversed(list(found))}
    chosen = {
        role: next((lowered[name] for name in names if name in lowered), None)
        for role, names in COLUMN_NAMES.items()
    }
    return {role: column for role, column in chosen.items() if column is not None}


def _encoding(archive: Archive, name: str) -> str:
    head = archive.head(name, 4)
    return "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def _csv(archive: Archive, name: str, encoding: str, separator: str | None) -> Iterator[dict[str, Any]]:
    lines = archive.text_lines(name, encoding=encoding, longest=LONGEST_LINE)
    first = next(lines, "")
    if separator is None:
        counts = {one: len(next(csv.reader([first], delimiter=one), [])) for one in SEPARATORS}
        separator = max(SEPARATORS, key=lambda one: counts[one])
    if len(separator) != 1:
        raise DataError(f"the separator must be one character, but it is {separator!r}.")

    def all_lines() -> Iterator[str]:
        yield first
        yield from lines

    try:
        reader = csv.reader(all_lines(), delimiter=separator)
        header = [column.strip() for column in next(reader, [])]
        if len(set(header)) < len(header):
            raise DataError(f"{archive.source}: {name} has two columns of one name: {shorten(header, 20)}.")
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) > len(header) and any(cells[len(header) :]):
                raise DataError(
                    f"{archive.source}: line {reader.line_num} of {name} has {len(cells)} cells, "
                    f"but there are {len(header)} columns: {shorten(header)}; "
                    f"put texts that hold {separator!r} in quotes."
                )
            yield dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise DataError(f"{archive.source}: {name} cannot be read ({error}).") from error


def _jsonl(archive: Archive, name: str, encoding: str) -> Iterator[dict[str, Any]]:
    lines = archive.text_lines(name, encoding=encoding, longest=LONGEST_LINE)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{archive.source}: {name} cannot be read: line {number} is not JSON ({error})."
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{archive.source}: line {number} of {name} must be a JSON object, "
                f"but it is a {type(record).__name__}."
            )
        yield record


def _parquet(archive: Archive, name: str) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: install cmh-data[parquet].") from error
    try:
        table = parquet.ParquetFile(io.BytesIO(archive.read(name, largest=LARGEST_PARQUET)))
        for batch in table.iter_batches(batch_size=4096):
            yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError, TypeError, MemoryError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{archive.source}: {name} cannot be read as a Parquet file ({reason}).") from error
