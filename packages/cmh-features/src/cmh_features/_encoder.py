"""What an encoder is: it prepares single items and embeds batches of them; the rest is done here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_features._errors import UnreadableItemError
from cmh_features._stream import encode_items

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from cmh_features._encoded import Encoded
    from cmh_features._stream import Progress

Modality = Literal["image", "text"]


@dataclass(frozen=True)
class Identity:
    """What made a feature: equal identities give equal features, up to the rounding of the machine.

    Args:
        name: the name that `load_encoder` took.
        version: the package, or the file, that the weights came from.
        digest: SHA-256 of the weights or the vocabulary, in hexadecimal.
        preprocessing: one line that says how an item becomes the network's input.
        precision: the type of number in which the network computes.

    Example:
        >>> Identity("mean-colour", "my-encoder 1.0", "", "8 x 8 pixels").to_json()["precision"]
        'float32'
    """

    name: str
    version: str
    digest: str
    preprocessing: str
    precision: str = "float32"

    def to_json(self) -> dict[str, str]:
        """Return the fields as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)


class Encoder:
    """Base class of all encoders.

    A subclass sets `identity`, `width` and `modalities`, and overrides `embed_images` or `embed_texts` or
    both, and `prepare_image` if it embeds images. `encode_images` and `encode_texts` are made of these.

    Attributes:
        identity: what made the features.
        width: numbers in one feature.
        modalities: "image", "text" or both.
        batch_size: items in one call of `embed_images` or `embed_texts`.
        image_size: pixels of a side of the network's input; lets large JPEG files be decoded smaller.

    Example:
        >>> class Length(Encoder):
        ...     modalities, width = ("text",), 1
        ...     identity = Identity("length", "1", "", "none")
        ...
        ...     def embed_texts(self, batch):
        ...         return np.array([[len(text)] for text in batch], np.float32)
        >>> Length().encode_texts(["abc", None, "d"]).features.tolist()
        [[3.0], [0.0], [1.0]]
    """

    identity: Identity
    width: int
    modalities: tuple[Modality, ...] = ()
    batch_size: int = 32
    image_size: int | None = None

    def prepare_image(self, image: Image.Image) -> NDArray[Any]:
        """Turn one RGB image into the network's input; several threads call this at once.

        Args:
            image: mode RGB.

        Returns:
            `(...)` of any numeric dtype, the same shape and dtype for every image.
        """
        raise NotImplementedError

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Embed prepared images.

        Args:
            batch: `(n, ...)` of any numeric dtype, stacked results of `prepare_image`.

        Returns:
            `(n, width)` float32.
        """
        raise NotImplementedError

    def prepare_text(self, text: str) -> Any:
        """Turn one text that is not blank into what `embed_texts` takes; by default the text itself.

        Args:
            text: one text.

        Returns:
            Anything with a length; items of about one length share a batch.

        Raises:
            UnreadableItemError: if nothing in the text can be embedded.
        """
        return text

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Embed prepared texts.

        Args:
            batch: `n` results of `prepare_text`.

        Returns:
            `(n, width)` float32.
        """
        raise NotImplementedError

    def encode_images(
        self,
        images: Sequence[Any],
        *,
        out: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Encoded:
        """Encode images: paths, or arrays of pixels.

        Unreadable images are skipped: their rows are zeros, `present` is false there, `skipped` says why.

        Args:
            images: `n` paths, bytes of files, `PIL.Image.Image` or arrays (see `open_image`); None where
                there is none. Also one `(n, height, width, 3)` array, or anything else with a length whose
                items are read one by one.
            out: write the features to this `.npy` file, block by block; a run that was killed continues where
                it stopped and gives the same file. None: keep them in memory.
            threads: decode images on so many threads; None: one for each core.
            progress: called after every batch.

        Returns:
            The features, `(n, width)` float32, with `present` and `skipped`.

        Raises:
            ValueError: if this encoder embeds no images, or `out` belongs to other items or another encoder.
        """
        self._require("image")
        from cmh_features._images import open_image  # noqa: PLC0415 - a text encoder needs no image library

        shrink_to = None if self.image_size is None else 2 * self.image_size

        def prepare(item: Any) -> NDArray[Any]:
            if item is None:
                raise UnreadableItemError("is missing")
            return self.prepare_image(open_image(item, shrink_to=shrink_to))

        return encode_items(
            images,
            prepare=prepare,
            embed=lambda prepared: self.embed_images(np.stack(prepared)),
            identity=self.identity,
            width=self.width,
            batch_size=self.batch_size,
            block_size=4 * self.batch_size,
            out=out,
            threads=threads,
            progress=progress,
        )

    def encode_texts(
        self,
        texts: Sequence[str | None],
        *,
        out: str | os.PathLike[str] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Encoded:
        """Encode texts.

        Empty texts, None and texts without a known word are skipped: their rows are zeros, `present` is false
        there, `skipped` says why.

        Args:
            texts: `n` texts, None where there is none.
            out: write the features to this `.npy` file, block by block; a run that was killed continues where
                it stopped and gives the same file. None: keep them in memory.
            progress: called after every batch.

        Returns:
            The features, `(n, width)` float32, with `present` and `skipped`.

        Raises:
            ValueError: if this encoder embeds no texts, or `out` belongs to other items or another encoder.
        """
        self._require("text")
        if isinstance(texts, str):
            raise ValueError("texts must be a list of texts, but it is one text; put it into a list")  # noqa: TRY004 - bad input is a ValueError everywhere in this project

        return encode_items(
            texts,
            prepare=lambda text: self.prepare_text(_check_text(text)),
            embed=self.embed_texts,
            identity=self.identity,
            width=self.width,
            batch_size=self.batch_size,
            block_size=64 * self.batch_size,
            size_of=len,  # texts of about one length share a batch: less padding
            out=out,
            threads=0,
            progress=progress,
        )

    def _require(self, modality: Modality) -> None:
        if modality not in self.modalities:
            able = " and ".join(f"{one}s" for one in self.modalities)
            raise ValueError(f"{self.identity.name} encodes {able}, not {modality}s; choose another encoder")


def _check_text(text: Any) -> str:
    if text is None:
        raise UnreadableItemError("is missing")
    if not isinstance(text, str):
        raise UnreadableItemError(f"is of type {type(text).__name__}, no text")
    if not text.strip():
        raise UnreadableItemError("is empty")
    return text
