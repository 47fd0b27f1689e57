"""What goes wrong because of what a user gave, and how it is said."""

from __future__ import annotations

import errno
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import ValidationError


class UserError(Exception):
    """A mistake that a user can mend; its message is one sentence that names the thing and the cure."""


def refuse(options: Mapping[str, object], reason: str) -> None:
    """Refuse the first of some options that was given.

    Args:
        options: by name, as `--figure`; what is true was given.
        reason: goes on after the name, without the full stop.

    Raises:
        UserError: if one was given.

    Example:
        >>> refuse({"--pdf": False, "--figure": None}, "is for pages")
        >>> refuse({"--pdf": False, "--figure": "bits"}, "is for pages")
        Traceback (most recent call last):
        umml_cli.errors.UserError: --figure is for pages.
    """
    if given := [option for option, is_given in options.items() if is_given]:
        raise UserError(f"{given[0]} {reason}.")


class RunsFailed(Exception):  # noqa: N818 - some of the runs; the others are kept
    """Some runs of a grid failed.

    Args:
        reasons: title of each that failed, and why.
        n_runs: runs in the grid.
    """

    def __init__(self, reasons: Sequence[tuple[str, str]], n_runs: int) -> None:
        title, reason = reasons[0]
        others = f" (and {len(reasons) - 1} more, see `umml runs list`)" if len(reasons) > 1 else ""
        super().__init__(
            f"{len(reasons)} of {n_runs} runs failed: {title}: {reason.rstrip('.')}{others}; "
            "what is complete is kept, and the same command tries the others again."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'bits'?`, or nothing where no known name is near.

    Example:
        >>> did_you_mean("bitz", ["bits", "epochs"])
        "; did you mean 'bits'?"
    """
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def describe_validation(error: ValidationError, known: Iterable[str] = ()) -> str:
    """Put pydantic's findings into one sentence: `epochs: Input should be greater than 0 (got -1)`.

    Args:
        error: what pydantic found.
        known: names that may stand where an unknown one was given.
    """
    known = list(known)
    parts = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"] if part != "[key]")
        if item["type"] == "extra_forbidden":
            near = did_you_mean(str(item["loc"][-1]), known).rstrip("?")
            parts.append(f"{name}: there is no such entry{near}")
            continue
        message = item["msg"].removeprefix("Value error, ")
        got = "" if item["type"] in {"missing", "value_error"} else f" (got {item['input']!r})"
        parts.append(f"{name}: {message}{got}" if name else f"{message}{got}")
    return "; ".join(parts)


def describe_os_error(error: OSError) -> str:
    """Say what the operating system refused, and the cure where there is an obvious one."""
    name = error.filename2 or error.filename  # a file under another name until it is whole
    where = f" ({name})" if name else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full{where}; make room and run the same command again; a training continues."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"No permission to write or read{where}; choose another place to write to."
    return f"{error.strerror or error}{where}."
