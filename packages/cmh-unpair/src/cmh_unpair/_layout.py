"""Which format a file has, which of its arrays are images and texts, and along which axis their items lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_unpair._plan import UnpairingPlan

Format = Literal["hdf5", "matlab-7.3", "matlab-5"]
Role = Literal["image", "text"]
Shapes = dict[str, tuple[int, ...]]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
KEYS: dict[Role, tuple[str, ...]] = {
    "image": ("IAll", "XAll", "FAll", "images", "image", "imgs", "img", "I"),
    "text": ("YAll", "texts", "text", "tags", "tag", "caption", "caption_one_hot", "T"),
}
LABEL_KEYS = ("LAll", "labels", "label", "category", "L")
MASK_KEYS: dict[Role, str] = {"image": "image_present", "text": "text_present"}
PLAN_KEY = "unpairing_plan"


@dataclass(frozen=True)
class ArrayPlace:
    """One array of a file that a plan speaks of.

    Attributes:
        key: Its name in the file.
        role: `"image"` or `"text"`.
        shape: Its shape, as h5py (HDF5, MATLAB 7.3) or SciPy (MATLAB 5) shows it.
        axis: The axis of the items.
        present: (n,) items that are not emptied.
        training: (n,) items that are training rows.
        marker: Whether a marker is added to every item.
        mean: Whether emptied items hold the mean instead of zeros.
        integers: Whether values become int64.
    """

    key: str
    role: Role
    shape: tuple[int, ...]
    axis: int
    present: NDArray[np.bool_]
    training: NDArray[np.bool_]
    marker: bool
    mean: bool
    integers: bool

    @property
    def n(self) -> int:
        """Number of items."""
        return self.shape[self.axis]

    @property
    def averaged(self) -> NDArray[np.bool_]:
        """(n,) items whose mean fills the emptied ones: the training rows that are still present."""
        return self.present & self.training


def detect_format(path: Path) -> Format:
    """Tell the format from the bytes; names and extensions say nothing."""
    with path.open("rb") as file:
        head = file.read(512)
        size = path.stat().st_size
        offset = 0
        while offset < size:
            file.seek(offset)
            if file.read(8) == HDF5_SIGNATURE:
                return "matlab-7.3" if head.startswith(b"MATLAB 7.3") else "hdf5"
            offset = max(512, 2 * offset)
    if head[124:128] in (b"\x00\x01IM", b"\x01\x00MI"):
        return "matlab-5"
    raise ValueError(
        f"source: expected an HDF5, MATLAB 5 or MATLAB 7.3 file, got {path.name}, which is none of these"
    )


def choose_keys(shapes: Shapes, role: Role, asked: str | Sequence[str] | None) -> list[str]:
    """The arrays of a role: those asked for, or all that bear one of the field's names."""
    if asked is None:
        return [key for key in KEYS[role] if key in shapes]
    keys = [asked] if isinstance(asked, str) else list(asked)
    for key in keys:
        if key not in shapes:
            raise ValueError(
                f"{role}_key: expected one of {', '.join(sorted(shapes)) or 'no array'}, got {key!r}"
            )
    return keys


def locate(
    shapes: Shapes,
    keys: dict[Role, list[str]],
    *,
    plan: UnpairingPlan,
    last_row: int | None,
    item_axis: Mapping[str, int],
) -> tuple[int, dict[str, int]]:
    """Find the number of items, which all arrays share, and the axis it is found on.

    Args:
        shapes: Shapes of all arrays of the file.
        keys: The arrays of each role.
        plan: The plan; without `last_row` the file holds exactly its rows.
        last_row: The greatest training row, or None.
        item_axis: Axes that the user names.

    Returns:
        The number of items and the axis for every key.

    Raises:
        ValueError: If no number fits, or several do.
    """
    named = [key for role_keys in keys.values() for key in role_keys]
    if not named:
        raise ValueError(
            f"source: expected an array of images ({', '.join(KEYS['image'])}) or of texts "
            f"({', '.join(KEYS['text'])}), got {', '.join(sorted(shapes)) or 'no array'}; "
            f"name one with image_key or text_key"
        )
    shown = ", ".join(f"{key} {shapes[key]}" for key in named)
    for key in item_axis:
        if key not in named or not 0 <= item_axis[key] < len(shapes[key]):
            raise ValueError(f"item_axis: expected axes of {shown}, got {key!r}: {item_axis[key]}")
    options = [{shapes[key][item_axis[key]]} if key in item_axis else set(shapes[key]) for key in named]
    sizes = {size for size in options[0] if all(size in option for option in options)}
    if last_row is None and plan.n_train not in sizes:
        raise ValueError(
            f"rows: no axis of {shown} has the {plan.n_train} rows of the plan; "
            f"name the training rows, for example rows=range({plan.n_train})"
        )
    sizes = {plan.n_train} if last_row is None else {size for size in sizes if size > last_row}
    if len(sizes) > 1:
        sizes = {size for size in sizes if all(size in shapes[key] for key in LABEL_KEYS if key in shapes)}
    if len(sizes) != 1:
        raise ValueError(
            f"source: expected one number of items shared by {shown} and greater than every training row, "
            f"got {sorted(sizes) or 'none'}; name the axes, for example item_axis={{{named[0]!r}: 0}}"
        )
    n = sizes.pop()
    axes = {}
    for key in named:
        fitting = (
            [item_axis[key]] if key in item_axis else [a for a, size in enumerate(shapes[key]) if size == n]
        )
        if len(fitting) > 1:
            raise ValueError(
                f"source: {key} {shapes[key]} has {n} on several axes, so its items cannot be told; "
                f"name the axis, for example item_axis={{{key!r}: 0}}"
            )
        axes[key] = fitting[0]
    return n, axes


def place_arrays(
    shapes: Shapes,
    axes: dict[str, int],
    keys: dict[Role, list[str]],
    *,
    plan: UnpairingPlan,
    training: NDArray[np.int64],
    marker: Literal["none", "text", "both"],
    fill: Literal["zero", "mean"],
) -> list[ArrayPlace]:
    """Say for every array which of its items are emptied and how."""
    places = []
    for role, role_keys in keys.items():
        kept = plan.image_present if role == "image" else plan.text_present
        for key in role_keys:
            n = shapes[key][axes[key]]
            present = np.ones(n, dtype=np.bool_)
            present[training[~kept & plan.kept]] = False
            of_training = np.zeros(n, dtype=np.bool_)
            of_training[training[plan.kept]] = True
            wants_marker = marker == "both" or (marker == "text" and role == "text")
            if wants_marker and len(shapes[key]) != 2:
                raise ValueError(
                    f"marker: expected {key} to have two axes to add a marker to, got shape {shapes[key]}; "
                    f"use marker='text' or 'none'"
                )
            touched = not present.all()
            places.append(
                ArrayPlace(
                    key=key,
                    role=role,
                    shape=shapes[key],
                    axis=axes[key],
                    present=present,
                    training=of_training,
                    marker=wants_marker,
                    mean=fill == "mean" and touched,
                    integers=plan.rule.integer_cast and touched,
                )
            )
    return places
