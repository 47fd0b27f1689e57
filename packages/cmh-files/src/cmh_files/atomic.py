"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import platform
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place at the end, complete and on the disk.

    A failure removes the temporary file and leaves what was there before. A killed process leaves the
    temporary file, which the next writing of the same path by the same machine removes.

    Args:
        path: the file to make; its folder must exist. A file that is there is replaced.

    Yields:
        The temporary path, which ends as `path` does because some programs add an ending of their own.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "a.txt")) as temporary:
        ...         _ = temporary.write_text("whole")
        ...     Path(folder, "a.txt").read_text()
        'whole'
    """
    path = Path(path)
    for leftover in path.parent.glob(f".{_literal(path.stem)}.*.tmp{_literal(path.suffix)}"):
        _remove_leftover(leftover)
    writer = f"{platform.node()}.{os.getpid()}"  # of all machines that see the folder
    temporary = path.with_name(f".{path.stem}.{writer}.tmp{path.suffix}")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of `atomic_write` whose process, of this machine, was killed.

    Args:
        folder: where they lie; folders in it are left alone.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / f".a.{platform.node()}.999999999.tmp").touch()  # of a process that is no more
        >>> remove_leftovers(folder)
        >>> list(folder.iterdir())
        []
    """
    for path in folder.glob(".*.tmp*"):
        _remove_leftover(path)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; Windows cannot flush folders.

    Args:
        path: the file or folder.
    """
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftover(path: Path) -> None:
    owner = re.search(rf"\.{re.escape(platform.node())}\.(\d+)\.tmp", path.name)
    if owner is not None and not _is_alive(int(owner[1])):
        path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there, asking with signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _literal(name: str) -> str:
    """A part of a file's name as a pattern that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", name)
