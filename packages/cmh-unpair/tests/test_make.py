from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from cmh_unpair import compare_plans, plan_unpairing
from cmh_unpair._rule import round_half_down, round_half_up
from hypothesis import given, settings
from hypothesis import strategies as st

PERCENTAGES = st.one_of(st.integers(0, 100), st.integers(0, 1000).map(lambda tenths: tenths / 10))
SELECTIONS = ("first", "last", "random", "ranked")


def arguments(select: str, n: int) -> dict:
    extra = {"random": {"seed": 3}, "ranked": {"scores": np.cos(np.arange(n))}}
    return {"select": select} | extra.get(select, {})


def test_the_papers_rules_by_hand():
    def emptied(**shares):
        plan = plan_unpairing(10, block=5, **shares)
        return "".join(
            "T" if not t else "I" if not i else "."
            for i, t in zip(plan.image_present, plan.text_present, strict=True)
        )

    assert emptied(unpaired_images=40) == "TT...TT..."
    assert emptied(unpaired_text=40) == "II...II..."
    assert emptied(unpaired_images=40, unpaired_text=20) == "TT..ITT..I"
    assert emptied(unpaired_images=40, unpaired_text=20, select="last") == "I..TTI..TT"
    assert emptied(unpaired_images=100) == "TTTTTTTTTT"
    assert emptied() == ".........."


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
    shares=st.tuples(PERCENTAGES, PERCENTAGES, PERCENTAGES).filter(
        lambda shares: sum(map(Fraction, map(str, shares))) <= 100
    ),
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
    shares=st.lists(st.tuples(PERCENTAGES, PERCENTAGES), min_size=3, max_size=3).filter(
        lambda shares: sum(Fraction(str(max(pair))) for pair in shares) <= 100
    ),
)
def test_rising_percentages_are_nested(select, n, block, shares):
    names = ("unpaired_images", "unpaired_text", "discard")
    if any(min(pair) == 0 < max(pair) for pair in shares[:1]):
        shares = [(0, 0), *shares[1:]]
    lower, upper = (
        plan_unpairing(
            n,
            block=block,
            **dict(zip(names, (pick(pair) for pair in shares), strict=True)),
            **arguments(select, n),
        )
        for pick in (min, max)
    )
    assert compare_plans(lower, upper).first_in_second


@settings(max_examples=25, deadline=None)
@given(n=st.integers(100, 2000), percentage=st.integers(0, 100))
def test_every_full_block_gives_its_share(n, percentage):
    for select in ("first", "last", "random", "ranked"):
        plan = plan_unpairing(n, unpaired_images=percentage, **arguments(select, n))
        full = ~plan.text_present[: n // 100 * 100].reshape(-1, 100)
        assert np.all(full.sum(axis=1) == percentage)
