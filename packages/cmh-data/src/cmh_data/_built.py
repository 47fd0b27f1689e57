"""What a builder makes: everything about the items but their encoded images, and the way to a data set."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import strings, variables

from cmh_data._assemble import assemble, check_split
from cmh_data._errors import DataError
from cmh_data._protocols import find_protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmh_data._archive import Archive
    from cmh_data._dataset import PairedDataset, RowArray, Split


@dataclass(frozen=True, kw_only=True, eq=False)
class BuiltData:
    """Items of an official archive in the field's row order.

    Args:
        name: the data set.
        ids: one per row, the image's own name or number.
        image_names: the path of each row's image inside the archive; empty where no images were found.
        text: `(n, n_word)` uint8.
        text_vocabulary: the words.
        label: `(n, n_label)` uint8.
        label_names: of the columns.
        archive: where images are read from.
        split: the split that the archive comes with, or None.
        provenance: how it was made.
        image_ids: the image of each row where several rows share one; empty: every row has its own.
    """

    name: str
    ids: tuple[str, ...]
    image_names: tuple[str, ...]
    text: NDArray[np.uint8]
    text_vocabulary: tuple[str, ...]
    label: NDArray[np.uint8]
    label_names: tuple[str, ...]
    archive: Archive
    split: Split | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    image_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def pixels(self, size: int = 224) -> RowArray:
        """The images as `(n, 3, size, size)` uint8, decoded when rows are read; needs the extra `images`."""
        if not self.image_names:
            raise DataError(f"{self.archive.source} holds no images of {self.name}; give features instead.")
        return ImageFiles(self.archive, self.image_names, size)

    def features(self, path: str | os.PathLike[str]) -> NDArray[Any]:
        """Read features of the images from a file and put them in the order of `ids`.

        Args:
            path: an `.npz` with `ids` and `image` in any order and with any further rows, or an `.npy` table
                that is in the order of `ids` already. Where rows share images, `ids` are those of the images.

        Raises:
            DataError: an id is missing or twice, or the number of rows differs.
        """
        path = Path(path)
        found = {variable.key: variable for variable in variables(path)} if path.is_file() else {}
        if {"ids", "image"} <= set(found):
            ids, table = strings(found["ids"].read()), found["image"].read()
            place = {item: row for row, item in enumerate(ids)}
            wanted = self.image_ids or self.ids
            missing = {item for item in wanted if item not in place}
            if len(place) < len(ids) or len(ids) != len(table) or missing:
                raise DataError(
                    f"{path} must hold one row for each of {len(set(wanted))} ids, but it has {len(ids)} "
                    f"ids, {len(place)} different ones and {len(table)} rows, and {len(missing)} are missing."
                )
            return np.ascontiguousarray(table[[place[item] for item in wanted]])
        if len(found) != 1:
            raise DataError(f"{path} must be an npy table, or an npz with ids and image.")
        table = next(iter(found.values())).read()
        if len(table) != len(self):
            raise DataError(f"{path} has {len(table)} rows, but {self.name} has {len(self)}.")
        return table

    def dataset(
        self,
        image: RowArray,
        *,
        protocol: str | None = None,
        n_query: int | None = None,
        n_train: int | None = None,
        seed: int = 0,
    ) -> PairedDataset:
        """Join images or their features, in the order of `ids`, and a split.

        Args:
            image: `(n, d)` features or `(n, 3, height, width)` pixels.
            protocol: a named split; without it the archive's own, or a random one.
            n_query: queries of a random split; a tenth of the rows by default.
            n_train: training rows of a random split, drawn from the retrieval set; all of it by default.
                Where rows share images, both count images, and rows of one image stay together.
            seed: of the draw.

        Raises:
            DataError: rows that do not fit, or a protocol that does not.
        """
        if protocol is not None:
            split = find_protocol(protocol).make(self.label, text_width=self.text.shape[1], seed=seed)
        elif self.split is not None and n_query is None and n_train is None:
            split = self.split
        else:
            split = self._random_split(n_query, n_train, seed)
        return assemble(
            image=image,
            text=self.text,
            labels=self.label,
            train=split.train,
            query=split.query,
            retrieval=split.retrieval,
            ids=self.ids,
            label_names=self.label_names,
            text_vocabulary=self.text_vocabulary,
            name=self.name,
            provenance=self.provenance,
            unlabelled="refuse" if self.label.any() else "keep",
        )

    def _random_split(self, n_query: int | None, n_train: int | None, seed: int) -> Split:
        if not self.image_ids:
            return random_split(len(self), n_query=n_query, n_train=n_train, seed=seed)
        number = {image: place for place, image in enumerate(dict.fromkeys(self.image_ids))}
        owner = np.array([number[image] for image in self.image_ids])  # the image of each row
        drawn = random_split(len(number), n_query=n_query, n_train=n_train, seed=seed)
        rows = [np.flatnonzero(np.isin(owner, part)) for part in (drawn.train, drawn.query, drawn.retrieval)]
        return check_split(len(self), train=rows[0], query=rows[1], retrieval=rows[2])


def random_split(n: int, *, n_query: int | None = None, n_train: int | None = None, seed: int = 0) -> Split:
    """Draw queries, and training rows out of the others.

    Raises:
        DataError: more rows are asked for than there are.
    """
    n_query = max(1, n // 10) if n_query is None else n_query
    n_train = n - n_query if n_train is None else n_train
    if n_query < 1 or n_train < 1 or n_query + n_train > n:
        raise DataError(f"{n_query} queries and {n_train} training rows cannot be drawn from {n} rows.")
    order = np.random.default_rng(seed).permutation(n)
    rest = order[n_query:]
    return check_split(
        n, train=np.sort(rest[:n_train]), query=np.sort(order[:n_query]), retrieval=np.sort(rest)
    )


class ImageFiles:
    """Images in an archive as rows of pixels: RGB, scaled to a square."""

    def __init__(self, archive: Archive, names: tuple[str, ...], size: int) -> None:
        self._archive, self._names, self._size = archive, names, size
        self.shape: tuple[int, ...] = (len(names), 3, size, size)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return self._decode(int(chosen))
        pixels = [self._decode(int(row)) for row in chosen]
        return np.stack(pixels) if pixels else np.zeros((0, *self.shape[1:]), np.uint8)

    def _decode(self, row: int) -> NDArray[np.uint8]:
        try:
            from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise DataError(
                "reading images needs pillow: install cmh-data[images], or give features."
            ) from error
        name = self._names[row]
        try:
            with Image.open(io.BytesIO(self._archive.read(name))) as image:
                square = image.convert("RGB").resize((self._size, self._size), Image.Resampling.BICUBIC)
        except (
            UnidentifiedImageError,
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
        ) as error:
            raise DataError(f"{self._archive.source}: {name} is no readable image ({error}).") from error
        return np.asarray(square, np.uint8).transpose(2, 0, 1)  # (3, size, size)
