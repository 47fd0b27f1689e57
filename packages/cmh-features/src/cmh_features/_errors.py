"""What can go wrong before or while items are encoded."""

from __future__ import annotations


class EncoderUnavailableError(ValueError):
    """An encoder exists, but a package or a file that it needs is not here; the message says which."""


class UnknownEncoderError(ValueError):
    """No installed package offers an encoder of this name."""


class UnreadableItemError(ValueError):
    """One image or text cannot be encoded; it is skipped, listed and counted."""
