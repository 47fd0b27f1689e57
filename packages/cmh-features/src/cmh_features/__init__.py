"""Encoders by name: images and texts to feature vectors, in bounded memory, resumable."""

from cmh_features._encoded import Encoded, Skipped, load_features
from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError, UnknownEncoderError, UnreadableItemError
from cmh_features._images import FORMATS, MAX_PIXELS, open_image
from cmh_features._registry import EncoderRequest, EncoderSpec, available_encoders, load_encoder
from cmh_features._stream import Progress

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Encoded",
    "Encoder",
    "EncoderRequest",
    "EncoderSpec",
    "EncoderUnavailableError",
    "Identity",
    "Progress",
    "Skipped",
    "UnknownEncoderError",
    "UnreadableItemError",
    "available_encoders",
    "load_encoder",
    "load_features",
    "open_image",
]
