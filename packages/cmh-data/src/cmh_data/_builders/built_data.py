"""What a builder makes: everything about the items but their encoded images, and the way to a data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cmh_files import strings, variables

from cmh_data._builders.pictures import ImageFiles, PictureFile, identical_groups
from cmh_data._dataset.assemble import assemble
from cmh_data._dataset.random_split import query_candidates, random_split
from cmh_data._errors import DataError
from cmh_data._protocols import find_protocol

KeepTogether = Literal["same", "identical", "near-identical"]

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_data._builders.archive import Archive
    from cmh_data._dataset.dataset import PairedDataset, RowArray, Split


@dataclass(frozen=True, kw_only=True, eq=False)
class BuiltData:
    r"""Items of an official archive in the field's row order.

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
        image_present: `(n,)` bool, which rows have an image; None: all.
        text_present: `(n,)` bool, which rows have a text; None: all.
        check_images: decode every image once before it is used, and leave unreadable ones out.
        captions: the items' own texts, "" where there is none; or empty.

    Example:
        >>> import tempfile
        >>> from cmh_data import build_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "t.csv").write_text("image,text\n1.jpg,red\n2.jpg,red\n3.jpg,blue")
        ...     built = build_folder(folder, least_count=1)
        >>> data = built.dataset(np.eye(3, dtype=np.float32), n_query=1)
        >>> data.text_vocabulary, len(data.split.train)
        (('red', 'blue'), 2)
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
    image_present: NDArray[np.bool_] | None = None
    text_present: NDArray[np.bool_] | None = None
    check_images: bool = False
    captions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def pixels(self, size: int = 224) -> RowArray:
        """Return the images scaled to a square, decoded when rows are read; needs the extra `images`.

        Args:
            size: side of the square.

        Returns:
            `(n, 3, size, size)` uint8; a row without an image is black.

        Raises:
            DataError: there are no images, or none of them can be read.
        """
        if not any(self.image_names):
            raise DataError(f"{self.archive.source} holds no images of {self.name}; give features instead.")
        images = ImageFiles(self.archive, self.image_names, size)
        return images.without_unreadable() if self.check_images else images

    def pictures(self) -> tuple[PictureFile | None, ...]:
        """Return the image files row by row, to be read when they are needed; None where there is none.

        Returns:
            `n` files, each with `read_bytes()`, and its path inside the archive as its text.

        Raises:
            DataError: there are no images.
        """
        if not any(self.image_names):
            raise DataError(f"{self.archive.source} holds no images of {self.name}; give features instead.")
        return tuple(PictureFile(self.archive, name) if name else None for name in self.image_names)

    def features(self, path: str | os.PathLike[str]) -> NDArray[Any]:
        """Read features of the images from a file and put them in the order of `ids`.

        Args:
            path: an `.npz` with `ids` and `image` in any order and with any further rows, or an `.npy` table
                that is in the order of `ids` already. Where rows share images, `ids` are those of the images.

        Returns:
            `(n, ...)` of the file's dtype; a row without an image holds zeros.

        Raises:
            DataError: an id is missing or twice, or the number of rows differs.
        """
        path = Path(path)
        found = {variable.key: variable for variable in variables(path)} if path.is_file() else {}
        if {"ids", "image"} <= set(found):
            ids, table = strings(found["ids"].read()), found["image"].read()
            place = {item: row for row, item in enumerate(ids)}
            wanted = self.image_ids or self.ids
            present = self._present("image")
            missing = {
                item for item, there in zip(wanted, present, strict=True) if there and item not in place
            }
            if len(place) < len(ids) or len(ids) != len(table) or missing:
                raise DataError(
                    f"{path} must hold one row for each of {len(set(wanted))} ids, but it has {len(ids)} "
                    f"ids, {len(place)} different ones and {len(table)} rows, and {len(missing)} are missing."
                )
            rows = np.array([place.get(item, -1) for item in wanted])
            chosen = np.ascontiguousarray(table[rows])
            chosen[rows < 0] = 0  # rows without an image
            return chosen
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
        text: NDArray[Any] | None = None,
        text_vocabulary: Sequence[str] = (),
        image_present: NDArray[np.bool_] | None = None,
        text_present: NDArray[np.bool_] | None = None,
        encoders: Mapping[str, Any] | None = None,
        protocol: str | None = None,
        n_query: int | None = None,
        n_train: int | None = None,
        seed: int = 0,
        keep_together: KeepTogether = "identical",
    ) -> PairedDataset:
        """Join images or their features, in the order of `ids`, and a split.

        A random split never puts a picture on both sides, and its queries are rows with both an image and a
        text and, where there are labels, a label.

        Args:
            image: `(n, d)` features of any float dtype, or `(n, 3, height, width)` uint8 pixels.
            text: `(n, d_text)` features of the texts, float or uint8; None: the words that the builder found.
            text_vocabulary: the words of the columns of `text`, if it has such.
            image_present: `(n,)` bool, rows whose image is in `image`; None: those with an image, and those
                whose row of `image` is not all zeros.
            text_present: `(n,)` bool, rows whose text is in `text`; None: those with a text.
            encoders: what made the features of "image" and "text", JSON values for the provenance.
            protocol: a named split; without it the archive's own, or a random one.
            n_query: queries of a random split; a tenth of the rows by default.
            n_train: training rows of a random split, drawn from the retrieval set; all of it by default.
                Where rows share images, both count images.
            seed: of the draw.
            keep_together: which rows of a random split stay on one side: those of the "same" image path, of
                "identical" images (equal bytes), or of "near-identical" ones (see `identical_groups`).

        Returns:
            The data set. Rows without an image or a text are marked as such.

        Raises:
            DataError: rows that do not fit, or a protocol that does not.
        """
        if image_present is None:
            image_present = self._images_there(image)
        if text_present is None:
            text_present = self._present("text")
        if protocol is not None:
            split = find_protocol(protocol).make(self.label, text_width=self.text.shape[1], seed=seed)
        elif self.split is not None and n_query is None and n_train is None:
            split = self.split
        else:
            no_pair = not (image_present & text_present).any()  # then each side has its share of queries
            strata = image_present.astype(np.int64) if no_pair else None
            usable = query_candidates(image_present, text_present, self.label)
            if not usable.any():  # no row with a label has both
                usable = query_candidates(image_present, text_present, self.label[:, :0])
            split = random_split(
                len(self),
                n_query=n_query,
                n_train=n_train,
                seed=seed,
                groups=self._groups(keep_together),
                may_query=usable,
                strata=strata,
            )
        unreadable = image.unreadable if isinstance(image, ImageFiles) else ()
        steps = list(self.provenance.get("steps", ()))
        if unreadable:
            steps.append(f"{len(unreadable)} images could not be read, such as {unreadable[0]}")
        return assemble(
            image=image,
            text=self.text if text is None else text,
            captions=self.captions,
            labels=self.label,
            train=split.train,
            query=split.query,
            retrieval=split.retrieval,
            ids=self.ids,
            label_names=self.label_names,
            text_vocabulary=self.text_vocabulary if text is None else text_vocabulary,
            image_present=image_present,
            text_present=text_present,
            name=self.name,
            provenance={
                **self.provenance,
                "steps": steps,
                **({"encoders": dict(encoders)} if encoders else {}),
            },
            unlabelled="keep",
        )

    def _images_there(self, image: RowArray) -> NDArray[np.bool_]:
        """Say which rows of `image` hold an image: what the builder found, and what the rows show."""
        present = self._present("image")
        if isinstance(image, ImageFiles):
            return present & image.present
        if isinstance(image, np.ndarray) and len(image) == len(self):
            return present | image.reshape(len(self), -1).any(axis=1)
        return present

    def _present(self, side: str) -> NDArray[np.bool_]:
        stated = self.image_present if side == "image" else self.text_present
        return np.ones(len(self), np.bool_) if stated is None else stated

    def _groups(self, keep_together: KeepTogether) -> NDArray[np.int64] | None:
        if keep_together not in {"same", "identical", "near-identical"}:
            raise DataError(
                f'keep_together must be "same", "identical" or "near-identical", but it is {keep_together!r}.'
            )
        if any(self.image_names) and keep_together != "same":
            return identical_groups(self.archive, self.image_names, near=keep_together == "near-identical")
        if not self.image_ids:
            return None
        return np.unique(np.array(self.image_ids), return_inverse=True)[1].astype(np.int64)
