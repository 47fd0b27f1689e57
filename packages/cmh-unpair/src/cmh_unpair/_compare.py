"""Compare two plans: how much they share, and whether one contains the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from cmh_unpair._plan import SHUFFLED

if TYPE_CHECKING:
    from cmh_unpair._plan import UnpairingPlan


class PlanOverlap(BaseModel):
    """What two plans of the same rows have in common.

    A text is missing where it is removed, shuffled or dropped, an image where it is removed or dropped.

    Attributes:
        same_rows: Rows that both plans treat alike.
        text_missing: Rows without their text in the first plan, in the second, and in both.
        image_missing: Rows without their image in the first plan, in the second, and in both.
        true_pairs: Rows that are true pairs in the first plan, in the second, and in both.
        first_in_second: Whether everything the first plan takes away is taken away by the second.
        second_in_first: The converse.
    """

    model_config = ConfigDict(frozen=True)

    same_rows: int
    text_missing: tuple[int, int, int]
    image_missing: tuple[int, int, int]
    true_pairs: tuple[int, int, int]
    first_in_second: bool
    second_in_first: bool


def compare_plans(first: UnpairingPlan, second: UnpairingPlan) -> PlanOverlap:
    """Compare two plans row by row.

    Args:
        first: A plan.
        second: A plan of as many rows.

    Returns:
        Counts and whether one plan lies inside the other.

    Raises:
        ValueError: If the plans speak of different numbers of rows.

    Example:
        >>> from cmh_unpair import plan_unpairing
        >>> twenty, forty = (plan_unpairing(1000, unpaired_images=p) for p in (20, 40))
        >>> compare_plans(twenty, forty).first_in_second
        True
    """
    if len(first) != len(second):
        raise ValueError(
            f"second must be a plan of {len(first)} rows, as the first, but it is one of {len(second)}"
        )
    texts = [~plan.text_present | ((plan.state & SHUFFLED) != 0) for plan in (first, second)]
    images = [~plan.image_present for plan in (first, second)]
    pairs = [plan.true_pair for plan in (first, second)]
    in_text, in_image = texts[0] & texts[1], images[0] & images[1]

    def three(masks: list[np.ndarray]) -> tuple[int, int, int]:
        one, two, both = (int(np.count_nonzero(mask)) for mask in (*masks, masks[0] & masks[1]))
        return one, two, both

    return PlanOverlap(
        same_rows=int(np.count_nonzero(first.state == second.state)),
        text_missing=three(texts),
        image_missing=three(images),
        true_pairs=three(pairs),
        first_in_second=bool(np.array_equal(in_text, texts[0]) and np.array_equal(in_image, images[0])),
        second_in_first=bool(np.array_equal(in_text, texts[1]) and np.array_equal(in_image, images[1])),
    )
