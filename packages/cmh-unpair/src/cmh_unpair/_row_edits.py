"""From a plan to what happens to the rows of each array of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from cmh_files.row_edit import RowEdit

if TYPE_CHECKING:
    from cmh_files.key_names import Role, Shapes
    from numpy.typing import NDArray

    from cmh_unpair._plan import UnpairingPlan


def row_edits(
    shapes: Shapes,
    axes: dict[str, int],
    keys: dict[Role, list[str]],
    *,
    plan: UnpairingPlan,
    training: NDArray[np.int64],
    marker: Literal["none", "text", "both"],
    fill: Literal["zero", "mean"],
) -> list[RowEdit]:
    """Say for every array which of its items are removed and how."""
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
                    f"marker must be 'none' unless the arrays have two axes, but {key} is {shapes[key]}; "
                    f"use marker='text' or 'none'"
                )
            touched = not present.all()
            places.append(
                RowEdit(
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
