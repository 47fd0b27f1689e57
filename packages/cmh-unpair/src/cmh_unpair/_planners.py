"""Make plans: the paper's rule and its relatives."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_unpair._checks import as_count, as_percentage, as_seed, one_of
from cmh_unpair._order import Cut, apportion, give_flags, number_labels, rank_rows, spread
from cmh_unpair._plan import DROPPED, NO_IMAGE, NO_TEXT, SHUFFLED, UnpairingPlan
from cmh_unpair._rule import (
    Partial,
    PlanRule,
    RankFrom,
    Select,
    UnpairedTextAt,
    exact,
    round_half_down,
    round_half_up,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

UNPAIRED = NO_TEXT | NO_IMAGE  # to lose one of both


def plan_unpairing(
    n_train: int,
    *,
    unpaired_images: float = 0,
    unpaired_text: float = 0,
    discard: float = 0,
    block: int | None = 100,
    select: Select = "first",
    seed: int | None = None,
    scores: ArrayLike | None = None,
    rank_from: RankFrom = "highest",
    unpaired_text_at: UnpairedTextAt = "end",
    stratify: ArrayLike | None = None,
    partial: Partial = "largest-remainder",
    nested: bool = True,
    shuffle: float = 0,
    shuffle_labels: bool = True,
) -> UnpairingPlan:
    """Plan which training rows lose their partner.

    The rows of a block stand in one order (`select`). From its start come the discarded rows, then the
    unpaired images, then the shuffled rows; from its end come the unpaired texts, or with
    `unpaired_text_at="start"` from the start, in turn with the unpaired images. Unpaired texts without any
    unpaired images or shuffled rows come from the start too. So with the defaults UI20 removes the text of
    rows 0..19 of every 100, UT20 the image of rows 0..19, and 20% of either kind (the paper's 20/20) the
    text of rows 0..19 and the image of rows 80..99; `select="last"` mirrors all of this. No row ever loses
    both.

    Counts are exact: a percentage p gives round(p n / 100) rows, a half up (for unpaired texts at the end of
    the order: down, so that 50/50 of an odd n leaves no pair and removes no row twice). Every full block
    gives its share; what is left over goes where the remainder is largest. Plans that differ in percentages
    only, with the same kinds of unpairing, are nested: what is removed at 20% is removed at 40%.

    Args:
        n_train: Number of training rows.
        unpaired_images: Percentage 0..100 of the training images that keep no text (their text is removed).
        unpaired_text: Percentage 0..100 of the training texts that keep no image (their image is removed).
        discard: Percentage 0..100 of the pairs that are removed.
        block: Rows per block (100 in the paper), or None for the whole set as one block.
        select: Which rows of a block come first: `"first"`, `"last"`, `"random"` (needs `seed`) or `"ranked"`
            (needs `scores`).
        seed: Seed of the random draws; needed by `select="random"` and `shuffle`.
        scores: `(n_train,)` finite floats or integers, such as the training loss of every pair.
        rank_from: Whether the `"highest"` (hardest) or `"lowest"` (easiest) scores come first.
        unpaired_text_at: `"end"`: unpaired texts come from the end of the order, as in the paper; of ranked
            rows these are the easiest where the hardest come first. `"start"`: unpaired images and texts both
            come from the start, in turn, so that the hardest rows lose the one or the other. The rows that
            lose something are nested then; which of both they lose may change.
        stratify: `(n_train,)` integers, classes, or `(n_train, n_label)` multi-hot labels; rows with equal
            labels then form the blocks instead of consecutive rows.
        partial: Treatment of a last block of m < block rows: `"largest-remainder"` gives it p m / 100 rows,
            rounded; `"position"` takes the positions a full block would take, which is what programs of the
            field do and misses the percentage.
        nested: With `select="random"`: False draws anew for every percentage.
        shuffle: Percentage 0..100 of the rows whose texts are exchanged among them; each gets another row's
            text.
        shuffle_labels: Whether a text takes its labels along (AMSH) or not (RUCMH, FlexCMH).

    Returns:
        The plan.

    Raises:
        ValueError: If a percentage is outside 0..100, their sum is over 100, or an argument is missing or has
            no use.

    Example:
        >>> plan = plan_unpairing(10_000, unpaired_images=20)
        >>> plan.counts.without_text, plan.counts.true_pairs
        (2000, 8000)

    Source:
        Unpaired Multimodal Learning, J. Imaging 2022, 8, 328, section 3: UI, UT, UIT and SD.
    """
    rule = PlanRule(
        unpaired_images=as_percentage("unpaired_images", unpaired_images),
        unpaired_text=as_percentage("unpaired_text", unpaired_text),
        discard=as_percentage("discard", discard),
        shuffle=as_percentage("shuffle", shuffle),
        block=as_count("block", block) if block is not None and stratify is None else None,
        select=one_of("select", select, Select),
        partial=one_of("partial", partial, Partial),
        rank_from=one_of("rank_from", rank_from, RankFrom),
        unpaired_text_at=one_of("unpaired_text_at", unpaired_text_at, UnpairedTextAt),
        seed=as_seed(seed),
        stratified=stratify is not None,
        nested=nested,
        shuffle_labels=shuffle_labels,
    )
    n = as_count("n_train", n_train)
    _check_rule(rule, scores=scores)
    keys = _keys(rule, n, scores=scores)
    head, tail = _shares(rule)
    until = [(flag, round_half_up(n * share)) for flag, share in head]
    n_text = round_half_down(n * tail[1])
    if rule.unpaired_text_at == "start" and n_text:
        (_, dropped), (_, unpaired), (_, shuffled) = until
        until = [(DROPPED, dropped), (UNPAIRED, unpaired + n_text), (SHUFFLED, shuffled + n_text)]
        state = _split(rule, n, keys, until, (NO_IMAGE, 0), stratify=stratify, n_text=n_text)
    else:
        state = _split(rule, n, keys, until, (tail[0], n_text), stratify=stratify)
    return UnpairingPlan(rule=rule, state=state, text_index=_exchange(state, rule))


def pdr_plan(
    n_train: int, *, incomplete: float, seed: int, stratify: ArrayLike | None = None
) -> UnpairingPlan:
    """Plan the partial-data-ratio protocol: a random share of the rows loses one modality.

    Half of the incomplete rows lose the text, half the image; of an odd number one more loses the text.
    Plans of one seed are nested.

    Args:
        n_train: Number of training rows.
        incomplete: Percentage 0..100 of the rows that lose one modality.
        seed: Seed of the random order.
        stratify: `(n_train,)` or `(n_train, n_label)` integers, as for `plan_unpairing`.

    Returns:
        The plan.

    Raises:
        ValueError: If `incomplete` is outside 0..100.

    Example:
        >>> counts = pdr_plan(1001, incomplete=50, seed=0).counts
        >>> counts.without_text, counts.without_image, counts.true_pairs
        (251, 250, 500)
    """
    share = as_percentage("incomplete", incomplete)
    n = as_count("n_train", n_train)
    rule = PlanRule(
        kind="pdr",
        unpaired_images=share / 2,
        unpaired_text=share / 2,
        block=None,
        select="random",
        seed=as_seed(seed),
        stratified=stratify is not None,
    )
    _check_rule(rule, scores=None)
    number = round_half_up(n * exact(share) / 100)
    until = [(NO_TEXT, number - number // 2)]
    keys = _keys(rule, n, scores=None)
    state = _split(rule, n, keys, until, (NO_IMAGE, number // 2), stratify=stratify)
    return UnpairingPlan(rule=rule, state=state)


def _check_rule(rule: PlanRule, *, scores: ArrayLike | None) -> None:
    """Refuse what cannot be done or would be ignored."""
    total = sum(
        exact(share) for share in (rule.unpaired_images, rule.unpaired_text, rule.discard, rule.shuffle)
    )
    if total > 100:
        raise ValueError(
            "unpaired_images, unpaired_text, discard and shuffle must be at most 100% together, but they "
            f"are {float(total):g}%; more would empty both sides of a pair"
        )
    draws = rule.select == "random" or rule.shuffle > 0
    if draws and rule.seed is None:
        raise ValueError(
            "seed must be a number because rows are drawn at random, but it is None; pass for example seed=0"
        )
    if not draws and rule.seed is not None:
        raise ValueError(
            f"seed must be None because select={rule.select!r} draws nothing, but it is {rule.seed}; "
            f"leave it out or use select='random'"
        )
    if rule.select == "ranked" and scores is None:
        raise ValueError("scores must be one number per training row for select='ranked', but they are None")
    if rule.select != "ranked" and scores is not None:
        raise ValueError(
            f"scores must be None for select={rule.select!r}, but there are some; use select='ranked'"
        )
    if not rule.nested and rule.select != "random":
        raise ValueError(
            f"nested must be True for select={rule.select!r}, which is always nested, but it is False"
        )
    if rule.partial == "position" and rule.unpaired_text_at == "start":
        raise ValueError("unpaired_text_at must be 'end' for partial='position', but it is 'start'")
    if rule.partial == "position" and (
        rule.select not in ("first", "last") or rule.block is None or rule.shuffle
    ):
        raise ValueError(
            "partial must be 'largest-remainder' unless blocks are consecutive, select is 'first' or 'last' "
            "and nothing is shuffled, but it is 'position'"
        )


def _shares(rule: PlanRule) -> tuple[list[tuple[int, Fraction]], tuple[int, Fraction]]:
    """The flags from the start of the order with their cumulative shares, and the flag from its end."""
    discard, images, shuffle, text = (
        exact(share) / 100 for share in (rule.discard, rule.unpaired_images, rule.shuffle, rule.unpaired_text)
    )
    if not images and not shuffle:
        return [(DROPPED, discard), (NO_IMAGE, discard + text)], (NO_IMAGE, Fraction(0))
    head = [(DROPPED, discard), (NO_TEXT, discard + images), (SHUFFLED, discard + images + shuffle)]
    return head, (NO_IMAGE, text)


def _split(
    rule: PlanRule,
    n: int,
    keys: NDArray[Any] | None,
    until: list[tuple[int, int]],
    tail: tuple[int, int],
    *,
    stratify: ArrayLike | None,
    n_text: int = 0,
) -> NDArray[np.uint8]:
    """Give the flags of a rule.

    Args:
        rule: What was asked.
        n: Number of rows.
        keys: `(n,)` sort keys, None for the rows' own order.
        until: Pairs (flag, rows up to and including this flag) from the start of the order, rising.
        tail: (flag, rows) from the end of the order.
        stratify: Labels of the rows, or None.
        n_text: Rows among those flagged `UNPAIRED` that lose their image.

    Returns:
        `(n,)` flags.
    """
    if stratify is not None:
        group, sizes = number_labels(_labels(stratify, n))
        offsets = spread(len(sizes))
    else:
        block = n if rule.block is None else rule.block
        if rule.partial != "position":
            block = min(block, n)
        n_full, left = divmod(n, block)
        group = np.arange(n) // block
        sizes = np.array([block] * n_full + [left] * (left > 0))
        offsets = np.append(spread(n_full), [0.5] * (left > 0))
    if rule.partial == "position":
        cuts = _cuts_by_position(rule, sizes)
    else:
        cuts = [Cut(tail[0], apportion(sizes, offsets, n - tail[1]), others=True)] if tail[1] else []
        cuts += [Cut(flag, apportion(sizes, offsets, count)) for flag, count in reversed(until) if count]
    rank = rank_rows(keys, group, sizes, reverse=rule.select == "last")
    state = give_flags(rank, group, cuts)
    _share_out(state, rank, group, n_text=n_text)
    return state


def _share_out(
    state: NDArray[np.uint8], rank: NDArray[np.int64], group: NDArray[np.int64], *, n_text: int
) -> None:
    """Give each row that is to lose one of both the flag of one, in turn from the start of the order."""
    rows = np.flatnonzero(state == UNPAIRED)
    if not len(rows):
        return
    rows = rows[np.lexsort((group[rows], rank[rows]))]
    place = np.arange(len(rows) + 1)
    loses_image = np.diff(place * n_text // len(rows)) > 0
    state[rows] = np.where(loses_image, NO_IMAGE, NO_TEXT)


def _cuts_by_position(rule: PlanRule, sizes: NDArray[np.int64]) -> list[Cut]:
    """The same positions in every block, of which a last one that is not full has only some."""
    block = rule.block or 0
    head, tail = _shares(rule)
    numbers = [(flag, block * share) for flag, share in head] + [(tail[0], block - block * tail[1])]
    if any(number.denominator != 1 for _, number in numbers):
        raise ValueError(
            f"partial must be 'largest-remainder' unless a block gives whole numbers of rows, but a share of "
            f"{block} rows is none; use 'largest-remainder' or another block"
        )
    shift = block - sizes if rule.select == "last" else 0 * sizes  # what a last block lacks at its start
    counts = [(flag, np.clip(int(number) - shift, 0, sizes)) for flag, number in numbers]
    cuts = [Cut(flag, number) for flag, number in reversed(counts[:-1])]
    return [Cut(counts[-1][0], counts[-1][1], others=True), *cuts]


def _keys(rule: PlanRule, n: int, *, scores: ArrayLike | None) -> NDArray[Any] | None:
    """What the rows of a block are sorted by; None for first or last rows."""
    if rule.select == "random":
        return _generator(rule).random(n)
    if rule.select != "ranked":
        return None
    keys = _rows_of("scores", scores, n)
    if keys.ndim != 1 or not np.issubdtype(keys.dtype, np.number) or not np.all(np.isfinite(keys)):
        raise ValueError(
            f"scores must be ({n},) finite numbers, but they are {keys.dtype} of shape {keys.shape}"
        )
    keys = keys if keys.dtype in (np.float32, np.float64) else keys.astype(np.float64)
    return -keys if rule.rank_from == "highest" else keys


def _labels(stratify: ArrayLike, n: int) -> NDArray[Any]:
    labels = _rows_of("stratify", stratify, n)
    if labels.ndim not in (1, 2):
        raise ValueError(
            f"stratify must be ({n},) classes or ({n}, n_label) labels, but its shape is {labels.shape}"
        )
    return labels


def _rows_of(name: str, values: ArrayLike | None, n: int) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim == 0 or len(array) != n:
        raise ValueError(f"{name} must have {n} rows, one per training row, but its shape is {array.shape}")
    return array


def _generator(rule: PlanRule) -> np.random.Generator:
    """The source of the order; without nesting every combination of percentages has its own."""
    entropy = [rule.seed or 0, 0]
    if not rule.nested:
        shares = (rule.unpaired_images, rule.unpaired_text, rule.discard, rule.shuffle)
        entropy += [part for share in shares for part in exact(share).as_integer_ratio()]
    return np.random.default_rng(entropy)


def _exchange(state: NDArray[np.uint8], rule: PlanRule) -> NDArray[np.int64] | None:
    """Whose text each row holds: one random cycle through the shuffled rows, so that none keeps its own."""
    rows = np.flatnonzero(state == SHUFFLED)
    if not rule.shuffle or len(rows) == 0:
        return None
    if len(rows) == 1:
        raise ValueError(
            f"shuffle must take at least two rows, but {rule.shuffle:g}% of {len(state)} is one, which has "
            f"no partner to exchange with; take a greater percentage"
        )
    cycle = np.random.default_rng([rule.seed or 0, 1]).permutation(rows)
    text_index = np.arange(len(state))
    text_index[cycle] = np.roll(cycle, 1)
    return text_index
