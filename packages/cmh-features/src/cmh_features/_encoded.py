"""Features with what is known about them: which rows are there, what was skipped, what made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Skipped(NamedTuple):
    """One item that has no feature.

    Args:
        row: its row.
        name: its path, or "" where it has none.
        reason: why it was skipped, as the end of a sentence that begins with the item.
    """

    row: int
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Encoded:
    """The result of encoding `n` items.

    `numpy.asarray(encoded)`, `encoded[rows]` and `len(encoded)` act on the features.

    Args:
        features: `(n, width)` float32, zeros where nothing could be encoded; a memory map if it is in a file.
        skipped: the items without a feature, by row.
        identity: the encoder, as `Identity.to_json` gives it.
    """

    features: NDArray[np.float32]
    skipped: tuple[Skipped, ...]
    identity: Mapping[str, str]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows hold a feature, `(n,)` bool."""
        present = np.ones(len(self.features), np.bool_)
        present[[one.row for one in self.skipped]] = False
        return present

    @property
    def shape(self) -> tuple[int, int]:
        """Number of items and width."""
        n, width = self.features.shape
        return n, width

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        chosen: NDArray[np.float32] = self.features[rows]
        return chosen

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.features, dtype=dtype, copy=copy)


def load_features(path: str | os.PathLike[str]) -> Encoded:
    """Open features that `encode_images` or `encode_texts` wrote to a file, as a memory map.

    Args:
        path: the `.npy` file; the `.json` file beside it is read too.

    Returns:
        The features, with what was skipped and what made them.

    Raises:
        ValueError: if one of the files is missing or is none of these.

    Example:
        >>> import tempfile
        >>> from cmh_features import load_encoder
        >>> folder = tempfile.TemporaryDirectory()
        >>> encoder = load_encoder("bag-of-words").fit(["red apple"])
        >>> _ = encoder.encode_texts(["apple", ""], out=folder.name + "/words.npy")
        >>> load_features(folder.name + "/words.npy").present.tolist()
        [True, False]
        >>> folder.cleanup()
    """
    path = Path(path)
    record_path = path.with_suffix(".json")
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        features = np.load(path, mmap_mode="r", allow_pickle=False)
        skipped = tuple(Skipped(int(row), str(name), str(why)) for row, name, why in record["skipped"])
        identity = record["encoder"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} and {record_path.name} beside it must be files that an encoder wrote with out=..., "
            f"but they cannot be read ({error}); encode again"
        ) from error
    return Encoded(features=features, skipped=skipped, identity=identity)
