from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from cmh_unpair import compare_plans, pdr_plan, plan_unpairing, published_2022_plan
from cmh_unpair._rule import round_half_down, round_half_up
from hypothesis import given, settings
from hypothesis import strategies as st

PERCENTAGES = st.one_of(st.integers(0, 100), st.integers(0, 1000).map(lambda tenths: tenths / 10))
CUTS = st.lists(
    st.one_of(st.integers(0, 1000), st.integers(0, 100).map(lambda p: 10 * p)), min_size=3, max_size=3
)
SHARES = CUTS.map(
    lambda cuts: [part / 10 for part in np.diff([0, *sorted(cuts)]).tolist()]
)  # at most 100% together
SELECTIONS = ("first", "last", "random", "ranked")


def arguments(select: str, n: int) -> dict:
    extra = {"random": {"seed": 3}, "ranked": {"scores": np.cos(np.arange(n))}}
    return {"select": select} | extra.get(select, {})


def test_the_papers_rules_by_hand():
    def removed(**shares):
        plan = plan_unpairing(10, block=5, **shares)
        return "".join(
            "T" if not t else "I" if not i else "."
            for i, t in zip(plan.image_present, plan.text_present, strict=True)
        )

    assert removed(unpaired_images=40) == "TT...TT..."
    assert removed(unpaired_text=40) == "II...II..."
    assert removed(unpaired_images=40, unpaired_text=20) == "TT..ITT..I"
    assert removed(unpaired_images=40, unpaired_text=20, select="last") == "I..TTI..TT"
    assert removed(unpaired_images=100) == "TTTTTTTTTT"
    assert removed() == ".........."


def test_discarded_rows_come_first():
    plan = plan_unpairing(10, discard=20, unpaired_images=20, unpaired_text=10, block=10)
    np.testing.assert_array_equal(np.flatnonzero(~plan.kept), [0, 1])
    np.testing.assert_array_equal(np.flatnonzero(plan.kept & ~plan.text_present), [2, 3])
    np.testing.assert_array_equal(np.flatnonzero(plan.kept & ~plan.image_present), [9])


def test_ten_thousand_rows_keep_exactly_what_is_asked():
    for p in range(101):
        assert plan_unpairing(10_000, unpaired_images=p).counts.without_text == 100 * p
    half = plan_unpairing(10_000, unpaired_images=50, unpaired_text=50).counts
    assert (half.without_text, half.without_image, half.true_pairs) == (5000, 5000, 0)


@pytest.mark.parametrize("select", SELECTIONS)
@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 700),
    block=st.one_of(st.none(), st.integers(1, 300), st.just(100)),
    shares=SHARES,
)
def test_counts_are_exact_and_disjoint(select, n, block, shares):
    images, text, discard = shares
    plan = plan_unpairing(
        n, unpaired_images=images, unpaired_text=text, discard=discard, block=block, **arguments(select, n)
    )
    images, text, discard = (Fraction(str(share)) * n / 100 for share in shares)
    counts = plan.counts
    assert counts.dropped == round_half_up(discard)
    if images:
        assert counts.without_text == round_half_up(discard + images) - round_half_up(discard)
        assert counts.without_image == round_half_down(text)
    else:
        assert counts.without_image == round_half_up(discard + text) - round_half_up(discard)
    assert abs(counts.without_text - images) < 1
    assert abs(counts.without_image - text) < 1
    assert counts.without_both == 0
    assert counts.true_pairs == n - counts.without_text - counts.without_image - counts.dropped
    assert np.all(plan.image_present | plan.text_present | ~plan.kept)


@pytest.mark.parametrize("select", SELECTIONS)
@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 700),
    block=st.one_of(st.none(), st.integers(1, 300), st.just(100)),
    upper=SHARES,
    parts=st.tuples(*[st.integers(0, 10)] * 3),
)
def test_rising_percentages_are_nested(select, n, block, upper, parts):
    names = ("unpaired_images", "unpaired_text", "discard")
    lower = [round(10 * share) * part // 10 / 10 for share, part in zip(upper, parts, strict=True)]
    lower[0] = lower[0] or upper[0]  # without unpaired images the unpaired texts come from the other end
    plans = [
        plan_unpairing(n, block=block, **dict(zip(names, shares, strict=True)), **arguments(select, n))
        for shares in (lower, upper)
    ]
    assert compare_plans(*plans).first_in_second


@settings(max_examples=25, deadline=None)
@given(n=st.integers(100, 2000), percentage=st.integers(0, 100))
def test_every_full_block_gives_its_share(n, percentage):
    for select in ("first", "last", "random", "ranked"):
        plan = plan_unpairing(n, unpaired_images=percentage, **arguments(select, n))
        full = ~plan.text_present[: n // 100 * 100].reshape(-1, 100)
        assert np.all(full.sum(axis=1) == percentage)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 500), lower=PERCENTAGES, upper=PERCENTAGES, seed=st.integers(0, 5))
def test_pdr_splits_incomplete_rows_in_halves(n, lower, upper, seed):
    lower, upper = sorted([lower, upper])
    plans = [pdr_plan(n, incomplete=share, seed=seed) for share in (lower, upper)]
    for plan, share in zip(plans, (lower, upper), strict=True):
        counts = plan.counts
        assert counts.without_text + counts.without_image == round_half_up(Fraction(str(share)) * n / 100)
        assert 0 <= counts.without_text - counts.without_image <= 1
    assert compare_plans(*plans).first_in_second


def test_position_rule_of_the_original_programs():
    # a last block of 30 rows: positions below p, and from 100 - p / 2 on
    def numbers(**shares):
        counts = plan_unpairing(230, partial="position", **shares).counts
        return counts.without_text, counts.without_image

    assert numbers(unpaired_images=20) == (60, 0)
    assert numbers(unpaired_images=80) == (190, 0)
    assert numbers(unpaired_images=20, unpaired_text=20) == (60, 40)
    assert numbers(unpaired_images=10, unpaired_text=80) == (30, 170)
    assert numbers(unpaired_images=20, unpaired_text=80, select="last") == (40, 190)
    for row, p in itertools.product(range(230), (5, 20, 75)):
        plan = plan_unpairing(230, unpaired_images=p, partial="position")
        assert plan.text_present[row] == (row % 100 >= p)


def test_ranked_takes_the_hardest_or_the_easiest():
    scores = np.array([3.0, 9.0, 1.0, 5.0, 5.0])
    options = {"block": None, "select": "ranked", "scores": scores}
    hardest = plan_unpairing(5, unpaired_images=40, unpaired_text=20, **options)
    np.testing.assert_array_equal(np.flatnonzero(~hardest.text_present), [1, 3])
    np.testing.assert_array_equal(np.flatnonzero(~hardest.image_present), [2])
    easiest = plan_unpairing(5, discard=40, rank_from="lowest", **options)
    np.testing.assert_array_equal(np.flatnonzero(~easiest.kept), [0, 2])


def test_the_hardest_lose_their_image_or_their_text_in_turn():
    scores = np.array([3.0, 9.0, 1.0, 5.0, 5.0, 0.0])
    options = {"block": None, "select": "ranked", "scores": scores, "unpaired_text_at": "start"}

    def removed(**shares):
        plan = plan_unpairing(6, **options, **shares)
        return "".join(
            "-" if not kept else "T" if not t else "I" if not i else "."
            for kept, i, t in zip(plan.kept, plan.image_present, plan.text_present, strict=True)
        )

    # from hard to easy: rows 1, 3, 4, 0, 2, 5
    assert removed(unpaired_images=100 / 3, unpaired_text=100 / 3) == "IT.IT."
    assert removed(unpaired_images=50, unpaired_text=100 / 6) == "IT.TT."
    assert removed(unpaired_images=50, unpaired_text=50) == "ITTITI"
    assert removed(discard=100 / 6, unpaired_images=100 / 6, unpaired_text=100 / 6) == ".-.TI."
    assert removed(unpaired_text=50) == ".I.II."
    easiest = plan_unpairing(6, unpaired_images=20, unpaired_text=20, rank_from="lowest", **options)
    np.testing.assert_array_equal(np.flatnonzero(~easiest.text_present), [5])
    np.testing.assert_array_equal(np.flatnonzero(~easiest.image_present), [2])
    assert "highest score first, unpaired images and texts in turn" in removed_summary(options)


def removed_summary(options):
    return plan_unpairing(6, unpaired_images=50, unpaired_text=50, **options).summary()


@pytest.mark.parametrize("select", SELECTIONS)
@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 300), block=st.one_of(st.none(), st.integers(1, 120)), shares=SHARES)
def test_unpaired_texts_from_the_start_are_as_many_as_from_the_end(select, n, block, shares):
    discard, images, text = shares
    options = {"discard": discard, "unpaired_images": images, "unpaired_text": text, "block": block}
    end, start = (
        plan_unpairing(n, unpaired_text_at=where, **options, **arguments(select, n))
        for where in ("end", "start")
    )
    assert start.counts == end.counts
    if select == "ranked" and block is None and images:
        scores = np.cos(np.arange(n))
        lost = ~start.true_pair
        assert not lost.any() or lost.all() or scores[lost].min() >= scores[~lost].max()


@pytest.mark.parametrize("select", SELECTIONS)
@settings(max_examples=20, deadline=None)
@given(percentage=st.integers(0, 100), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_every_class_gives_its_share(select, percentage, sizes):
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(classes)
    plan = plan_unpairing(n, unpaired_images=percentage, stratify=classes, **arguments(select, n))
    removed = np.bincount(classes[~plan.text_present], minlength=len(sizes))
    assert removed.sum() == round_half_up(Fraction(percentage) * n / 100)
    assert np.all(np.abs(removed - np.array(sizes) * percentage / 100) < 2)


def test_rare_label_sets_give_their_share_together():
    labels = np.eye(1000, dtype=int)  # every row is the only one of its kind
    plan = plan_unpairing(1000, unpaired_images=20, stratify=labels)
    assert plan.counts.without_text == 200
    assert np.all(np.abs((~plan.text_present).reshape(10, 100).sum(axis=1) - 20) <= 2)


def test_half_a_row_per_block_is_spread_over_the_set():
    plan = plan_unpairing(1000, unpaired_images=5, block=10)
    removed = ~plan.text_present
    assert removed.sum() == 50
    assert abs(int(removed[:500].sum()) - 25) <= 1


@settings(max_examples=25, deadline=None)
@given(n=st.integers(20, 300), percentage=st.integers(10, 100), seed=st.integers(0, 9))
def test_shuffled_texts_never_keep_their_place(n, percentage, seed):
    plan = plan_unpairing(n, shuffle=percentage, seed=seed)
    moved = plan.text_index != np.arange(n)
    np.testing.assert_array_equal(moved, ~plan.true_pair)
    assert moved.sum() == round_half_up(Fraction(percentage) * n / 100) == plan.counts.shuffled
    np.testing.assert_array_equal(np.sort(plan.text_index), np.arange(n))


def test_seeds_decide_and_nothing_else_does():
    def plan(seed, **options):
        return plan_unpairing(500, unpaired_images=20, select="random", seed=seed, **options)

    np.random.default_rng().random()
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    assert plan(1, nested=False) != plan(1)
    twenty = plan(1, nested=False)
    forty = plan_unpairing(500, unpaired_images=40, select="random", seed=1, nested=False)
    assert not compare_plans(twenty, forty).first_in_second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_train": 0}, "n_train must be a whole number of rows, at least 1, but it is 0"),
        ({"n_train": 2.5}, "n_train must be .* but it is 2.5"),
        (
            {"unpaired_images": 101},
            "unpaired_images must be a percentage .*, but it is 101; 20 means 20%",
        ),
        ({"unpaired_text": -1}, "unpaired_text must be a percentage"),
        ({"discard": float("nan")}, "discard must be a percentage"),
        ({"shuffle": True}, "shuffle must be a percentage"),
        ({"unpaired_images": "20"}, "unpaired_images must be a percentage"),
        (
            {"unpaired_images": 60, "unpaired_text": 60},
            "they are 120%; more would empty both",
        ),
        ({"block": 0}, "block must be a whole number"),
        (
            {"select": "middle"},
            "select must be one of 'first', 'last', .* 'ranked', but it is 'middle'",
        ),
        ({"select": "random"}, "seed must be a number because rows are drawn at random, but it is None"),
        ({"shuffle": 20}, "seed must be a number"),
        ({"seed": 1}, "seed must be None because select='first' draws nothing, but it is 1"),
        ({"seed": -1, "select": "random"}, "seed must be a whole number, 0 or greater, but it is -1"),
        ({"select": "ranked"}, "scores must be one number per training row"),
        ({"select": "ranked", "scores": [1, 2]}, "scores must have 100 rows"),
        ({"select": "ranked", "scores": [np.nan] * 100}, "scores must be .* finite"),
        ({"scores": np.ones(100)}, "scores must be None for select='first'"),
        ({"nested": False}, "nested must be True for select='first'"),
        ({"partial": "floor"}, "partial must be one of"),
        (
            {"partial": "position", "block": None},
            "must be 'largest-remainder' unless blocks are consecutive",
        ),
        (
            {"partial": "position", "unpaired_images": 12.5},
            "unless a block gives whole numbers of rows",
        ),
        ({"rank_from": "top"}, "rank_from must be one of"),
        ({"unpaired_text_at": "middle"}, "unpaired_text_at must be one of"),
        ({"unpaired_text_at": "start", "partial": "position"}, "unpaired_text_at must be 'end'"),
        ({"stratify": np.ones((3, 2))}, "stratify must have 100 rows"),
        ({"stratify": np.ones((100, 2, 2))}, "stratify must be .100,. classes"),
        ({"shuffle": 1, "seed": 0}, "shuffle must take at least two rows, but 1% of 100 is one"),
    ],
)
def test_bad_input_is_refused_with_the_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_unpairing(**{"n_train": 100} | arguments)


def test_published_plans_refuse_rows_that_do_not_fit():
    with pytest.raises(ValueError, match="n_rows must be the rows of the whole data set"):
        published_2022_plan(unpaired_text=20, empty_scope="all-rows")
    with pytest.raises(ValueError, match="n_rows must be None"):
        published_2022_plan(unpaired_text=20, n_rows=20_015)
