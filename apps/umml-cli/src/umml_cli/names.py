"""Names that become names of files: of experiments, data sets and methods, checked where they enter."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

LONGEST = 100
"""Characters of a name; file systems take 255 bytes, and a file of ours may join three names."""


def is_name(text: str) -> bool:
    """Whether `text` can stand in the name of a file: no folder, no control character, not hidden.

    Example:
        >>> is_name("mirflickr25k"), is_name("../x"), is_name("/etc"), is_name("")
        (True, False, False, False)
    """
    return (
        0 < len(text) <= LONGEST
        and not text.startswith((".", "-", "~"))
        and not text.endswith((".", " "))
        and not any(one in r"/\:" or unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in text)
    )


def check_name(text: str) -> str:
    """Return `text` if it is a name.

    Raises:
        ValueError: it is none.
    """
    if not is_name(text):
        raise ValueError(
            f"a name must have 1 to {LONGEST} characters without slash, backslash, colon or line break, and "
            f"must not begin with a dot, a hyphen or a tilde, but it is {text[: LONGEST + 1]!r}"
        )
    return text


Name = Annotated[str, AfterValidator(check_name)]
"""A `str` field of a model that must be a name."""
