"""The one error type of unusable files, and the check of what a file declares."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFLATE_RATIO = 1032  # what zlib packs at most, in zip files, HDF5 and MATLAB 5
# A file may declare arrays larger than itself that were never filled, but no real one by more than this.
LARGEST_FREE_BYTES = 256 << 20
LARGEST_RATIO = 1100
DISK_FAULTS = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}


class DataError(ValueError):
    """A file or array is not usable data; the message says what it is, what is wrong, what to do."""


class CopyError(OSError):
    """What was written is not what should have been; nothing was replaced."""


def damaged(path: Path, error: BaseException, kind: str = "") -> DataError:
    """Make the error of a file whose bytes do not fit its format.

    Args:
        path: the file.
        error: what a reader met.
        kind: the format, such as "HDF5"; may be left out.

    Returns:
        The error, to be raised.
    """
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    article = f"a damaged or truncated {kind} file" if kind else "a damaged or truncated file"
    return DataError(f"{path} is {article} ({reason}); fetch or make it again.")


def is_disk_fault(error: OSError) -> bool:
    """Tell whether an error of the system or of HDF5 speaks of the disk and not of the file's content.

    Args:
        error: the error.

    Returns:
        True for a full disk, a quota, a missing permission and the like.
    """
    texts = (os.strerror(number) for number in DISK_FAULTS)
    return error.errno in DISK_FAULTS or any(text in str(error) for text in texts)


def shorten(words: Iterable[object], limit: int = 8) -> str:
    """List the first names of a collection for a message.

    Args:
        words: the names, or what can be shown as such.
        limit: how many are shown.

    Returns:
        One line.

    Example:
        >>> shorten("abcdef", limit=3)
        'a, b, c, ... (6 in all)'
    """
    names = [str(word)[:60] for word in words]
    shown = ", ".join(names[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"


def check_declared_size(path: Path | str, name: str, declared: int, stored: int) -> None:
    """Refuse an array that claims more than 256 MiB and more than 1,100 times the bytes stored for it.

    Args:
        path: the file, for the message.
        name: the array, for the message.
        declared: bytes that the array would take.
        stored: bytes that the file holds of it.

    Raises:
        DataError: the claim is out of proportion.

    Example:
        >>> check_declared_size("a.h5", "XAll", declared=10**9, stored=10**7)
        >>> try:
        ...     check_declared_size("a.h5", "XAll", declared=10**9, stored=100)
        ... except DataError as error:
        ...     print(str(error)[:57])
        a.h5 declares 1000000000 bytes for XAll but stores 100; t
    """
    if declared > LARGEST_FREE_BYTES and declared > LARGEST_RATIO * max(stored, 1):
        raise DataError(
            f"{path} declares {declared} bytes for {name} but stores {stored}; "
            "that is not a real array, so it is not read."
        )
