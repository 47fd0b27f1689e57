"""From a path to the parts found there: a file or a folder, every container, every layout."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from cmh_files import attributes, container, foreign_program, variables

from cmh_data._errors import DataError, shorten
from cmh_data._layouts.lists import read_lists, wikipedia_lists
from cmh_data._layouts.options import ReadOptions
from cmh_data._layouts.recognise import recognise
from cmh_data._layouts.splits import SIDES, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cmh_files import Variable

    from cmh_data._layouts.raw import RawData

LARGEST_FOLDER = 64


def read_raw(path: Path, options: ReadOptions | None = None) -> RawData:
    """Read a file or folder by its content.

    Raises:
        DataError: nothing there, damaged, or no known layout.
    """
    options = options or ReadOptions()
    if path.is_dir():
        return _read_folder(path, options)
    if not path.is_file():
        raise DataError(f'{path} is not found; give the path of data, or "emoji" for the built-in data set.')
    if container(path) == "text":
        raw = read_lists(path, [path])
        if raw is None:
            _refuse_foreign([path])
            with path.open("rb") as file:
                head = file.read(60)
            raise DataError(f"{path} is text of no known layout; it begins with {head!r}.")
        return raw
    stated = attributes(path) if container(path) == "hdf5" else {}
    raw = recognise(path, variables(path), options, stated)
    if raw.labels is None:
        wikipedia_lists(raw, _files(path.parent))
    return raw


def _read_folder(path: Path, options: ReadOptions) -> RawData:
    files = _files(path)
    if not files:
        raise DataError(f"{path} holds no files.")
    if len(files) > LARGEST_FOLDER:
        raise DataError(
            f"{path} holds {len(files)} files; a folder to load holds the few files of one data set."
        )
    texts = [file for file in files if container(file) == "text"]
    others = [file for file in files if file not in texts]
    foreign = {file: sentence for file in others if (sentence := foreign_program(file)) is not None}
    readable = [file for file in others if file not in foreign and container(file) != "unknown"]
    found = _without_clashes(path, {file: variables(file) for file in readable})
    if not found:
        raw = read_lists(path, texts)
        if raw is None:
            _refuse_foreign(files)
            raise DataError(
                f"{path} holds no data of a known layout; found {shorten([file.name for file in files])}."
            )
        return raw
    raw = recognise(path, found, options)
    raw.notes += [f"left unread: {file.name} {sentence}" for file, sentence in foreign.items()]
    wikipedia_lists(raw, texts)
    return raw


def _refuse_foreign(files: Iterable[Path]) -> None:
    for file in files:
        foreign = foreign_program(file)
        if foreign is not None:
            raise DataError(f"{file} {foreign}")


def _without_clashes(path: Path, by_file: Mapping[Path, list[Variable]]) -> list[Variable]:
    """The variables of all files; where files repeat keys, a file's name must say which side it is."""
    counts = Counter(variable.key for found in by_file.values() for variable in found)
    result: list[Variable] = []
    origin: dict[str, Path] = {}
    for file, found in by_file.items():
        sides = (word for word in words_of(file.stem) if SIDES.get(word, "validation") != "validation")
        side = next(sides, "")
        for variable in found:
            key = variable.key
            if counts[key] > 1 and {"indptr", "row"} & {key, *(one.key for one in found)}:
                key = f"{file.stem}_{key}"  # several sparse tables, one a file
            elif counts[key] > 1 and side:
                key = f"{key}_{side}"
            if key in origin:
                raise DataError(
                    f"{path} holds {variable.key} in {origin[key].name} and in {file.name}; "
                    "give the path of one file, or keep one data set in a folder."
                )
            origin[key] = file
            result.append(variable if key == variable.key else replace(variable, key=key))
    return result


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
