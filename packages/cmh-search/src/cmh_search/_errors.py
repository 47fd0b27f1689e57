"""The error of this package."""


class CodeIndexError(ValueError):
    """An index cannot be opened, read or changed as asked."""
