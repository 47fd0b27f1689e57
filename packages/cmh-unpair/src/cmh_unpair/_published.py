"""The selection that the UMML authors' released script really makes, as named options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_unpair._checks import as_count, as_percentage, one_of
from cmh_unpair._plan import NO_IMAGE, NO_TEXT, UnpairingPlan
from cmh_unpair._rule import EmptyScope, PlanRule, TextRows, exact

if TYPE_CHECKING:
    from numpy.typing import NDArray


def published_2022_plan(
    n_train: int = 10_000,
    *,
    unpaired_images: float = 0,
    unpaired_text: float = 0,
    text_rows: TextRows = "back",
    cycle: int = 99,
    empty_scope: EmptyScope = "train",
    n_rows: int | None = None,
    integer_cast: bool = False,
) -> UnpairingPlan:
    """Repeat what the released script does, its mistakes included; use it to repeat published numbers only.

    A counter runs over the rows and starts again at 0 after `cycle` rows. The script removes an image where
    the counter is below p, a text where it is below p (`text_rows="front"`) or above 100 - p (`"back"`). With
    the released cycle of 99, 20% is therefore 20.2% in front and 18.2% at the back, and 50/50 leaves 1%
    true pairs. Rows that fall under both rules lose both modalities.

    Args:
        n_train: Training rows; the script has 10,000.
        unpaired_images: Percentage p of the rule that removes texts.
        unpaired_text: Percentage p of the rule that removes images.
        text_rows: Which texts are removed: `"back"` as in the `-back` files that most loaders combine with
            the removed images, `"front"` as in the files of unpaired images alone. Front texts with front
            images, which the DADH loader for MIR-Flickr joins, empty the same rows twice.
        cycle: Length of the counter; 99 as released, 100 as presumably meant.
        empty_scope: `"all-rows"` removes images in all `n_rows` rows, queries included, as the script's loop
            over MIR-Flickr pixels does; the plan then speaks of all rows of the file. `"whole-array"` removes
            every image as soon as one is chosen, as its loop over NUS-WIDE features does, which assigns to
            the array instead of its row. (The script's file then holds one vector of zeros for all rows;
            here the array keeps its shape.)
        n_rows: Rows of the whole data set, for every other scope than `"train"` (20,015 for MIR-Flickr).
        integer_cast: Cast every matrix that is rewritten to integers, as the script does; features are
            truncated.

    Returns:
        The plan, of `n_train` rows, or of `n_rows` rows for every other scope than `"train"`.

    Raises:
        ValueError: If a percentage is outside 0..100 or `n_rows` does not fit `empty_scope`.

    Example:
        >>> plan = published_2022_plan(unpaired_images=50, unpaired_text=50)
        >>> plan.counts.without_image, plan.counts.without_text, plan.counts.true_pairs
        (5051, 4848, 101)

    Source:
        The unpairing script of the UMML repository, as it stood at the paper's publication.
    """
    n_train = as_count("n_train", n_train)
    scope = one_of("empty_scope", empty_scope, EmptyScope)
    if scope != "train" and (n_rows is None or n_rows < n_train):
        raise ValueError(
            f"n_rows must be the rows of the whole data set, at least n_train = {n_train}, for "
            f"empty_scope={scope!r}, but it is {n_rows}"
        )
    if scope == "train" and n_rows is not None:
        raise ValueError(
            f"n_rows must be None for empty_scope='train', but it is {n_rows}; it would have no effect"
        )
    rule = PlanRule(
        kind="published-2022",
        unpaired_images=as_percentage("unpaired_images", unpaired_images),
        unpaired_text=as_percentage("unpaired_text", unpaired_text),
        block=None,
        text_rows=one_of("text_rows", text_rows, TextRows),
        cycle=cycle,
        empty_scope=scope,
        integer_cast=integer_cast,
    )
    n = n_train if n_rows is None else as_count("n_rows", n_rows)
    counter = np.arange(min(as_count("cycle", cycle), n))
    images = _repeat(_front(counter, unpaired_text), n)
    texts = _front(counter, unpaired_images) if text_rows == "front" else _back(counter, unpaired_images)
    state = images.view(np.uint8) * np.uint8(NO_IMAGE)
    if scope == "whole-array" and images.any():
        state[:] = NO_IMAGE
    state[:n_train] |= _repeat(texts, n_train).view(np.uint8) * np.uint8(NO_TEXT)
    return UnpairingPlan(rule=rule, state=state)


def _repeat(cycle: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    return np.asarray(np.tile(cycle, -(-n // len(cycle)))[:n])


def _front(counter: NDArray[np.int64], percentage: float) -> NDArray[np.bool_]:
    return np.asarray(counter < float(exact(percentage)))


def _back(counter: NDArray[np.int64], percentage: float) -> NDArray[np.bool_]:
    return np.asarray(counter > float(100 - exact(percentage)))
