"""The codes of a run on disk: packed, beside the labels that are needed to score them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from cmh_metrics import PackedCodes

from umml_cli.runs.files import damaged, read_arrays, replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class RunCodes:
    """Codes of the query and retrieval rows in both modalities.

    A method may rank images and texts in spaces of their own: then the code of a query, and what stands in
    the place of a missing side, lies in the space of the items that it is compared with or ranked among.

    Args:
        query_image: codes of the query images, `(n_query, bits)` packed.
        query_text: codes of the query texts.
        retrieval_image: codes of the retrieval images.
        retrieval_text: codes of the retrieval texts.
        query_rows: `(n_query,)` int64, rows of the data set.
        retrieval_rows: `(n_retrieval,)` int64, rows of the data set.
        query_image_present: `(n_query,)` bool; an image query needs its image.
        query_text_present: `(n_query,)` bool; a text query needs its text.
        retrieval_image_present: `(n_retrieval,)` bool; where False, `retrieval_image` is the code of the
            text, so that an item is ranked by the side it has.
        retrieval_text_present: `(n_retrieval,)` bool, likewise.
        query_labels: `(n_query, n_label)` uint8.
        retrieval_labels: `(n_retrieval, n_label)` uint8.
    """

    query_image: PackedCodes
    query_text: PackedCodes
    retrieval_image: PackedCodes
    retrieval_text: PackedCodes
    query_rows: NDArray[np.int64]
    retrieval_rows: NDArray[np.int64]
    query_image_present: NDArray[np.bool_]
    query_text_present: NDArray[np.bool_]
    retrieval_image_present: NDArray[np.bool_]
    retrieval_text_present: NDArray[np.bool_]
    query_labels: NDArray[np.uint8]
    retrieval_labels: NDArray[np.uint8]

    def asks(self, task: str) -> NDArray[np.bool_]:
        """`(n_query,)`, the queries that have the modality that a task queries with."""
        return self.query_image_present if task == "i2t" else self.query_text_present

    def task_codes(self, task: str) -> tuple[PackedCodes, PackedCodes]:
        """Query and database codes of "i2t" (image queries, text database) or "t2i" (the converse)."""
        if task == "i2t":
            return self.query_image, self.retrieval_text
        return self.query_text, self.retrieval_image

    def collapsed(self) -> list[str]:
        """Return a sentence for each side of the retrieval set that has one code, or two for more labels."""
        said = []
        for side, codes in (("images", self.retrieval_image), ("texts", self.retrieval_text)):
            n_distinct = len(np.unique(codes.words, axis=0))
            if len(codes.words) > 1 and n_distinct <= min(2, self.retrieval_labels.shape[1] - 1):
                number = "one and the same code" if n_distinct == 1 else "two codes among them"
                said.append(
                    f"All {len(codes.words)} retrieval {side} have {number}: the training has collapsed, and "
                    "the mAP is that of ties; try another learning rate, preset or number of epochs."
                )
        return said

    def save(self, path: Path) -> None:
        """Write to a compressed `.npz` of plain arrays in one step."""
        arrays: dict[str, Any] = {
            name: value.words if isinstance(value, PackedCodes) else value
            for name, value in vars(self).items()
        }
        lengths: dict[str, Any] = {"bits": self.retrieval_image.bits, "text_bits": self.retrieval_text.bits}
        if lengths["bits"] == lengths["text_bits"]:
            del lengths["text_bits"]
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **lengths, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: the file is damaged.
        """
        arrays = read_arrays(path, (*cls.__dataclass_fields__, "bits"), optional=("text_bits",))
        image_bits = arrays.pop("bits")
        text_bits = arrays.pop("text_bits", image_bits)
        for name, bits in (("bits", image_bits), ("text_bits", text_bits)):
            if bits.shape or bits.dtype.kind not in "iu":
                raise damaged(path, f"{name} is not a whole number")
        in_image_space = (
            "retrieval_image",
            "query_text",
        )  # queries have codes like what they are compared with
        for side in ("query", "retrieval"):
            n = len(arrays[f"{side}_rows"]) if arrays[f"{side}_rows"].ndim == 1 else -1
            for name in [name for name in arrays if name.startswith(side)]:
                _check(path, name, arrays[name], n)
        if arrays["query_labels"].shape[1] != arrays["retrieval_labels"].shape[1]:
            raise damaged(path, "query_labels and retrieval_labels have different numbers of labels")
        try:
            packed: dict[str, Any] = {
                name: PackedCodes(words, bits=int(image_bits if name in in_image_space else text_bits))
                for name, words in arrays.items()
                if name.endswith(("_image", "_text"))
            }
        except ValueError as error:
            raise damaged(path, str(error)) from error
        return cls(**{**arrays, **packed})


def _check(path: Path, name: str, array: NDArray[Any], n: int) -> None:
    """Refuse an array whose type or shape `save` cannot have written."""
    what, _, part = name.partition("_")
    kind, rank = "u", 2
    if part == "rows":
        kind, rank = "i", 1
    elif part.endswith("_present"):
        kind, rank = "b", 1
    elif part == "labels" and array.size and array.max() > 1:
        raise damaged(path, f"{name} holds more than 0 and 1")
    if array.ndim != rank or array.dtype.kind != kind or len(array) != n:
        raise damaged(path, f"{name} does not fit the {what} rows")
    if part == "rows" and array.size and array.min() < 0:
        raise damaged(path, f"{name} holds negative rows")
