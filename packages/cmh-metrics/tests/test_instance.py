from itertools import permutations, product

import numpy as np
import pytest
from cmh_metrics import hamming_distances, instance_ranks, instance_recall_at

KS = [1, 2, 5, 30]


@pytest.mark.parametrize("ties", ["best", "worst", "index", "expected"])
def test_places_of_the_right_items(make_arrays, ties):
    arrays = make_arrays(12, 30, 4, 1)
    codes = {name: arrays[name] for name in ("query_codes", "database_codes")}
    targets = np.random.default_rng(1).permutation(30)[:12]
    hits = np.zeros((12, len(KS)))
    for i, row in enumerate(targets):
        distance = hamming_distances(**codes)[i]
        nearer, tied = (distance < distance[row]).sum(), (distance == distance[row]).sum()
        places = {
            "best": [nearer + 1],
            "worst": [nearer + tied],
            "index": [nearer + 1 + (distance[:row] == distance[row]).sum()],
            "expected": np.arange(nearer + 1, nearer + tied + 1),
        }[ties]
        hits[i] = [(np.asarray(places) <= k).mean() for k in KS]
    found = instance_recall_at(**codes, ks=KS, targets=targets, ties=ties)
    np.testing.assert_allclose(found, hits.mean(axis=0))


@pytest.mark.parametrize("count", ["any", "share"])
def test_several_right_items_under_all_orders(count):
    """Tie groups of 2, 5 and 3 items; 1, 2 and 2 of the right ones among them, in all orders."""
    distance = np.repeat([0, 1, 2], [2, 5, 3])
    right = np.array([0, 3, 5, 7, 9])
    database = np.ones((10, 4))
    for row, d in enumerate(distance):
        database[row, :d] = -1
    for chosen in (right, right[1:], right[3:], right[:1]):
        ranks = []
        for order in product(*(permutations(np.flatnonzero(distance == d)) for d in range(3))):
            place = np.empty(10, int)
            place[np.concatenate(order)] = np.arange(1, 11)
            ranks.append(place[chosen])
        hits = [np.array(ranks) <= k for k in range(1, 11)]
        by_order = np.array([h.any(axis=1) if count == "any" else h.mean(axis=1) for h in hits])
        arrays = {"query_codes": np.ones((1, 4)), "database_codes": database, "targets": [chosen]}
        for ties, expected in (
            ("expected", by_order.mean(axis=1)),
            ("best", by_order.max(axis=1)),
            ("worst", by_order.min(axis=1)),
        ):
            found = instance_recall_at(**arrays, ks=range(1, 11), ties=ties, count=count)
            np.testing.assert_allclose(found, expected, atol=1e-12)
        in_order = [(chosen < k).any() if count == "any" else (chosen < k).mean() for k in range(1, 11)]
        found = instance_recall_at(**arrays, ks=range(1, 11), ties="index", count=count)
        np.testing.assert_allclose(found, in_order)


def test_the_place_of_the_first_right_item_is_the_mean_over_all_orders():
    """Tie groups of 2, 5 and 3 items, as above."""
    distance = np.repeat([0, 1, 2], [2, 5, 3])
    database = np.ones((10, 4))
    for row, d in enumerate(distance):
        database[row, :d] = -1
    for chosen in ([0, 3, 5], [3, 5, 9], [7, 9], [8], [1]):
        places = []
        for order in product(*(permutations(np.flatnonzero(distance == d)) for d in range(3))):
            place = np.empty(10, int)
            place[np.concatenate(order)] = np.arange(1, 11)
            places.append(place[chosen].min())
        found = instance_ranks(query_codes=np.ones((1, 4)), database_codes=database, targets=[chosen])
        np.testing.assert_allclose(found, [np.mean(places)])


def test_places_by_distances(make_arrays):
    arrays = make_arrays(12, 30, 4, 1)
    codes = {name: arrays[name] for name in ("query_codes", "database_codes")}
    distance = hamming_distances(**codes)
    own = distance[np.arange(12), np.arange(12)][:, None]
    expected = (distance < own).sum(axis=1) + ((distance == own).sum(axis=1) + 1) / 2
    np.testing.assert_allclose(instance_ranks(**codes), expected)
    with pytest.raises(ValueError, match="targets must be database rows from 0 to 29"):
        instance_ranks(**codes, targets=np.full(12, 30))


def test_queries_may_have_fewer_right_items(make_arrays):
    arrays = make_arrays(3, 40, 6, 1)
    codes = {name: arrays[name] for name in ("query_codes", "database_codes")}
    targets = np.array([[4, 9], [7, -1], [-1, 30]])
    for ties in ("expected", "best", "worst", "index"):
        alone = [
            instance_recall_at(
                query_codes=codes["query_codes"][i : i + 1],
                database_codes=codes["database_codes"],
                ks=KS,
                targets=[row[row >= 0]],
                ties=ties,
            )
            for i, row in enumerate(targets)
        ]
        found = instance_recall_at(**codes, ks=KS, targets=targets, ties=ties)
        np.testing.assert_allclose(found, np.mean(alone, axis=0))


def test_row_i_belongs_to_query_i_by_default():
    codes = np.eye(5)
    assert instance_recall_at(query_codes=codes, database_codes=codes, ks=[1]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": [0]}, "ks must be an integer of at least 1"),
        ({"ks": []}, "at least one cut-off"),
        ({"ties": "any"}, "ties must be one of"),
        ({"targets": [0]}, r"one database row per query \(2\)"),
        ({"targets": [[0, 0], [1, 0]]}, "each database row once"),
        ({"targets": [[-1, -1], [1, 0]]}, "at least one database row for every query"),
        ({"count": "all"}, "count must be one of 'any', 'share'"),
        ({"targets": [0.0, 1.0]}, "but it is float64"),
        ({"targets": [0, 2]}, "database rows from 0 to 1, but they reach from 0 to 2"),
        ({"query_codes": [[1, 1]]}, "same number of bits"),
    ],
)
def test_bad_input(change, message):
    arguments = {"query_codes": [[1], [1]], "database_codes": [[1], [-1]], "ks": [1], **change}
    with pytest.raises(ValueError, match=message):
        instance_recall_at(**arguments)
