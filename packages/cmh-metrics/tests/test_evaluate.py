import json

import numpy as np
import pytest
from cmh_metrics import (
    RetrievalReport,
    average_precision,
    evaluate,
    map_by_class,
    mean_average_precision,
    ndcg,
    precision_at,
    recall_at,
)


@pytest.fixture
def both(make_arrays):
    """Codes of both modalities."""
    image, text = make_arrays(8, 70, 16, 4), make_arrays(8, 70, 16, 4, seed=1)
    codes = {side: {"image": image[side], "text": text[side]} for side in ("query_codes", "database_codes")}
    return {**codes, "query_labels": image["query_labels"], "database_labels": image["database_labels"]}


def test_every_number_is_that_of_its_own_function(make_arrays):
    arrays = make_arrays(8, 70, 16, 4)
    task = evaluate(**arrays, k=20, normalise="retrieved", ks=[1, 5], task="own")["own"]
    options = {"k": 20, "normalise": "retrieved"}
    assert task.mean_average_precision == mean_average_precision(**arrays, **options)
    assert task.best == mean_average_precision(**arrays, **options, ties="best")
    assert task.worst == mean_average_precision(**arrays, **options, ties="worst")
    np.testing.assert_array_equal(task.average_precision, average_precision(**arrays, **options))
    assert task.interval[0] <= task.mean_average_precision <= task.interval[1]
    assert list(task.precision_at.values()) == precision_at(**arrays, ks=[1, 5]).mean(axis=0).tolist()
    assert list(task.recall_at.values()) == recall_at(**arrays, ks=[1, 5]).mean(axis=0).tolist()
    assert task.ndcg_at == {k: pytest.approx(ndcg(**arrays, k=k).mean()) for k in (1, 5, None)}
    np.testing.assert_allclose(task.map_by_class, map_by_class(**arrays, **options))
    assert len(task.radius_precision) == len(task.radius_recall) == 17
    assert (task.n_query, task.n_database, task.bits, task.n_without_relevant) == (8, 70, 16, 1)


def test_image_queries_rank_texts_and_text_queries_images(both):
    report = evaluate(**both)
    assert [*report.tasks] == ["image-to-text", "text-to-image"]
    expected = mean_average_precision(
        query_codes=both["query_codes"]["text"],
        database_codes=both["database_codes"]["image"],
        query_labels=both["query_labels"],
        database_labels=both["database_labels"],
    )
    assert report["text-to-image"].mean_average_precision == expected


def test_json_there_and_back(both):
    report = evaluate(**both, ties="index")
    again = RetrievalReport.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert again.definition == {"k": None, "normalise": "min", "ties": "index", "no_relevant": "zero"}
    short = json.loads(report.to_json(per_query=False))
    assert short["tasks"]["image-to-text"]["average_precision"] == []


def test_tables_for_people(both):
    report = evaluate(**both, k=10)
    markdown, latex = report.to_markdown(), report.to_latex()
    value = f"{report['image-to-text'].mean_average_precision:.4f}"
    assert f"| image-to-text | 16 | {value} |" in markdown
    assert "mAP cut at 10 (min), ties expected" in markdown
    assert "8 queries on 70 items" in markdown
    assert f"image-to-text & 16 & {value} &" in latex
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 1
    assert r"95 \% interval" in latex


def test_comparing_two_systems(both, make_arrays):
    first = evaluate(**both)
    assert first.compare(first)["image-to-text"].p_value == 1
    perfect = [both[side].astype(int) * 2 - 1 for side in ("query_labels", "database_labels")]
    codes = {
        "query_codes": {"image": perfect[0], "text": perfect[0]},
        "database_codes": {"image": perfect[1], "text": perfect[1]},
    }
    second = evaluate(**{**both, **codes})
    test = second.compare(first)["text-to-image"]
    assert test.difference > 0
    assert test.p_value < 0.05
    with pytest.raises(ValueError, match="define mAP alike"):
        first.compare(evaluate(**both, k=3))
    with pytest.raises(ValueError, match="must share a task"):
        first.compare(evaluate(**make_arrays(8, 70, 16, 4)))


def test_queries_without_a_relevant_item(make_arrays):
    arrays = make_arrays(3, 20, 8, 2)
    arrays["query_labels"][:] = [[0, 0], [1, 0], [1, 1]]
    zero, skip = evaluate(**arrays)["retrieval"], evaluate(**arrays, no_relevant="skip")["retrieval"]
    assert zero.n_without_relevant == skip.n_without_relevant == 1
    assert zero.mean_average_precision == pytest.approx(skip.mean_average_precision * 2 / 3)
    arrays["query_labels"][:] = 0
    with pytest.raises(ValueError, match="for at least one query"):
        evaluate(**arrays, no_relevant="skip")
    assert evaluate(**arrays)["retrieval"].map_by_class == (None, None)


def test_reading_something_else():
    with pytest.raises(ValueError, match="written by to_json"):
        RetrievalReport.from_json("{}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_codes": {"image": 1}}, r"query_codes must be a mapping .* but it has \['image'\]"),
        ({"database_codes": np.ones((70, 16))}, "database_codes must be a mapping .* but it has ndarray"),
        ({"no_relevant": "nan"}, "no_relevant must be one of 'zero', 'skip'"),
        ({"ties": "luck"}, "ties must be one of 'expected', 'best', 'worst', 'index'"),
        ({"normalise": "map"}, "normalise must be one of 'min'"),
        ({"k": 0}, "k must be an integer"),
        ({"ks": [0]}, "ks must be an integer"),
    ],
)
def test_bad_input(both, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(**{**both, **change})
