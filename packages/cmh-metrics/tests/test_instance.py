import numpy as np
import pytest
from cmh_metrics import hamming_distances, instance_recall_at

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
        ({"targets": [0.0, 1.0]}, "but it is float64"),
        ({"targets": [0, 2]}, "database rows from 0 to 1, but they reach from 0 to 2"),
        ({"query_codes": [[1, 1]]}, "same number of bits"),
    ],
)
def test_bad_input(change, message):
    arguments = {"query_codes": [[1], [1]], "database_codes": [[1], [-1]], "ks": [1], **change}
    with pytest.raises(ValueError, match=message):
        instance_recall_at(**arguments)
