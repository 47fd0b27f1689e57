"""The error types that every problem with data ends in."""

from cmh_files import DataError, shorten

__all__ = ["DataError", "MissingPartsError", "shorten"]


class MissingPartsError(DataError):
    """What is there can be read, but it is no whole data set: parts or the split are missing."""
