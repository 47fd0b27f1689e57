import math
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from cmh_metrics import RankingTables, average_precision, mean_average_precision, ranking_tables
from field_loop import average_precision as reference
from field_loop import average_precision_of, random_arrays, rankings
from hypothesis import given, settings
from hypothesis import strategies as st

DEFINITIONS = ["min", "retrieved", "relevant", "first-relevant"]
CUTS = [None, 1, 2, 3, 4, 6, 50]


def test_hand_worked_answers():
    tables = RankingTables([[1, 2]], [[0, 1]])  # one irrelevant item, then a tie of one relevant and one not
    assert average_precision(tables=tables, ties="best")[0] == pytest.approx(1 / 2)
    assert average_precision(tables=tables, ties="worst")[0] == pytest.approx(1 / 3)
    assert average_precision(tables=tables)[0] == pytest.approx(5 / 12)


# (items, relevant items) of each tie group: at most six items in at most three groups, thinned out
GROUPS = [
    groups
    for sizes in product(range(5), repeat=3)
    if 0 < sum(sizes) <= 6
    for hits in product(*(range(size + 1) for size in sizes))
    for groups in [tuple(zip(sizes, hits, strict=True))]
    if sum(hits) > 0 and (sum(7 * n + 3 * r for n, r in groups)) % 4 == 0
]


def all_orders(groups):
    """Every distinct order of relevant and irrelevant items inside the groups."""
    parts = [sorted(set(permutations([True] * r + [False] * (n - r)))) for n, r in groups]
    return [sum(parts_of_order, ()) for parts_of_order in product(*parts)]


@pytest.mark.parametrize("normalise", DEFINITIONS)
@pytest.mark.parametrize("k", CUTS)
def test_closed_form_is_the_mean_over_all_orders(normalise, k):
    tables = RankingTables([[n for n, _ in g] for g in GROUPS], [[r for _, r in g] for g in GROUPS])
    found = {
        ties: average_precision(tables=tables, k=k, normalise=normalise, ties=ties)
        for ties in ("expected", "best", "worst")
    }
    for i, groups in enumerate(GROUPS):
        values = [average_precision_of(order, k, normalise) for order in all_orders(groups)]
        assert found["expected"][i] == pytest.approx(np.mean(values), abs=1e-12), groups
        assert found["best"][i] == pytest.approx(max(values), abs=1e-12), groups
        assert found["worst"][i] == pytest.approx(min(values), abs=1e-12), groups


def test_fewer_relevant_items_inside_the_cut_can_be_worse():
    tables = RankingTables([[1, 3]], [[1, 1]])  # 1 item found: 1; 2 items found: at worst (1 + 2/3) / 2
    found = average_precision(tables=tables, k=3, normalise="retrieved", ties="worst")
    assert found[0] == pytest.approx(5 / 6)


@pytest.mark.parametrize(("n", "r", "before", "hits"), [(40, 13, 9, 4), (300, 250, 0, 0), (90, 30, 500, 1)])
def test_bounds_of_a_larger_group_where_the_cut_falls(n, r, before, hits):
    tables = RankingTables([[hits, before - hits, n]], [[hits, 0, r]])
    for k in (before + 1, before + n // 3, before + n - 1):
        places = k - before
        firsts, lasts = [], []
        for x in range(max(0, places - (n - r)), min(places, r) + 1):
            top = [True] * hits + [False] * (before - hits)
            group = [False] * (places - x)
            firsts.append(average_precision_of(top + [True] * x + group + [True], k, "retrieved"))
            lasts.append(average_precision_of(top + group + [True] * x + [True], k, "retrieved"))
        for ties, value in (("best", max(firsts)), ("worst", min(lasts))):
            found = average_precision(tables=tables, k=k, normalise="retrieved", ties=ties)[0]
            assert found == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("normalise", DEFINITIONS)
@pytest.mark.parametrize("k", [7, 40, 120, 299])
def test_large_groups_against_sampled_orders(normalise, k):
    n, r = [60, 200, 100], [20, 90, 3]
    rng = np.random.default_rng(k)
    samples = []
    for _ in range(400):
        parts = [rng.permutation(np.arange(size) < hits) for size, hits in zip(n, r, strict=True)]
        samples.append(average_precision_of(np.concatenate(parts), k, normalise))
    error = np.std(samples) / 20
    expected = average_precision(tables=RankingTables([n], [r]), k=k, normalise=normalise)[0]
    assert abs(expected - np.mean(samples)) < 4.5 * error + 1e-12


def exact_average_precision(groups, ties):
    """Average precision over the whole ranking, in fractions."""
    total, n0, r0 = Fraction(0), 0, 0
    for n, r in groups:
        if r and ties == "expected":
            slope = Fraction(r - 1, n - 1) if n > 1 else Fraction(0)
            total += Fraction(r, n) * sum((r0 + 1 + j * slope) / (n0 + 1 + j) for j in range(n))
        elif r:
            start = n0 if ties == "best" else n0 + n - r
            total += sum(Fraction(r0 + 1 + j, start + 1 + j) for j in range(r))
        n0, r0 = n0 + n, r0 + r
    return total / r0


@pytest.mark.parametrize("ties", ["expected", "best", "worst"])
@pytest.mark.parametrize("before", [0, 63, 64, 1000, 65_000, 65_535, 65_536, 10**9, 3 * 10**9, 10**13])
def test_small_groups_far_down_against_fractions(before, ties):
    for n, r in ((1, 1), (2, 1), (8, 8), (64, 1), (65, 65), (90, 30)):  # alone, pure, and mixed
        tables = RankingTables([[before, n]], [[0, r]])
        exact = float(exact_average_precision([(before, 0), (n, r)], ties))
        assert average_precision(tables=tables, ties=ties)[0] == pytest.approx(exact, rel=1e-11, abs=0)


@pytest.mark.parametrize(
    ("before", "n", "r"),
    [
        (300_000, 400_000, 2),
        (10**9, 100_000, 100_000),
        (10, 200_000, 50_000),
        (65_000, 9_000, 9_000),
        (65_600, 9_000, 80),
    ],
)
def test_large_groups_against_their_sums(before, n, r):
    tables = RankingTables([[before, n]], [[0, r]])  # the sums run past the last harmonic number kept
    j = np.arange(n)
    expected = math.fsum((1 + j * ((r - 1) / (n - 1))) / (before + 1 + j)) / n
    best = math.fsum((1 + j[:r]) / (before + 1 + j[:r])) / r
    worst = math.fsum((1 + j[:r]) / (before + n - r + 1 + j[:r])) / r
    for ties, value in (("expected", expected), ("best", best), ("worst", worst)):
        assert average_precision(tables=tables, ties=ties)[0] == pytest.approx(value, rel=1e-11)


def test_whole_rankings_equal_rankings_cut_where_nothing_is_left(make_arrays):
    """Rankings of another length beside them: what one row's short way may do, the others must not decide."""
    tables = ranking_tables(**make_arrays(40, 900, 24, 5))
    longer = RankingTables(retrieved=tables.retrieved * 100, relevant=tables.relevant * 50)
    both = RankingTables.concat([tables, longer])
    alone = average_precision(tables=tables, no_relevant="nan")
    beside = average_precision(tables=both, no_relevant="nan")
    np.testing.assert_allclose(beside[:40], alone, rtol=1e-14)
    np.testing.assert_allclose(beside[40:], average_precision(tables=longer, no_relevant="nan"), rtol=1e-14)


def test_where_all_items_are_relevant_average_precision_is_one():
    rng = np.random.default_rng(0)
    for n_group, largest in ((2, 30_000), (5, 12_000), (65, 1_000), (9, 2)):
        counts = rng.integers(0, largest, (200, n_group))
        counts[:, 0] += 1
        assert set(average_precision(tables=RankingTables(counts, counts))) == {1.0}


@pytest.mark.parametrize("n", [2**31 + 3, 2**33])
def test_counts_beyond_32_bits(n):
    r, k = n // 2, n // 4 + 1
    tables = RankingTables([[n, 0]], [[r, 0]])
    slope = (r - 1) / (n - 1)
    whole = slope + (1 - slope) * (math.log(n) + 0.5772156649) / n
    assert average_precision(tables=tables)[0] == pytest.approx(whole, rel=1e-13)
    # half of any part of so large a tie is relevant
    assert average_precision(tables=tables, k=k, normalise="retrieved")[0] == pytest.approx(0.5, abs=1e-7)
    assert average_precision(tables=tables, k=k, normalise="first-relevant")[0] == pytest.approx(
        0.5, abs=1e-7
    )
    assert average_precision(tables=tables, k=k)[0] == pytest.approx(0.25, abs=1e-7)
    assert average_precision(tables=tables, k=k, normalise="relevant")[0] == pytest.approx(0.125, abs=1e-7)
    assert average_precision(tables=tables, k=k, normalise="retrieved", ties="best")[0] == pytest.approx(1)
    assert average_precision(tables=tables, k=k, normalise="retrieved", ties="worst")[0] == 0


@pytest.mark.parametrize("normalise", DEFINITIONS)
@pytest.mark.parametrize("k", [None, 1, 10, 77, 10_000])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1, 1),
        (4, 90, 5, 70),
        (3, 1500, 64, 3),
        (3, 60, 130, 3),
        (2, 1023, 7, 130),
        (2, 1024, 8, 2),
        (2, 1025, 1, 2),
        (2, 200, 63, 65),
        (2, 200, 65, 64),
        (2, 100, 127, 1),
        (2, 100, 300, 200),
    ],
)
def test_index_order_is_a_stable_sort(make_arrays, shape, k, normalise):
    arrays = make_arrays(*shape)
    expected = reference(**arrays, k=k, normalise=normalise)
    found = average_precision(**arrays, k=k, normalise=normalise, ties="index", no_relevant="nan")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_index_order_over_several_slabs(make_arrays):
    arrays = make_arrays(2, 70_000, 6, 2, density=0.5)
    expected = reference(**arrays)
    found = average_precision(**arrays, ties="index", no_relevant="nan", threads=2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_golden_values(golden):
    arrays, values = golden
    assert mean_average_precision(**arrays, ties="index") == pytest.approx(values["map_all"], abs=1e-6)
    for k in (10, 50, 100):
        found = mean_average_precision(**arrays, ties="index", k=k, normalise="first-relevant")
        assert found == pytest.approx(values[f"map_k{k}"], abs=1e-6)
    found = mean_average_precision(**arrays, ties="index", k=50, normalise="retrieved")
    assert found == pytest.approx(values["map_top50_retrieved"], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 70),
    st.sampled_from(DEFINITIONS),
    st.none() | st.integers(1, 400),
    st.integers(0, 999),
)
def test_properties(n, bits, normalise, k, seed):
    arrays = random_arrays(4, n, bits, 3, seed=seed)
    options = {"k": k, "normalise": normalise}
    expected = average_precision(**arrays, **options)
    assert ((expected >= 0) & (expected <= 1 + 1e-12)).all()

    order = np.random.default_rng(seed).permutation(n)
    shuffled = {name: arrays[name][order] if "database" in name else arrays[name] for name in arrays}
    np.testing.assert_array_equal(average_precision(**shuffled, **options), expected)

    flip = np.ones(bits, np.int8)
    flip[seed % bits] = -1
    flipped = {name: arrays[name] * flip if "codes" in name else arrays[name] for name in arrays}
    np.testing.assert_array_equal(average_precision(**flipped, **options), expected)

    best = average_precision(**arrays, **options, ties="best")
    worst = average_precision(**arrays, **options, ties="worst")
    by_row = average_precision(**arrays, **options, ties="index")
    for value in (expected, by_row):
        assert (best + 1e-12 >= value).all()
        assert (value + 1e-12 >= worst).all()


def test_queries_without_a_relevant_item():
    tables = RankingTables([[2, 0], [1, 1]], [[0, 0], [1, 0]])
    assert average_precision(tables=tables).tolist() == [0, 1]
    assert average_precision(tables=tables, no_relevant="skip").tolist() == [1]
    assert np.isnan(average_precision(tables=tables, no_relevant="nan")[0])
    assert mean_average_precision(tables=tables) == 0.5
    assert mean_average_precision(tables=tables, no_relevant="skip") == 1
    assert np.isnan(mean_average_precision(tables=tables[:1], no_relevant="skip"))


def hashnet(k, **arrays):
    """HashNet's and DeepHash's program: the mean over the queries with a hit among the first k."""
    values = [
        average_precision_of(shares, k, "retrieved") for _, shares in rankings(**arrays) if shares[:k].any()
    ]
    return np.mean(values), len(values)


@pytest.mark.parametrize("k", [1, 5, 20, None])
def test_queries_without_a_hit_left_out(k):
    arrays = random_arrays(60, 300, 6, 50, density=0.03)
    options = {"normalise": "retrieved", "ties": "index", "k": k, "no_relevant": "skip-no-hit"}
    value, n = hashnet(k, **arrays)
    assert n < 60
    assert len(average_precision(**arrays, **options)) == n
    assert mean_average_precision(**arrays, **options) == pytest.approx(value)


def test_hits_that_only_some_orders_bring():
    tables = RankingTables([[1, 3], [3, 1], [2, 2]], [[0, 1], [0, 1], [0, 0]])
    for ties in ("expected", "best", "worst"):
        options = {"tables": tables, "ties": ties, "no_relevant": "skip-no-hit"}
        assert len(average_precision(**options, k=2)) == 1  # one of the three tied places is within the cut
        assert len(average_precision(**options, k=4)) == len(average_precision(**options)) == 2
        first = average_precision(**options, k=2, normalise="first-relevant")
        assert len(first) == 2  # the first relevant item counts wherever it ranks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be an integer of at least 1, but it is 0"),
        ({"k": -3}, "k must be an integer"),
        ({"k": 2.5}, "k must be an integer"),
        ({"k": True}, "k must be an integer"),
        ({"normalise": "trec"}, "normalise must be one of 'min', 'retrieved'"),
        ({"ties": "random"}, "ties must be one of 'expected'"),
        ({"no_relevant": "drop"}, "no_relevant must be one of 'zero'"),
        ({"query_labels": None}, "query_labels must be given"),
        ({"query_labels": None, "ties": "index"}, "query_labels must be given"),
        ({"tables": RankingTables([[1, 1]], [[0, 0]])}, "must come without arrays, but query_codes is given"),
        ({"tables": RankingTables([[1, 1]], [[0, 0]]), "ties": "index"}, "do not know the order"),
        ({"tables": 3}, "tables must be RankingTables, but it is int"),
    ],
)
def test_bad_input(make_arrays, change, message):
    with pytest.raises(ValueError, match=message):
        average_precision(**{**make_arrays(2, 4, 8, 3), **change})


def test_tables_stand_in_for_arrays(make_arrays):
    arrays = make_arrays(5, 80, 10, 3)
    tables = ranking_tables(**arrays)
    np.testing.assert_array_equal(average_precision(tables=tables, k=7), average_precision(**arrays, k=7))
