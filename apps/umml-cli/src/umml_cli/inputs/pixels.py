"""Pixels as features: encoded once for rankings, and in training as features of random crops."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from umml_cli.errors import UserError
from umml_cli.inputs.encoding import Encoders, report_skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import cmh_features
    from cmh_data import PairedDataset, RowArray
    from numpy.typing import NDArray

_CROP = 224 / 256  # side of a crop, of the shorter side of the image


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels behind the features of a data set.

    Args:
        image: `(n, 3, height, width)` uint8.
        encoder: what made features of them.
    """

    image: RowArray
    encoder: cmh_features.Encoder

    def crops_of(self, rows: NDArray[np.int64]) -> RandomCrops:
        """Views for `cmh_train.fit`.

        Args:
            rows: `(n_train,)` int64, rows of the data set that are trained on.
        """
        return RandomCrops(self, rows)


class RandomCrops:
    """Features of training images, half of them flipped, each of a random square of 7/8 of the shorter side.

    Those are the crops of 224 from 256 pixels that the authors' programs of CFRH and CAGAN take. An encoder
    that cuts the middle out of a picture by its own rule does so with the crop, too.

    Args:
        pixels: where the images are.
        rows: `(n_train,)` int64, the row of each training row.
    """

    def __init__(self, pixels: Pixels, rows: NDArray[np.int64]) -> None:
        self._pixels, self._rows = pixels, rows
        identity = json.dumps(dict(pixels.encoder.identity.to_json()), sort_keys=True)
        self.digest = hashlib.sha256(f"random crops 1 {identity}".encode()).hexdigest()

    def draw(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """Encode a new crop of each row; see `cmh_train.ImageViews`."""
        crops = [_crop(self._pixels.image[int(row)], rng) for row in self._rows[rows]]
        encoded = self._pixels.encoder.encode_images(crops)
        if encoded.skipped:
            raise UserError(
                f"A crop of training row {rows[encoded.skipped[0].row]} {encoded.skipped[0].reason}; "
                "leave --random-crops out, or take another encoder."
            )
        return np.asarray(encoded.features)


def _crop(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a random square out of `(3, height, width)` pixels and flip it or not: `(side, side, 3)`."""
    _, height, width = image.shape
    side = max(1, round(min(height, width) * _CROP))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    crop = image[:, top : top + side, left : left + side].transpose(1, 2, 0)
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


class _Pictures:
    """The images of a data set as `encode_images` takes them, read one by one; None where there is none."""

    def __init__(self, dataset: PairedDataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, row: int) -> NDArray[np.uint8] | None:
        if not self._dataset.image_present[row]:
            return None
        return np.ascontiguousarray(self._dataset.image[row].transpose(1, 2, 0))


def encode_pixels(
    dataset: PairedDataset,
    encoder: str,
    out: Path,
    *,
    say: Callable[[str], None],
    progress: Callable[[str], Callable[[cmh_features.Progress], None]],
) -> tuple[PairedDataset, Pixels]:
    """Encode the images of a data set of pixels as they are.

    The features are kept in a file in `out`, so that a stopped encoding continues there, and later runs find
    them.

    Args:
        dataset: a data set of pixels.
        encoder: name of the encoder.
        out: folder of that file.
        say: prints one line.
        progress: makes a callback for what it is given the name of.

    Returns:
        The data set with features in the place of pixels, and the pixels.

    Raises:
        UserError: the images are features already, or the encoder encodes no images.
    """
    if len(dataset.image.shape) != 4:
        raise UserError(
            f"--image-encoder is for data with pixels, but the images of {dataset.name} are features of "
            f"{dataset.image.shape[1]} numbers already; leave it out."
        )
    loaded = Encoders(encoder).load(encoder, "image")
    identity = dict(loaded.identity.to_json())
    key = hashlib.sha256(json.dumps([dataset.digest, identity], sort_keys=True).encode()).hexdigest()[:16]
    out.mkdir(parents=True, exist_ok=True)
    pictures: Any = _Pictures(dataset)
    encoded = loaded.encode_images(pictures, out=out / f"images-{key}.npy", progress=progress("images"))
    present = dataset.image_present & encoded.present
    if not present.any():
        raise UserError(f"No image of {dataset.name} could be encoded: {encoded.skipped[0].reason}.")
    if not np.array_equal(present, dataset.image_present):
        report_skipped("images", encoded, say)
    made = {**dataset.provenance.get("encoders", {}), "image": identity}
    features = replace(
        dataset,
        image=np.asarray(encoded.features),
        image_present=present,
        stored_digest=None,
        provenance={**dataset.provenance, "encoders": made},
    )
    return features, Pixels(dataset.image, loaded)
