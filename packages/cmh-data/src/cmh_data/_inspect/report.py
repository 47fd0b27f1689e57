"""`inspect`: what a file holds, told in a second, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cmh_files import container
from pydantic import BaseModel, ConfigDict

from cmh_data._dataset.alignment import LARGEST_ALIGNED, LEAST_ROWS
from cmh_data._dataset.assemble import check_labels, check_split
from cmh_data._dataset.dataset import row_blocks
from cmh_data._dataset.quality import (
    alignments,
    count_constant,
    count_empty,
    count_repeated,
    not_aligned,
    without_relevant,
)
from cmh_data._errors import DataError
from cmh_data._layouts.from_raw import from_raw
from cmh_data._layouts.known import identify
from cmh_data._layouts.options import ReadOptions
from cmh_data._layouts.presence import mark_missing
from cmh_data._layouts.read import read_raw
from cmh_data._sample import sample_file

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray, Split
    from cmh_data._layouts.presence import Missing
    from cmh_data._layouts.raw import RawData

CONTAINERS = {
    "mat5": "MATLAB 5",
    "hdf5": "HDF5 (MATLAB 7.3 or other)",
    "npz": "npz",
    "npy": "npy",
    "text": "text",
    "unknown": "unknown",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartReport(_Frozen):
    """One part of the data: where it stands, its shape, and what its values look like.

    Args:
        source: key, stored shape and dtype.
        shape: rows first.
        dtype: as given by `load`.
        minimum: smallest value, None for pixels, which stay on disk.
        maximum: largest value, likewise.
        missing_rows: rows that have no image or no text, as the file says or the user.
        empty_rows: other rows that are all zero, likewise.
        constant_columns: columns with one value only, likewise.
        bad_rows: rows with NaN or infinity, likewise.
        repeated_rows: rows equal to an earlier row, likewise.
        repeated_across: query rows whose values also stand in a training row, likewise.
    """

    source: str
    shape: tuple[int, ...]
    dtype: str
    minimum: float | None = None
    maximum: float | None = None
    missing_rows: int = 0
    empty_rows: int | None = None
    constant_columns: int | None = None
    bad_rows: int | None = None
    repeated_rows: int | None = None
    repeated_across: int | None = None


class LabelReport(_Frozen):
    """How labels are distributed.

    Args:
        names: of the columns, numbers where the file has none.
        counts: rows with each label.
        per_row: smallest, mean and largest number of labels in a row.
        unlabelled_rows: rows without a label.
        unused_columns: labels that no row has.
        co_occurrence: `(n_label, n_label)` rows that have both labels.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    per_row: tuple[float, float, float]
    unlabelled_rows: int
    unused_columns: int
    co_occurrence: tuple[tuple[int, ...], ...]


class TagReport(_Frozen):
    """How words are distributed, where text is a bag of words.

    Args:
        per_row: smallest, mean and largest number of different words in a row.
        frequency: smallest, median and largest number of rows with a word.
        most_frequent: the most frequent words with their counts.
    """

    per_row: tuple[float, float, float]
    frequency: tuple[float, float, float]
    most_frequent: tuple[tuple[str, int], ...]


class FileReport(_Frozen):
    """Everything that `inspect` found.

    Args:
        path: what was inspected.
        containers: the containers of the files, by their bytes.
        layout: the layout in one line.
        rows: number of items, None where the parts disagree.
        parts: image, text, labels, as far as they are there.
        label: label statistics.
        tags: word statistics.
        split: sizes of train, query and retrieval set.
        split_digest: SHA-256 over the split.
        alignment: p-values of "the rows of these two parts are aligned"; small is aligned.
        known_as: the published data set this is, with the evidence.
        known_key: its short name.
        digest: SHA-256 of the whole data set, where it is complete and in memory.
        simulated: whether the data is simulated.
        notes: what was turned, expanded or left out.
        problems: what is wrong or suspicious, one sentence each.

    Example:
        >>> report = inspect("emoji")
        >>> report.rows, report.parts["text"].shape, report.split["query"]
        (1876, (1876, 615), 300)
    """

    path: str
    containers: tuple[str, ...]
    layout: str
    rows: int | None
    parts: dict[str, PartReport]
    label: LabelReport | None = None
    tags: TagReport | None = None
    split: dict[str, int] = {}
    split_digest: str | None = None
    alignment: dict[str, float] = {}
    known_as: str
    known_key: str | None = None
    digest: str | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the whole report as JSON.

        Returns:
            One object, indented, with the fields of this class.
        """
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return the report as a table of plain text.

        Returns:
            A line for each thing that was found.
        """
        lines = [("file", self.path), ("container", ", ".join(self.containers)), ("layout", self.layout)]
        if self.simulated:
            lines.append(("SIMULATED", "numbers drawn at random, not a real data set"))
        lines += [
            ("known as", self.known_as),
            ("rows", "parts disagree" if self.rows is None else f"{self.rows}"),
        ]
        lines += [(name, _part_line(part)) for name, part in self.parts.items()]
        if self.label:
            lines.append(("label use", _label_line(self.label)))
            lines.append(("pairs of labels", _pair_line(self.label)))
        if self.tags:
            lines.append(("words", _tag_line(self.tags)))
        split = ", ".join(f"{name} {count}" for name, count in self.split.items()) or "none in the file"
        lines.append(("split", split))
        if self.alignment:
            tests = ", ".join(f"{pair} p = {p:.3f}" for pair, p in self.alignment.items())
            lines.append(("rows aligned", tests))
        lines.append(("digest", self.digest or "none: not a complete data set in memory"))
        lines += [("note", note) for note in self.notes]
        lines += [("problem", problem) for problem in self.problems] or [("problems", "none found")]
        return "\n".join(f"{name:<16} {value}" for name, value in lines)


@np.errstate(all="ignore")  # damaged files hold numbers that NumPy warns of
def inspect(
    path_or_name: str | os.PathLike[str],
    *,
    n_rows: int | None = None,
    pixel_axes: str = "auto",
    views: str = "IT",
    missing: Missing = "stated",
    first_row: int | None = None,
) -> FileReport:
    """Say what a file or folder holds, whichever of the field's layouts it has, complete or not.

    Args:
        path_or_name: a file, or a folder with the few files of one data set, or "emoji" for the built-in one.
        n_rows: as for `load`.
        pixel_axes: as for `load`.
        views: as for `load`.
        missing: as for `load`.
        first_row: as for `load`.

    Returns:
        The report; `to_text()` is for people, `to_json()` for programs. What is wrong stands in `problems`.

    Raises:
        DataError: nothing there, damaged, or no known layout.

    Example:
        >>> inspect("emoji").problems
        ()
    """
    options = ReadOptions(n_rows=n_rows, pixel_axes=pixel_axes, views=views, first_row=first_row)
    if path_or_name == "emoji":
        with sample_file() as path:
            return _report(path, options, missing)
    return _report(Path(path_or_name), options, missing)


def _report(path: Path, options: ReadOptions, missing: Missing) -> FileReport:
    raw = read_raw(path, options)
    mark_missing(raw, missing)
    problems = list(raw.warnings)
    labels = _labels(raw, problems)
    lengths = {name: array.shape[0] for name, array in raw.parts.items()}
    lengths |= {name: len(getattr(raw, name)) for name in ("ids", "captions") if getattr(raw, name)}
    rows = next(iter(set(lengths.values()))) if len(set(lengths.values())) == 1 else None
    if rows is None and lengths:
        counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
        problems.append(f"the parts have different numbers of rows: {counts}.")
    sizes, split = _split(raw, rows, problems)
    parts = {name: _part(raw, name, array, split, problems) for name, array in raw.parts.items()}
    alignment = {} if rows is None else _alignment(raw, labels, problems)
    if labels is not None and split is not None:
        problems.extend(without_relevant(labels, split))
    shapes = {name: part.shape for name, part in parts.items() if len(part.shape) > 1}
    known, evidence = identify(shapes, labels)
    for name in ("image", "text"):
        if name in parts and parts[name].empty_rows and name not in raw.present:
            raw.notes.append(
                f"{parts[name].empty_rows} {name} rows are all zero, and the file does not say whether "
                'that means missing; if it does, read it with --missing zero-rows (missing="zero-rows").'
            )
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    return FileReport(
        path=str(path),
        containers=tuple(sorted({CONTAINERS[container(file)] for file in files})),
        layout=raw.layout,
        rows=rows,
        parts=parts,
        label=None if labels is None else _label_report(labels, raw.label_names, problems),
        tags=_tag_report(raw),
        split=sizes,
        split_digest=split.digest if split else None,
        alignment=alignment,
        known_as=f"{known.title}, {evidence}" if known else evidence,
        known_key=known.key if known else None,
        digest=_digest(raw, problems),
        simulated=bool(raw.attributes.get("simulated", 0)),
        notes=tuple(raw.notes),
        problems=tuple(problems),
    )


def _labels(raw: RawData, problems: list[str]) -> NDArray[np.uint8] | None:
    if raw.labels is None:
        return None
    try:
        return check_labels(raw.labels, unlabelled="keep")
    except DataError as error:
        problems.append(str(error))
        return None


def _split(raw: RawData, rows: int | None, problems: list[str]) -> tuple[dict[str, int], Split | None]:
    parts = {"train": raw.train, "query": raw.query, "retrieval": raw.retrieval}
    given = {name: np.asarray(part) for name, part in parts.items() if part is not None}
    sizes = {name: int(part.size) for name, part in given.items()}
    train = given.get("train", given.get("retrieval"))
    if rows is None or train is None or "query" not in given:
        return sizes, None
    try:
        split = check_split(rows, train=train, query=given["query"], retrieval=given.get("retrieval"))
    except DataError as error:
        problems.append(str(error))
        return sizes, None
    return sizes | {"retrieval": len(split.retrieval)}, split


def _digest(raw: RawData, problems: list[str]) -> str | None:
    stated = raw.attributes.get("digest")
    in_memory = raw.image is None or isinstance(raw.image, np.ndarray)
    try:
        dataset = from_raw(raw, unlabelled="keep", find_warnings=False)
    except DataError:
        return None
    if not in_memory:
        return str(stated) if stated else None
    computed = dataset.compute_digest()
    if stated and stated != computed:
        problems.append(
            f"the file states the digest {stated}, but its content has {computed}: it was changed."
        )
    return computed


def _part(raw: RawData, name: str, array: RowArray, split: Split | None, problems: list[str]) -> PartReport:
    source = raw.chosen.get(name, name)
    shape, dtype = tuple(int(size) for size in array.shape), str(array.dtype)
    stated = raw.present.get(name)
    n_missing = 0 if stated is None else int((~stated).sum())
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "buif" or 0 in shape:
        return PartReport(source=source, shape=shape, dtype=dtype, missing_rows=n_missing)
    low = np.full(shape[1], np.inf)
    high = np.full(shape[1], -np.inf)
    bad = np.zeros(0, np.bool_)
    hashes: list[int] = []
    present = np.ones(len(array), np.bool_) if stated is None else stated
    there = array if n_missing == 0 else array[present]
    for block in row_blocks(there):
        finite = (
            np.isfinite(block).all(axis=1) if block.dtype.kind == "f" else np.ones(len(block), dtype=bool)
        )
        bad = np.append(bad, ~finite)
        if finite.any():
            low = np.minimum(low, block[finite].min(axis=0))
            high = np.maximum(high, block[finite].max(axis=0))
        hashes += [hash(row.tobytes()) for row in np.ascontiguousarray(block)]
    n_bad = int(bad.sum())
    if n_bad:
        problems.append(f"{name} has {n_bad} rows with NaN or infinity.")
    constant = count_constant(there[~bad] if n_bad else there)
    if name != "labels" and constant == shape[1]:
        problems.append(f"{name} is the same in every row.")
    across = count_repeated(array, split, present) if name != "labels" and split else None
    return PartReport(
        source=source,
        shape=shape,
        dtype=dtype,
        minimum=float(low.min()) if np.isfinite(low).any() else None,
        maximum=float(high.max()) if np.isfinite(high).any() else None,
        missing_rows=n_missing,
        empty_rows=count_empty(there),
        constant_columns=constant,
        bad_rows=n_bad,
        repeated_rows=None if name == "labels" else len(hashes) - len(set(hashes)),
        repeated_across=across,
    )


def _alignment(raw: RawData, labels: NDArray[np.uint8] | None, problems: list[str]) -> dict[str, float]:
    parts: dict[str, RowArray] = {name: part for name, part in raw.parts.items() if name != "labels"}
    if labels is not None:
        parts["labels"] = labels
    usable = {
        name: part for name, part in parts.items()
        if part.dtype.kind in "buif" and part.shape[0] >= LEAST_ROWS
        and not (isinstance(part, np.ndarray) and not np.isfinite(part).all())
    }  # fmt: skip
    p_values: dict[str, float] = {}
    for first, second, p_value in alignments(usable, raw.present):
        p_values[f"{first} and {second}"] = p_value
        if p_value > LARGEST_ALIGNED:
            problems.append(not_aligned(first, second, p_value))
    return p_values


def _label_report(labels: NDArray[np.uint8], names: tuple[str, ...], problems: list[str]) -> LabelReport:
    table = labels.astype(np.int64)
    counts, per_row = table.sum(axis=0), table.sum(axis=1)
    unlabelled, unused = int((per_row == 0).sum()), int((counts == 0).sum())
    if unlabelled:
        problems.append(f"{unlabelled} rows have no label.")
    if unused:
        problems.append(f"{unused} label columns are empty.")
    return LabelReport(
        names=names if len(names) == len(counts) else tuple(map(str, range(len(counts)))),
        counts=tuple(counts.tolist()),
        per_row=(float(per_row.min()), float(per_row.mean()), float(per_row.max())),
        unlabelled_rows=unlabelled,
        unused_columns=unused,
        co_occurrence=tuple(tuple(row) for row in (table.T @ table).tolist()),
    )


def _tag_report(raw: RawData) -> TagReport | None:
    text = raw.text
    if text is None or text.ndim != 2 or text.dtype.kind not in "bui" or 0 in text.shape:
        return None
    there = text != 0
    per_row, frequency = there.sum(axis=1), there.sum(axis=0)
    words = raw.text_vocabulary if len(raw.text_vocabulary) == len(frequency) else ()
    top = np.argsort(-frequency, kind="stable")[:8]
    return TagReport(
        per_row=(float(per_row.min()), float(per_row.mean()), float(per_row.max())),
        frequency=(float(frequency.min()), float(np.median(frequency)), float(frequency.max())),
        most_frequent=tuple(
            (words[column] if words else f"column {column}", int(frequency[column])) for column in top
        ),
    )


def _part_line(part: PartReport) -> str:
    words = [f"{' x '.join(map(str, part.shape))} {part.dtype}"]
    if part.source not in {"image", "text", "labels"}:
        words[0] += f" from {part.source}"
    if part.minimum is not None:
        words.append(f"values {part.minimum:.4g} to {part.maximum:.4g}")
    for count, what in (
        (part.missing_rows, "rows missing"),
        (part.empty_rows, "empty rows"),
        (part.constant_columns, "constant columns"),
        (part.bad_rows, "rows with NaN"),
        (part.repeated_rows, "repeated rows"),
        (part.repeated_across, "query rows also in train"),
    ):
        if count:
            words.append(f"{count} {what}")
    return "; ".join(words)


def _label_line(label: LabelReport) -> str:
    order = sorted(range(len(label.counts)), key=lambda column: -label.counts[column])
    shown = ", ".join(f"{label.names[column]} {label.counts[column]}" for column in order[:8])
    rest = f", ... ({len(order)} labels)" if len(order) > 8 else ""
    low, mean, high = label.per_row
    return f"{shown}{rest}; {low:.0f} to {high:.0f} per row, {mean:.2f} on average"


def _pair_line(label: LabelReport) -> str:
    pairs = [
        (count, label.names[first], label.names[second])
        for first, row in enumerate(label.co_occurrence)
        for second, count in enumerate(row[:first])
        if count
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return ", ".join(f"{second} + {first} {count}" for count, first, second in pairs[:4]) or "never together"


def _tag_line(tags: TagReport) -> str:
    low, mean, high = tags.per_row
    rare, middle, frequent = tags.frequency
    top = ", ".join(f"{word} {count}" for word, count in tags.most_frequent[:5])
    return (
        f"{low:.0f} to {high:.0f} per row, {mean:.2f} on average; "
        f"a word is in {rare:.0f} to {frequent:.0f} rows, median {middle:.0f}; {top}"
    )
