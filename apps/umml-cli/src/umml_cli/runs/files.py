"""Files that are written atomically, and the lock on an output folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from umml_cli.errors import UserError, describe_validation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


Model = TypeVar("Model", bound=BaseModel)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path` at once, on failure it is removed."""
    from cmh_files import atomic_write  # noqa: PLC0415 - brings h5py along

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        yield temporary


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises `UserError` when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not readable JSON ({error}); delete it and run the command again."
        ) from error


def read_model(path: Path, model: type[Model]) -> Model:
    """Read what `write_json` wrote of a pydantic model; raises `UserError` when it is damaged."""
    values = read_json(path)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path} is not understood: {describe_validation(error)}.") from error


def read_arrays(path: Path, names: Iterable[str], *, optional: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` of ours; raises `UserError` when one is missing or damaged.

    Args:
        path: the file.
        names: arrays that must be there.
        optional: arrays that are read where they are there.
    """
    from cmh_files import DataError, variables  # noqa: PLC0415 - only where results are read

    try:
        found = {variable.key: variable for variable in variables(path)}
        missing = [name for name in names if name not in found]
        if missing:
            raise damaged(path, f"it lacks {', '.join(missing)}")
        return {name: found[name].read() for name in (*names, *(set(optional) & found.keys()))}
    except DataError as error:
        cure = f"Remove the folder {path.parent} and run the command again."
        raise UserError(f"{str(error).rstrip('.')}. {cure}") from error


def damaged(path: Path, why: str) -> UserError:
    """The error for a file of a run that is not as it was written."""
    return UserError(f"{path} is damaged: {why}. Remove the folder {path.parent} and run the command again.")


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder; wait for whoever holds it, for instance a worker that is about to end."""
    with file_lock(folder / ".lock"):
        yield


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a file that stands for something; wait for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the output folder for this process; a second process is told who holds it.

    The operating system drops the lock with its process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"Another umml (process {file.read().strip() or 'unknown'}) works in {folder}; "
                "wait for it or choose another --out."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
