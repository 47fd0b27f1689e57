"""A query's own rows in the database do not count: every measure, against a database without them."""

import numpy as np
import pytest
from cmh_metrics import (
    average_precision,
    average_precision_within_radius,
    evaluate,
    map_by_class,
    ndcg,
    precision_at,
    precision_recall_by_radius,
    r_precision,
    ranking_tables,
    recall_at,
)
from cmh_metrics._inputs import ranking_inputs

MEASURES = {
    "retrieved": lambda **a: ranking_tables(**a).retrieved,
    "relevant": lambda **a: ranking_tables(**a).relevant,
    "relevant, numpy": lambda **a: ranking_tables(**a, backend="numpy").relevant,
    "average precision": average_precision,
    "average precision, index": lambda **a: average_precision(**a, ties="index"),
    "first relevant, index": lambda **a: average_precision(
        **a, ties="index", k=9, normalise="first-relevant"
    ),
    "precision": lambda **a: precision_at(**a, ks=[1, 7, 90]),
    "precision, index": lambda **a: precision_at(**a, ks=[1, 7, 90], ties="index"),
    "recall, index": lambda **a: recall_at(**a, ks=[1, 7, 90], ties="index"),
    "nDCG": ndcg,
    "nDCG at 9": lambda **a: ndcg(**a, k=9),
    "R-precision": r_precision,
    "radius": average_precision_within_radius,
}


@pytest.fixture
def itself(make_arrays):
    """A data set that is searched for its own rows."""
    arrays = make_arrays(1, 70, 7, 4)
    return arrays["database_codes"], arrays["database_labels"]


def one_by_one(measure, codes, labels, own):
    """What the measure says of each query with its own rows deleted from the database."""
    return np.concatenate(
        [
            measure(
                query_codes=codes[i : i + 1],
                query_labels=labels[i : i + 1],
                database_codes=np.delete(codes, own[i], axis=0),
                database_labels=np.delete(labels, own[i], axis=0),
            )
            for i in range(len(codes))
        ]
    )


def searched_for_itself(codes, labels):
    return {
        "query_codes": codes, "database_codes": codes, "query_labels": labels, "database_labels": labels
    }  # fmt: skip


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("slab_rows", [61_440, 16])
def test_the_own_row(itself, name, slab_rows, monkeypatch):
    monkeypatch.setattr(ranking_inputs, "SLAB_ROWS", slab_rows)
    found = MEASURES[name](**searched_for_itself(*itself), exclude_self=True)
    np.testing.assert_allclose(found, one_by_one(MEASURES[name], *itself, np.arange(70)[:, None]), rtol=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("kind", [int, str])
def test_all_rows_with_the_id_of_the_query(itself, name, kind):
    ids = np.random.default_rng(3).integers(0, 25, 70).astype(kind)  # some three rows have one id
    found = MEASURES[name](**searched_for_itself(*itself), query_ids=ids, database_ids=ids)
    own = [np.flatnonzero(ids == one) for one in ids]
    np.testing.assert_allclose(found, one_by_one(MEASURES[name], *itself, own), rtol=1e-12)


@pytest.mark.parametrize("relevance", ["any", "class"])
@pytest.mark.parametrize("ties", ["expected", "index"])
def test_classes(itself, relevance, ties):
    codes, labels = itself
    found = map_by_class(**searched_for_itself(*itself), exclude_self=True, relevance=relevance, ties=ties)
    for label in range(4):
        chosen = np.flatnonzero(labels[:, label])
        part = labels if relevance == "any" else labels[:, label : label + 1]
        scores = one_by_one(
            lambda **a: average_precision(**a, ties=ties), codes, part, np.arange(70)[:, None]
        )
        assert found[label] == pytest.approx(scores[chosen].mean())


def test_ids_that_the_database_does_not_have_leave_nothing_out(make_arrays):
    arrays = make_arrays(5, 40, 9, 3)
    found = average_precision(**arrays, query_ids=np.arange(5), database_ids=np.arange(5, 45))
    np.testing.assert_array_equal(found, average_precision(**arrays))


def test_reports(itself):
    arrays = searched_for_itself(*itself)
    task = evaluate(**arrays, exclude_self=True)["retrieval"]
    assert task.mean_average_precision == average_precision(**arrays, exclude_self=True).mean()
    assert task.precision_at[10] == pytest.approx(precision_at(**arrays, exclude_self=True, ks=[10]).mean())
    curve = precision_recall_by_radius(**arrays, exclude_self=True)
    np.testing.assert_allclose(task.radius_precision, curve.precision)
    assert task.mean_average_precision < evaluate(**arrays)["retrieval"].mean_average_precision
    with pytest.raises(ValueError, match="targets must be database rows that count"):
        evaluate(**arrays, exclude_self=True, targets="rows")


def test_a_database_of_the_query_alone():
    arrays = searched_for_itself(np.ones((1, 4)), np.ones((1, 2)))
    for measure in (average_precision, ndcg, r_precision):
        assert measure(**arrays, exclude_self=True).tolist() == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude_self": True}, "as many queries as database rows.* but there are 2 and 4"),
        ({"query_ids": [1, 2]}, "query_ids and database_ids must come together"),
        ({"database_ids": [1, 2, 3, 4]}, "query_ids and database_ids must come together"),
        (
            {"query_ids": [1, 2], "database_ids": [1, 2, 3, 4], "exclude_self": True},
            "without exclude_self",
        ),
        ({"query_ids": [1], "database_ids": [1, 2, 3, 4]}, r"query_ids must hold one .* a row \(2\)"),
        ({"query_ids": [1.0, 2.0], "database_ids": [1, 2, 3, 4]}, "but it is float64"),
        ({"query_ids": ["1", "2"], "database_ids": [1, 2, 3, 4]}, "both be integers or both be strings"),
    ],
)
def test_bad_input(make_arrays, options, message):
    with pytest.raises(ValueError, match=message):
        average_precision(**make_arrays(2, 4, 8, 3), **options)


def test_tables_come_without_rows_to_leave_out(make_arrays):
    tables = ranking_tables(**make_arrays(2, 4, 8, 3))
    with pytest.raises(ValueError, match="tables must come without exclude_self, which ranking_tables takes"):
        average_precision(tables=tables, exclude_self=True)
