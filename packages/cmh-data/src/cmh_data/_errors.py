"""The one error type that every problem with data ends in."""

from cmh_files import DataError, shorten

__all__ = ["DataError", "shorten"]
