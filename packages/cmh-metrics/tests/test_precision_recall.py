from itertools import permutations, product

import numpy as np
import pytest
from cmh_metrics import RankingTables, precision_at, precision_recall_by_radius, ranking_tables, recall_at
from field_loop import rankings

KS = [1, 2, 5, 60, 500]


def test_hand_worked_answers():
    tables = RankingTables([[1, 2]], [[0, 1]])
    assert precision_at(tables=tables, ks=[1, 2, 3]).tolist() == [[0, 0.25, 1 / 3]]
    assert precision_at(tables=tables, ks=[2], ties="best").tolist() == [[0.5]]
    assert precision_at(tables=tables, ks=[2], ties="worst").tolist() == [[0]]
    assert recall_at(tables=tables, ks=[1, 2, 3]).tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("groups", [[(3, 1), (0, 0), (4, 2)], [(2, 2), (4, 1), (1, 0)], [(5, 3), (2, 2)]])
def test_all_orders_of_equally_distant_items(groups):
    parts = [sorted(set(permutations([1] * r + [0] * (n - r)))) for n, r in groups]
    orders = np.array([np.concatenate(order) for order in product(*parts)])
    found = orders.cumsum(axis=1)  # (n_order, n_item), every order as likely as any other
    tables = RankingTables([[n for n, _ in groups]], [[r for _, r in groups]])
    ks = np.arange(1, orders.shape[1] + 1)
    for ties, hits in (
        ("expected", found.mean(axis=0)),
        ("best", found.max(axis=0)),
        ("worst", found.min(axis=0)),
    ):
        np.testing.assert_allclose(precision_at(tables=tables, ks=ks, ties=ties)[0], hits / ks, rtol=1e-12)
        np.testing.assert_allclose(
            recall_at(tables=tables, ks=ks, ties=ties)[0], hits / found[0, -1], rtol=1e-12
        )


def test_index_order_against_the_slow_reference(make_arrays):
    arrays = make_arrays(5, 90, 6, 3, density=0.2)
    hits = np.array([[shares[:k].sum() for k in KS] for _, shares in rankings(**arrays)])
    total = hits[:, -1:]
    np.testing.assert_allclose(precision_at(**arrays, ks=KS, ties="index"), hits / KS)
    np.testing.assert_allclose(recall_at(**arrays, ks=KS, ties="index"), hits / np.maximum(total, 1))


def test_expected_is_the_mean_over_shuffles(make_arrays):
    arrays = make_arrays(3, 40, 3, 3)
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(600):
        order = rng.permutation(40)
        shuffled = {name: arrays[name][order] if "database" in name else arrays[name] for name in arrays}
        samples.append(precision_at(**shuffled, ks=[7, 20], ties="index"))
    expected = precision_at(**arrays, ks=[7, 20])
    assert np.abs(np.mean(samples, axis=0) - expected).max() < 5 * np.std(samples, axis=0).max() / 600**0.5


def test_golden_values(golden):
    arrays, values = golden
    found = precision_at(**arrays, ks=values["k_list"], ties="index").mean(axis=0)
    np.testing.assert_allclose(found, values["p_at_k"], atol=1e-6)
    curve = precision_recall_by_radius(**arrays, average="queries-with-hits")
    np.testing.assert_allclose(np.nan_to_num(curve.precision), values["pr_precision"], atol=1e-6)
    np.testing.assert_allclose(np.nan_to_num(curve.recall), values["pr_recall"], atol=1e-6)


def test_plain_average_counts_every_query():
    tables = RankingTables([[1, 1], [0, 2]], [[1, 0], [0, 1]])
    curve = precision_recall_by_radius(tables=tables)
    assert curve.radius.tolist() == [0, 1]
    assert curve.precision.tolist() == [0.5, 0.5]
    assert curve.recall.tolist() == [0.5, 1.0]
    found = precision_recall_by_radius(tables=tables, average="queries-with-hits")
    assert found.precision.tolist() == [1.0, 0.5]


def test_queries_without_a_relevant_item():
    tables = RankingTables([[2, 0], [1, 1]], [[0, 0], [1, 0]])
    assert recall_at(tables=tables, ks=[1]).tolist() == [[0], [1]]
    assert recall_at(tables=tables, ks=[1], no_relevant="skip").tolist() == [[1]]
    assert np.isnan(recall_at(tables=tables, ks=[1], no_relevant="nan")[0, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": [0]}, "ks must be an integer of at least 1, but it is 0"),
        ({"ks": []}, "ks must hold at least one cut-off"),
        ({"ties": "any"}, "ties must be one of"),
        ({"no_relevant": "any"}, "no_relevant must be one of"),
        ({"query_codes": None}, "query_codes must be given"),
    ],
)
def test_bad_input(make_arrays, change, message):
    with pytest.raises(ValueError, match=message):
        recall_at(**{**make_arrays(2, 4, 8, 3), "ks": [1], **change})


def test_bad_average_and_index_order_of_tables(make_arrays):
    arrays = make_arrays(2, 4, 8, 3)
    with pytest.raises(ValueError, match="average must be one of 'all-queries', 'queries-with-hits'"):
        precision_recall_by_radius(**arrays, average="mean")
    with pytest.raises(ValueError, match="do not know the order"):
        precision_at(tables=ranking_tables(**arrays), ks=[1], ties="index")
