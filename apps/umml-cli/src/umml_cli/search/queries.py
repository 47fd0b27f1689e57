"""What is searched for, as network outputs: words or a picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from cmh_train import Model
    from numpy.typing import NDArray
    from PIL import Image

LONGEST_QUERY = 10_000  # characters


def encode_words(model: Model, words: str) -> tuple[NDArray[np.float32], str | None]:
    """Encode a text query.

    Args:
        model: the model that made the index.
        words: what was typed.

    Returns:
        `(1, bits)` float32 outputs, and a remark where only some of the words are known, else None.

    Raises:
        UserError: for an empty query, one without a known word, or a model that takes no words.
    """
    if not any(character.isprintable() and not character.isspace() for character in words):
        raise UserError("The query is empty; give words, for example a boat on the sea.")
    if len(words) > LONGEST_QUERY:
        raise UserError(f"The query has {len(words)} characters; give at most {LONGEST_QUERY}.")
    encoder = model.description.encoders.get("text")
    if encoder is None:
        raise UserError(
            "This model was trained on text features for which no encoder or vocabulary is recorded, so "
            "words cannot be encoded; search for what is like an item, with --like ID."
        )
    vocabulary = encoder.get("fitted", {}).get("words", ())
    remark = None
    if vocabulary:
        asked = list(dict.fromkeys(re.findall(r"\w+", words.lower())))
        unknown = [word for word in asked if word not in set(vocabulary)]
        if len(unknown) == len(asked):
            raise UserError(
                f"None of the words of {words!r} is among the {len(vocabulary)} that this model knows, "
                f"for example {', '.join(vocabulary[:: max(1, len(vocabulary) // 8)][:8])}."
            )
        if unknown:
            n_known = len(asked) - len(unknown)
            remark = f"{n_known} of {len(asked)} words are in the vocabulary; not {', '.join(unknown)}."
    outputs = model.encode_texts([words])
    if np.isnan(outputs).any():
        raise UserError(f"{words!r} cannot be encoded; give other words.")
    return outputs, remark


def encode_picture(model: Model, picture: Path | Image.Image) -> NDArray[np.float32]:
    """Encode a picture as a query.

    Args:
        model: the model that made the index.
        picture: its path, or the picture itself.

    Returns:
        `(1, bits)` float32 outputs.

    Raises:
        UserError: if there is no such file, it is no picture, or the model's image encoder is not known.
    """
    if isinstance(picture, Path) and not picture.is_file():
        raise UserError(f"{picture} is not found; give the path of a file.")
    if "image" not in model.description.encoders:
        raise UserError(
            "This model was trained on image features for which no encoder is recorded, so pictures cannot "
            "be encoded; search with words or --like ID, or train on data made with --image-encoder."
        )
    outputs = model.encode_images([picture])
    if np.isnan(outputs).any():
        name = str(picture) if isinstance(picture, Path) else "The picture"
        raise UserError(f"{name} cannot be read as an image; give a JPEG, PNG, GIF, WebP, BMP or TIFF file.")
    return outputs
