from itertools import permutations, product

import numpy as np
import pytest
from cmh_metrics import RankingTables, average_precision, mean_average_precision, ranking_tables
from field_loop import average_precision as reference
from field_loop import average_precision_of, random_arrays
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
        if normalise != "retrieved":  # there, more relevant items inside the cut can lower the mean
            assert found["best"][i] == pytest.approx(max(values), abs=1e-12), groups
            assert found["worst"][i] == pytest.approx(min(values), abs=1e-12), groups


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


def test_harmonic_sums_beyond_the_table():
    n, r, before = 400_000, 2, 300_000  # the sum runs past the table's last harmonic number
    tables = RankingTables([[before, n]], [[0, r]])
    j = np.arange(1, n + 1)
    exact = r / n * ((1 + (j - 1) / (n - 1)) / (before + j)).sum() / r
    assert average_precision(tables=tables)[0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("normalise", DEFINITIONS)
@pytest.mark.parametrize("k", [None, 1, 10, 77, 10_000])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (4, 90, 5, 70), (3, 1500, 64, 3), (3, 60, 130, 3)])
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

    if normalise != "retrieved" or k is None:
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
