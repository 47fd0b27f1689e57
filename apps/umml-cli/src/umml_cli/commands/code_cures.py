"""Codes that can't be read as they are: which option reads them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

CURES = {
    "threshold": "give --threshold 0.5 for sigmoid outputs, or the value that separates the bits",
    "packed": "give --packed BITS for codes packed into bytes or words, or --code-values signed where they "
    "are outputs of a network after all",
    "code_values": "give --code-values signed if a zero means +1, or binary if all values are 0 and 1",
}


@contextmanager
def option_that_reads(**cures: str) -> Iterator[None]:
    """Name the option where codes can't be read as they are; `cures` stand in place of some of `CURES`."""
    from cmh_metrics import CodeValueError

    try:
        yield
    except CodeValueError as error:
        raise UserError(f"{error.problem}; {(CURES | cures)[error.cure]}.") from None
