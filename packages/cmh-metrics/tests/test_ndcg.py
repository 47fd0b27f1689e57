from itertools import permutations

import numpy as np
import pytest
from cmh_metrics import ndcg
from cmh_metrics._inputs import ranking_inputs


def slow(distances, grades, k, gain):
    """Mean over all orders that sort by distance."""
    gains = np.exp2(grades) - 1 if gain == "exponential" else grades
    discounts = 1 / np.log2(np.arange(2, len(grades) + 2))
    discounts[len(grades) if k is None else k :] = 0
    values = [
        (gains[list(order)] * discounts).sum()
        for order in permutations(range(len(grades)))
        if (np.diff(distances[list(order)]) >= 0).all()
    ]
    ideal = (np.sort(gains)[::-1] * discounts).sum()
    return np.mean(values) / ideal if ideal else np.nan


@pytest.mark.parametrize("gain", ["exponential", "linear"])
@pytest.mark.parametrize("k", [None, 1, 3, 9])
def test_expected_over_all_orders(make_arrays, k, gain):
    arrays = make_arrays(6, 6, 2, 4, density=0.4)
    q, x = arrays["query_codes"].astype(int), arrays["database_codes"].astype(int)
    distances = (2 - q @ x.T) // 2
    grades = arrays["query_labels"].astype(float) @ arrays["database_labels"].T
    expected = [slow(d, g, k, gain) for d, g in zip(distances, grades, strict=True)]
    found = ndcg(**arrays, k=k, gain=gain, no_relevant="nan", threads=2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def by_groups(distances, grades, k, gain):
    """The same for longer rankings: every place of a tie group has the group's mean gain."""
    gains = np.exp2(grades) - 1 if gain == "exponential" else grades
    expected = np.concatenate(
        [np.full((distances == d).sum(), gains[distances == d].mean()) for d in np.unique(distances)]
    )
    discounts = 1 / np.log2(np.arange(2, len(grades) + 2))
    discounts[len(grades) if k is None else k :] = 0
    ideal = np.sort(gains)[::-1] @ discounts
    return expected @ discounts / ideal if ideal else np.nan


@pytest.mark.parametrize("slab_rows", [400, 61_440])
@pytest.mark.parametrize("shape", [(3, 1023, 7, 70), (3, 1025, 64, 130), (2, 1200, 130, 3), (2, 801, 16, 64)])
def test_many_labels_rows_and_slabs(make_arrays, monkeypatch, shape, slab_rows):
    monkeypatch.setattr(ranking_inputs, "SLAB_ROWS", slab_rows)
    arrays = make_arrays(*shape)
    q, x = arrays["query_codes"].astype(int), arrays["database_codes"].astype(int)
    distances = (shape[2] - q @ x.T) // 2
    grades = arrays["query_labels"].astype(float) @ arrays["database_labels"].T
    for k, gain in ((None, "exponential"), (None, "linear"), (50, "exponential"), (1000, "linear")):
        expected = [by_groups(d, g, k, gain) for d, g in zip(distances, grades, strict=True)]
        found = ndcg(**arrays, k=k, gain=gain, no_relevant="nan", threads=2)
        np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_the_gain_of_a_thousand_labels():
    codes = {"query_codes": [[1, 1]], "database_codes": [[1, 1], [-1, -1]]}
    labels = np.zeros((3, 1100), np.uint8)
    labels[0, :960] = labels[1, :3] = labels[2, :960] = 1
    arrays = {**codes, "database_labels": labels[1:]}
    found = ndcg(**arrays, query_labels=labels[:1])  # of 1100 possible labels
    assert found[0] == pytest.approx(1 / np.log2(3))
    labels[0, 960] = 1
    with pytest.raises(
        ValueError, match=r"at most 960 labels in a row .* but a row has 961; use gain='linear'"
    ):
        ndcg(**arrays, query_labels=labels[:1])
    assert ndcg(**arrays, query_labels=labels[:1], gain="linear")[0] < 1


def test_queries_without_a_relevant_item():
    arrays = {"query_codes": [[1], [1]], "database_codes": [[1]], "database_labels": [[1, 0]]}
    labels = [[0, 1], [1, 0]]
    assert ndcg(**arrays, query_labels=labels).tolist() == [0, 1]
    assert ndcg(**arrays, query_labels=labels, no_relevant="skip").tolist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be an integer"),
        ({"gain": "log"}, "gain must be one of"),
        ({"no_relevant": 1}, "one of"),
    ],
)
def test_bad_input(make_arrays, change, message):
    with pytest.raises(ValueError, match=message):
        ndcg(**{**make_arrays(2, 4, 8, 3), **change})
