"""A collection to be encoded: rows of a data file, or a folder of pictures with or without texts."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from cmh_train import block_rows, encode_rows

from umml_cli.errors import UserError
from umml_cli.inputs.picture_files import PictureInZip, check_names, check_pictures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cmh_data import BuiltData, DrawnSplit, PairedDataset
    from cmh_train import Model
    from numpy.typing import NDArray

Side = Literal["image", "text"]
SIDES: tuple[Side, Side] = ("image", "text")
Rows = Literal["all", "train", "query", "retrieval"]
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_PICTURE_BLOCK = 256  # raw items encoded at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedBlock:
    """Some items of a collection, encoded.

    Args:
        rows: `(n,)` int64, rows of the collection.
        outputs: for each modality `(n, bits)` float32 network outputs; a bit is 1 where the value is `>= 0`.
        present: for each modality `(n,)` bool, which items have it.
    """

    rows: NDArray[np.int64]
    outputs: Mapping[Side, NDArray[np.float32]]
    present: Mapping[Side, NDArray[np.bool_]]


class Collection(Protocol):
    """Items that a model can encode, block by block."""

    name: str
    digest: str
    pictures: Path | None
    rows: NDArray[np.int64]

    @property
    def ids(self) -> Sequence[str]:
        """The name of each row."""

    @property
    def label_names(self) -> Sequence[str]:
        """Of the columns of `labels`."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """`(n, n_label)` zeros and ones."""

    def payload(self, row: int) -> dict[str, Any]:
        """What is shown of a row."""

    def encode(self, rows: NDArray[np.int64]) -> EncodedBlock:
        """Encode some rows."""

    @property
    def block(self) -> int:
        """Rows to encode at a time."""


def blocks(collection: Collection) -> Iterator[EncodedBlock]:
    """Encode the chosen rows of a collection, a block at a time, in their order.

    Raises:
        UserError: the network gives NaN for an item, which has no sign.
    """
    for start in range(0, len(collection.rows), collection.block):
        block = collection.encode(collection.rows[start : start + collection.block])
        for side in SIDES:
            broken = block.present[side] & np.isnan(block.outputs[side]).any(axis=1)
            if broken.any():
                row = block.rows[broken.argmax()]
                raise UserError(
                    f"The model gives NaN for the {side} of row {row} of {collection.name}, and that is no "
                    "code; look for features far from those it was trained on, or train it anew."
                )
        yield block


def open_collection(
    location: str,
    model: Model,
    *,
    rows: Rows = "all",
    pictures: Path | None = None,
    split: DrawnSplit | None = None,
    first_row: int | None = None,
) -> Collection:
    """Open a data file, a built-in data set, or a folder (or zip file) of pictures.

    Args:
        location: the file, name or folder.
        model: what will encode it.
        rows: which rows of a data file; of a folder of pictures all of them.
        pictures: the folder with the pictures of a data file, whose ids are their paths in it.
        split: of a data file, drawn in place of its own.
        first_row: from which number the file's split counts rows.

    Raises:
        UserError: if an option does not fit what is opened, or the model has no one code space.
    """
    if not model.method.one_space:
        name = model.description.method
        raise UserError(
            f"{name} ranks images and texts in code spaces of their own, but an index or a file of codes "
            "holds one space; use a model of another method."
        )
    path = Path(location)
    if _holds_pictures(path):
        for option, given in (("--pictures", pictures), ("--split-seed", split), ("--first-row", first_row)):
            if given is not None:
                raise UserError(f"{option} is for data files, but {location} is a folder of pictures.")
        return RawCollection(path, model)
    _refuse_without_pictures(path)
    if pictures is not None:
        check_pictures(pictures)
    return FeatureCollection(_load(location, rows, split, first_row), model, rows, pictures)


def told_apart(ids: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """The names of all rows; of those that share one among `rows`, each has its number behind it."""
    times = Counter(ids[row] for row in rows)
    if len(times) == len(rows):
        return ids
    numbered = [f"{name} (row {row})" for row, name in enumerate(ids)]
    told = [numbered[row] if times[name] > 1 else name for row, name in enumerate(ids)]
    return told if len({told[row] for row in rows}) == len(rows) else numbered


class FeatureCollection:
    """Rows of a data set, which holds features already."""

    def __init__(self, dataset: PairedDataset, model: Model, rows: Rows, pictures: Path | None) -> None:
        self._dataset = dataset
        self._model = model
        self.name = dataset.name
        self.digest = dataset.digest
        self.pictures = None if pictures is None else pictures.resolve()
        self.rows: NDArray[np.int64] = (
            np.arange(len(dataset)) if rows == "all" else getattr(dataset.split, rows)
        )
        self.block = block_rows(model.method)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The names of the rows; those that share one are told apart by their numbers."""
        ids = self._dataset.ids or tuple(map(str, range(len(self._dataset))))
        return told_apart(ids, self.rows)

    @cached_property
    def label_names(self) -> Sequence[str]:
        """The label names, or their numbers."""
        data = self._dataset
        return data.label_names or [f"label {column}" for column in range(data.label.shape[1])]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """`(n, n_label)` zeros and ones."""
        return self._dataset.label

    def payload(self, row: int) -> dict[str, Any]:
        """The row's number, its own text or else its words, and its picture."""
        data = self._dataset
        shown: dict[str, Any] = {"row": row}
        if data.captions and data.captions[row]:
            shown["text"] = data.captions[row]
        elif data.text_vocabulary and data.text_present[row]:
            has = data.text[row : row + 1][0]
            words = [word for word, value in zip(data.text_vocabulary, has, strict=True) if value]
            shown["words"] = " ".join(words)
        if self.pictures is not None and data.image_present[row] and data.ids:
            shown["picture"] = data.ids[row]
        return shown

    def encode(self, rows: NDArray[np.int64]) -> EncodedBlock:
        """Encode some rows."""
        data = self._dataset
        present = {"image": data.image_present, "text": data.text_present}
        features = {"image": data.image, "text": data.text}
        return EncodedBlock(
            rows=rows,
            outputs={
                side: encode_rows(self._model.method, side, features[side], rows, present=present[side])
                for side in SIDES
            },
            present={side: present[side][rows] for side in SIDES},
        )


class RawCollection:
    """Pictures in a folder or zip file, with a table of texts and labels or without."""

    def __init__(self, source: Path, model: Model) -> None:
        self._model = model
        self._built = _build(source)
        self.name = source.resolve().stem
        self.digest = ""
        self.pictures: Path | None = source.resolve()
        self.rows: NDArray[np.int64] = np.arange(len(self._built.ids))
        self.block = block_rows(model.method) if model.depends_on_batch else _PICTURE_BLOCK

    @cached_property
    def ids(self) -> Sequence[str]:
        """The paths of the pictures; rows that share one are told apart by their numbers."""
        return told_apart(self._built.ids, self.rows)

    @property
    def label_names(self) -> Sequence[str]:
        """The label names of the table."""
        return self._built.label_names

    @property
    def labels(self) -> NDArray[np.uint8]:
        """`(n, n_label)` zeros and ones."""
        return self._built.label

    def payload(self, row: int) -> dict[str, Any]:
        """The row's text and the path of its picture."""
        shown: dict[str, Any] = {}
        if self._built.captions[row]:
            shown["text"] = self._built.captions[row]
        if self._built.files[row] is not None:
            shown["picture"] = str(self._built.files[row])
        return shown

    def encode(self, rows: NDArray[np.int64]) -> EncodedBlock:
        """Encode some pictures and texts with the encoders that the model names."""
        outputs = {
            "image": _encode_some(
                self._model.encode_images, [self._built.files[row] for row in rows], self._model.bits
            ),
            "text": _encode_some(
                self._model.encode_texts,
                [self._built.captions[row] or None for row in rows],
                self._model.bits,
            ),
        }
        return EncodedBlock(
            rows=rows,
            outputs={side: np.nan_to_num(outputs[side]) for side in SIDES},
            present={side: np.isfinite(outputs[side][:, 0]) for side in SIDES},
        )


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """What lies in a folder: for each row its id, picture file or None, text or "", and labels."""

    ids: tuple[str, ...]
    files: tuple[Any, ...]
    captions: tuple[str, ...]
    label: NDArray[np.uint8]
    label_names: tuple[str, ...]


def _encode_some(encode: Any, items: Sequence[Any], bits: int) -> NDArray[np.float32]:
    """`(n, bits)` outputs of those items that are there and can be read; NaN elsewhere."""
    outputs = np.full((len(items), bits), np.nan, np.float32)
    there = [place for place, item in enumerate(items) if item is not None]
    if there:
        outputs[there] = encode([items[place] for place in there])
    return outputs


def _load(location: str, rows: Rows, split: DrawnSplit | None, first_row: int | None) -> PairedDataset:
    """Load a data file; labels are not needed here, and a split only where a part of it is asked for."""
    import cmh_data  # noqa: PLC0415 - only where data are read

    try:
        return cmh_data.load(location, unlabelled="keep", split=split, first_row=first_row)
    except cmh_data.MissingPartsError:
        if rows != "all" or split is not None:
            raise
        with contextlib.suppress(cmh_data.DataError):
            return cmh_data.load(location, unlabelled="keep", split=cmh_data.DrawnSplit(seed=0))
        raise


def _build(source: Path) -> _Raw:
    import cmh_data  # noqa: PLC0415 - only where data are read

    names = _names(source)
    if any(name.lower().endswith(TABLES) for name in names) or _has_side_texts(names):
        built: BuiltData = cmh_data.build_folder(source, least_count=1)
        files = built.pictures() if any(built.image_names) else (None,) * len(built)
        return _Raw(
            ids=built.ids,
            files=files,
            captions=built.captions,
            label=built.label,
            label_names=built.label_names,
        )
    pictures = sorted(name for name in names if name.lower().endswith(PICTURES))
    check_names(source, pictures)
    if source.is_dir():
        found: tuple[Any, ...] = tuple(_File(source, name) for name in pictures)
    else:
        archive = zipfile.ZipFile(source)
        found = tuple(PictureInZip(archive, name) for name in pictures)
    return _Raw(
        ids=tuple(pictures),
        files=found,
        captions=("",) * len(pictures),
        label=np.zeros((len(pictures), 0), np.uint8),
        label_names=(),
    )


def _has_side_texts(names: Iterable[str]) -> bool:
    """Whether a picture has a text file of its name beside it."""
    names = list(names)
    texts = {name[: -len(".txt")] for name in names if name.lower().endswith(".txt")}
    return any(name.rpartition(".")[0] in texts for name in names if name.lower().endswith(PICTURES))


@dataclass(frozen=True)
class _File:
    """A picture below a folder; its text is its path there."""

    folder: Path
    name: str

    def __str__(self) -> str:
        return self.name

    def read_bytes(self) -> bytes:
        return (self.folder / self.name).read_bytes()


def unfollowed(location: str) -> list[str]:
    """Say which links to folders lie in a folder; what is behind them is not in the collection."""
    links = [
        Path(folder, name).relative_to(location).as_posix()
        for folder, folders, _ in os.walk(location)
        for name in folders
        if Path(folder, name).is_symlink()
    ]
    if not links:
        return []
    more = f" and {len(links) - 1} more" if len(links) > 1 else ""
    return [f"links to folders are not followed: {min(links)}{more}"]


def _refuse_without_pictures(path: Path) -> None:
    """Refuse a folder in which nothing but tables of texts lies, or nothing at all.

    Raises:
        UserError: it is one.
    """
    if not path.is_dir():
        return
    names = _names(path)
    if all(name.lower().endswith(TABLES) for name in names):
        said = "".join(f"; {note}" for note in unfollowed(str(path)))
        raise UserError(
            f"{path} holds no pictures{said}. Put them into it, beside a table of their texts or without "
            "one, or give a data file."
        )


def _holds_pictures(path: Path) -> bool:
    return any(name.lower().endswith(PICTURES) for name in _names(path))


def _names(path: Path) -> list[str]:
    """The files below a folder or in a zip file, by their paths there; hidden ones are left alone."""
    if path.is_dir():
        found = [one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()]
    elif path.suffix == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    else:
        return []
    return [name for name in found if not any(part.startswith(".") for part in name.split("/"))]
