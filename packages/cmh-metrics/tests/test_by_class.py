import numpy as np
import pytest
from cmh_metrics import average_precision, map_by_class
from cmh_metrics._measures import by_class


def test_any_shared_label_averages_over_the_queries_of_a_class(make_arrays):
    arrays = make_arrays(9, 60, 8, 4)
    arrays["query_labels"][:, 3] = 0
    scores = average_precision(**arrays)
    found = map_by_class(**arrays)
    for label in range(3):
        assert found[label] == pytest.approx(scores[arrays["query_labels"][:, label] == 1].mean())
    assert np.isnan(found[3])


def test_relevance_of_the_class_itself(make_arrays):
    arrays = make_arrays(9, 60, 8, 3)
    found = map_by_class(**arrays, relevance="class", k=20, normalise="retrieved", ties="index")
    chosen = arrays["query_labels"][:, 1] == 1
    alone = {
        "query_codes": arrays["query_codes"][chosen],
        "database_codes": arrays["database_codes"],
        "query_labels": arrays["query_labels"][chosen, 1:2],
        "database_labels": arrays["database_labels"][:, 1:2],
    }
    expected = average_precision(**alone, k=20, normalise="retrieved", ties="index").mean()
    assert found[1] == pytest.approx(expected)


def test_classes_one_by_one(make_arrays, monkeypatch):
    arrays = make_arrays(30, 60, 8, 5)
    arrays["query_labels"][:, 4] = 0
    whole = map_by_class(**arrays, relevance="class")
    for label in range(4):
        chosen = arrays["query_labels"][:, label] == 1
        alone = {
            "query_codes": arrays["query_codes"][chosen],
            "database_codes": arrays["database_codes"],
            "query_labels": arrays["query_labels"][chosen, label : label + 1],
            "database_labels": arrays["database_labels"][:, label : label + 1],
        }
        assert whole[label] == pytest.approx(average_precision(**alone).mean(), rel=1e-12)
    assert np.isnan(whole[4])
    monkeypatch.setattr(by_class, "_BLOCK_QUERIES", 7)
    np.testing.assert_allclose(map_by_class(**arrays, relevance="class"), whole, rtol=1e-12)
    arrays["query_labels"][:] = 0
    assert np.isnan(map_by_class(**arrays, relevance="class")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be an integer"),
        ({"ties": "luck"}, "ties must be one of"),
        ({"normalise": "map"}, "normalise must be one of"),
        ({"relevance": "all"}, "relevance must be one of 'any', 'class'"),
        ({"relevance": "class", "database_labels": np.ones((4, 2))}, "same number of columns"),
        ({"query_labels": np.full((2, 3), 7)}, "query_labels must contain only 0 and 1, but it contains 7"),
    ],
)
def test_bad_input(make_arrays, change, message):
    with pytest.raises(ValueError, match=message):
        map_by_class(**{**make_arrays(2, 4, 8, 3), **change})
