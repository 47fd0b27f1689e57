"""Data sets as a command names them: a path, a built-in name, or NAME=PATH."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError
from umml_cli.names import check_name, is_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmh_data import DrawnSplit, PairedDataset


BUILT_IN = ("emoji",)
"""Data sets that come with cmh-data."""


@dataclass(frozen=True)
class DataSource:
    """A data set and where another process finds it: the path, or the name of a built-in one."""

    location: str
    dataset: PairedDataset


def drawn_split(
    seed: int | None, *, queries: int | None = None, training: int | None = None, stratified: bool = False
) -> DrawnSplit | None:
    """Return the split that the options of a command ask for; rows with equal images stay on one side.

    Raises:
        UserError: options describe a split, but none is to be drawn.
    """
    import cmh_data  # noqa: PLC0415 - only where data is read

    if seed is not None:
        return cmh_data.DrawnSplit(n_query=queries, n_train=training, seed=seed, stratified=stratified)
    if queries is not None or training is not None or stratified:
        raise UserError(
            "--queries, --training and --stratified describe a drawn split; give --split-seed too."
        )
    return None


def folder_options(*, columns: str | None, **how: str | bool | None) -> dict[str, Any]:
    """Return what the options of a command say of a folder, as `cmh_data.build_folder` takes it.

    Args:
        columns: such as `image=filename,text=caption`.
        **how: the other options; None and False are left out.

    Returns:
        Keyword arguments.

    Raises:
        UserError: the columns are not written so.
    """
    chosen: dict[str, Any] = {key: value for key, value in how.items() if value not in {None, False}}
    if columns is not None:
        pairs = [pair.partition("=") for pair in columns.split(",")]
        if not all(role.strip() and sign and column.strip() for role, sign, column in pairs):
            raise UserError(
                f"--columns must be like image=filename,text=caption,labels=tags, but it is {columns!r}."
            )
        chosen["columns"] = {role.strip(): column.strip() for role, _, column in pairs}
    return chosen


def open_data(
    location: str,
    *,
    split: DrawnSplit | None = None,
    first_row: int | None = None,
    needs_labels: bool = True,
) -> PairedDataset:
    """Load a file, or a built-in data set by its name; data without labels are refused with the cure.

    Args:
        location: the file or name.
        split: a split to be drawn in place of the file's own.
        first_row: from which number the file's split counts rows, 0 or 1; None: found where it can be.
        needs_labels: refuse data without labels.

    Returns:
        The data set.

    Raises:
        UserError: there are images and texts, but no labels.
        DataError: anything else that `cmh_data` refuses.
    """
    import cmh_data  # noqa: PLC0415 - only where data is read

    try:
        dataset = cmh_data.load(location, split=split, first_row=first_row)
    except cmh_data.DataError as error:
        with contextlib.suppress(cmh_data.DataError, OSError):
            if said := _unequal_numbers(Path(location)):
                raise UserError(said) from error
            parts = cmh_data.inspect(location).parts
            if needs_labels and {"image", "text"} <= parts.keys() and "labels" not in parts:
                raise UserError(_no_labels(location)) from error
        raise
    if needs_labels and not dataset.label.shape[1]:
        raise UserError(_no_labels(location))
    if is_name(dataset.name):
        return dataset
    stem = Path(location).stem  # the file calls itself something that cannot be a name of ours
    return replace(dataset, name=stem if is_name(stem) else "data")


def _no_labels(location: str) -> str:
    from cmh_train import available_methods  # noqa: PLC0415 - brings torch

    others = ", ".join(name for name, spec in available_methods().items() if not spec.supervised)
    return (
        f"{location} has images and texts but no labels: supervised methods learn from them, and the tables "
        "count them; add an array labels of zeros and ones, a row for each item and a column for each class, "
        f"or train a method that needs none ({others}) with `umml train`."
    )


def _unequal_numbers(path: Path) -> str:
    """What is wrong with a file of more images than texts, or more texts than images; "" if it is none."""
    from cmh_files import DataError, variables  # noqa: PLC0415 - only where a file was refused
    from cmh_files.key_names import common_rows, find_role  # noqa: PLC0415 - likewise
    from cmh_train import available_methods  # noqa: PLC0415 - brings torch

    found = {variable.key: variable for variable in variables(path)}
    image, text = find_role(found, "image"), find_role(found, "text")
    if image is None or text is None:
        return ""
    try:
        common_rows({"image": image, "text": text})
    except DataError:
        others = ", ".join(name for name, spec in available_methods().items() if not spec.needs_pairs)
        return (
            f"{path} holds different numbers of images and texts, {image} and {text}, so its rows are not "
            f"pairs; methods that need no pairs ({others}) train on it once every image and every text has "
            "a row of its own, with arrays image_present and text_present that say which row has which."
        )
    return ""


def keep_source(source: str, target: Path) -> None:
    """Refuse to write over the file that is read.

    Raises:
        UserError: both are one file.
    """
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise UserError(f"{target} is the file that is read; give another name to write to.")


def without_incomplete(dataset: PairedDataset) -> tuple[PairedDataset, int]:
    """Leave out the training rows that lack an image or a text; queries and ranked items stay.

    Returns:
        The data, and how many rows were left out.

    Raises:
        UserError: no training row is complete.
    """
    rows = dataset.split.train
    complete = (dataset.image_present & dataset.text_present)[rows]
    if not complete.any():
        raise UserError(
            f"No training row of {dataset.name} has both an image and a text, so --discard-incomplete would "
            "leave none; train without it."
        )
    split = replace(dataset.split, train=rows[complete])
    return dataset.with_split(split), int((~complete).sum())


def open_sources(assignments: Iterable[str]) -> dict[str, DataSource]:
    """Load the data sets of `NAME=PATH` arguments; a name alone is a built-in data set."""
    sources: dict[str, DataSource] = {}
    for assignment in assignments:
        name, _, location = assignment.partition("=")
        if not name or (not location and "/" in name):
            raise UserError(f"--data takes NAME=PATH, got {assignment!r}.")
        try:
            check_name(name)
        except ValueError as error:
            raise UserError(f"--data {assignment}: {error}.") from None
        if name in sources:
            raise UserError(f"--data names {name} twice; give each data set a name of its own.")
        dataset = replace(open_data(location or name), name=name)
        sources[name] = DataSource(str(Path(location).resolve()) if location else name, dataset)
    return sources
