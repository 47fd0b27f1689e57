"""What is searched for: words, a picture, or an item of the index, as a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_train import Model
    from numpy.typing import NDArray


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
    if not words.strip():
        raise UserError("The query is empty; give words, for example a boat on the sea.")
    if "text" in model.description.encoders:
        outputs = model.encode_texts([words])
        if np.isnan(outputs).any():
            raise UserError(f"{words!r} cannot be encoded; give other words.")
        return outputs, None
    vocabulary = model.description.remarks.get("text_vocabulary") or ()
    if not vocabulary:
        raise UserError(
            "This model was trained on text features that no encoder or vocabulary is named for, so words "
            "cannot be encoded; search with --like ID."
        )
    from cmh_data import bag_of_words  # noqa: PLC0415 - only where words are read

    table, _ = bag_of_words([words], vocabulary=vocabulary)
    known = {word for word, has in zip(vocabulary, table[0], strict=True) if has}
    asked = list(dict.fromkeys(words.lower().split()))
    if not known:
        raise UserError(
            f"None of the words of {words!r} is among the {len(vocabulary)} that this model knows, "
            f"for example {', '.join(vocabulary[:: max(1, len(vocabulary) // 8)][:8])}."
        )
    unknown = [word for word in asked if word.strip(".,;:!?") not in known]
    n_known = len(asked) - len(unknown)
    remark = f"{n_known} of {len(asked)} words are in the vocabulary; not {', '.join(unknown)}."
    return model.encode_texts(table), remark if unknown else None


def encode_picture(model: Model, path: Path) -> NDArray[np.float32]:
    """Encode a picture as a query.

    Args:
        model: the model that made the index.
        path: the picture.

    Returns:
        `(1, bits)` float32 outputs.

    Raises:
        UserError: if there is no such file, it is no picture, or the model's image encoder is not known.
    """
    if not path.is_file():
        raise UserError(f"{path} is not found; give the path of a file.")
    outputs = model.encode_images([path])
    if np.isnan(outputs).any():
        raise UserError(f"{path} cannot be read as an image; give a JPEG, PNG, GIF, WebP, BMP or TIFF file.")
    return outputs
