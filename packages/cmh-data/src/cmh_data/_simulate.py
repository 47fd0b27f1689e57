"""Simulated data of any size, with shapes and statistics like the field's data sets, for tests of scale."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_data._dataset.assemble import assemble
from cmh_data._dataset.random_split import random_split
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import PairedDataset

Like = Literal["mirflickr25k", "nuswide-tc21"]

# Rows with each label of MIR-Flickr25K (DCMH cut, 20,015 rows), animals to water, as counted in the data.
_MIR_LABELS = (
    2647, 179, 644, 986, 3230, 581, 4614, 1554, 813, 6320, 704, 4743,
    2243, 7848, 7413, 2740, 811, 1133, 6818, 8463, 1840, 2450, 3981, 2885,
)  # fmt: skip
# NUS-WIDE's are assumed, since no file of it was at hand: a falling series from 35% to 2%, about two labels
# per row.
_SHAPES: dict[str, tuple[int, int, float]] = {
    # rows, words, mean words per row
    "mirflickr25k": (20015, 1386, 4.64),
    "nuswide-tc21": (195834, 1000, 6.0),
}
_BLOCK = 64  # rows drawn together


def simulate(
    like: Like = "mirflickr25k",
    *,
    n: int | None = None,
    image_width: int = 4096,
    pixel_size: int | None = None,
    strength: float = 1.0,
    seed: int = 0,
) -> PairedDataset:
    """Draw a data set that looks like a published one in size and statistics, and is not it.

    Labels come from a Gaussian copula: each has the frequency of its model (MIR-Flickr25K's are counted in
    the data, NUS-WIDE's are assumed), and a few shared factors make some occur together. Words follow Zipf's
    law; half of a row's words belong to one of its labels. Image features are rectified noise around the sum
    of the labels' directions. Images are drawn when they are read, so that any size fits. Its name begins
    with "simulated", and `inspect` says so.

    Args:
        like: whose sizes and statistics to take.
        n: number of rows; None: as many as the model.
        image_width: width of the image features.
        pixel_size: draw `(n, 3, pixel_size, pixel_size)` pixels instead of features.
        strength: how far the labels move an image, in units of the noise; 0: images carry nothing.
        seed: of the random numbers.

    Returns:
        The data set, with a tenth of the rows, at most 2,000, as queries, and up to 10,000 training rows.

    Raises:
        DataError: an argument is out of range.

    Example:
        >>> data = simulate(n=500, image_width=32)
        >>> data.name, data.image.shape, data.text.shape, data.label.shape
        ('simulated-mirflickr25k', (500, 32), (500, 1386), (500, 24))
    """
    if like not in _SHAPES:
        raise DataError(f"like must be one of {', '.join(_SHAPES)}, but it is {like!r}.")
    rows, n_word, words_per_row = _SHAPES[like]
    n = rows if n is None else n
    if n < 20 or image_width < 1 or strength < 0 or (pixel_size is not None and pixel_size < 1):
        raise DataError(
            "n must be at least 20, image_width and pixel_size at least 1 and strength at least 0, "
            f"but they are {n}, {image_width}, {pixel_size} and {strength}."
        )
    rng = np.random.default_rng(seed)
    labels = _labels(rng, n, _frequencies(like))
    n_query = min(2000, n // 10)
    split = random_split(n, n_query=n_query, n_train=min(10_000, n - n_query), seed=seed)
    shape = (image_width,) if pixel_size is None else (3, pixel_size, pixel_size)
    return assemble(
        image=SimulatedImages(labels, shape, strength, seed),
        text=_words(rng, labels, n_word, words_per_row),
        labels=labels,
        train=split.train,
        query=split.query,
        retrieval=split.retrieval,
        label_names=[f"label{number}" for number in range(labels.shape[1])],
        text_vocabulary=[f"word{number}" for number in range(n_word)],
        name=f"simulated-{like}",
        provenance={
            "simulated": True,
            "like": like,
            "seed": seed,
            "strength": strength,
            "label_frequencies": "counted in the data" if like == "mirflickr25k" else "assumed",
        },
    )


class SimulatedImages:
    """Rows that are drawn when they are read, the same each time."""

    def __init__(self, labels: NDArray[np.uint8], shape: tuple[int, ...], strength: float, seed: int) -> None:
        self._labels, self._strength, self._seed = labels, np.float32(strength), seed
        self.shape: tuple[int, ...] = (len(labels), *shape)
        self.dtype: np.dtype[Any] = np.dtype(np.float32 if len(shape) == 1 else np.uint8)
        rng = np.random.default_rng([seed, 1])
        self._directions = rng.standard_normal((labels.shape[1], int(np.prod(shape))), dtype=np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        wanted = np.arange(len(self))[rows]
        flat = np.atleast_1d(wanted)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        for block in np.unique(flat // _BLOCK):
            inside = flat // _BLOCK == block
            out[inside] = self._block(int(block))[flat[inside] - block * _BLOCK]
        return out[0] if wanted.ndim == 0 else out

    def _block(self, block: int) -> NDArray[Any]:
        labels = self._labels[block * _BLOCK : (block + 1) * _BLOCK].astype(np.float32)
        rng = np.random.default_rng([self._seed, 2, block])
        values = rng.standard_normal((len(labels), self._directions.shape[1]), dtype=np.float32)
        weights = self._strength * labels / np.sqrt(labels.sum(axis=1, keepdims=True))
        for label in np.flatnonzero(
            labels.any(axis=0)
        ):  # no matrix product: its last digits depend on the machine
            rows = np.flatnonzero(labels[:, label])
            values[rows] += weights[rows, label, None] * self._directions[label]
        if self.dtype == np.float32:
            return np.maximum(values, 0, out=values)
        pixels = np.clip(128 + 40 * values, 0, 255).astype(np.uint8)
        return pixels.reshape(len(labels), *self.shape[1:])


def _frequencies(like: str) -> NDArray[np.float64]:
    if like == "mirflickr25k":
        return np.array(_MIR_LABELS) / 20015
    return np.geomspace(0.35, 0.02, 21)


def _labels(rng: np.random.Generator, n: int, frequencies: NDArray[np.float64]) -> NDArray[np.uint8]:
    loadings = rng.normal(scale=0.35, size=(len(frequencies), 4))
    own = np.sqrt(np.maximum(0.1, 1 - (loadings**2).sum(axis=1)))
    latent = rng.standard_normal((n, 4)) @ loadings.T + own * rng.standard_normal((n, len(frequencies)))
    spread = np.sqrt((loadings**2).sum(axis=1) + own**2)
    thresholds = spread * np.array([NormalDist().inv_cdf(1 - share) for share in frequencies])
    labels = latent > thresholds
    empty = np.flatnonzero(~labels.any(axis=1))
    labels[empty, rng.choice(len(frequencies), len(empty), p=frequencies / frequencies.sum())] = True
    table: NDArray[np.uint8] = labels.astype(np.uint8)
    return table


def _words(
    rng: np.random.Generator, labels: NDArray[np.uint8], n_word: int, words_per_row: float
) -> NDArray[np.uint8]:
    n, n_label = labels.shape
    zipf = 1 / (np.arange(n_word) + 20.0)  # flattened at the head, as Flickr's tags are
    zipf /= zipf.sum()
    counts = 1 + rng.poisson(words_per_row - 1, n)
    row = np.repeat(np.arange(n), counts)
    word = rng.choice(n_word, len(row), p=zipf)
    home = rng.permutation(n_word) % n_label  # the label that each word belongs to
    score = rng.random(labels.shape) * labels
    topic = score.argmax(axis=1)[row]  # one of the row's labels
    for label in range(n_label):
        chosen = np.flatnonzero((topic == label) & (rng.random(len(row)) < 0.5))
        own = np.flatnonzero(home == label)
        word[chosen] = rng.choice(own, len(chosen), p=zipf[own] / zipf[own].sum())
    text = np.zeros((n, n_word), np.uint8)
    text[row, word] = 1
    return text
