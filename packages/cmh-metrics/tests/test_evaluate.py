import copy
import json

import numpy as np
import pytest
from cmh_metrics import (
    Definition,
    RetrievalReport,
    average_precision,
    evaluate,
    instance_recall_at,
    map_by_class,
    mean_average_precision,
    ndcg,
    precision_at,
    precision_recall_by_radius,
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
    assert task.map_best == mean_average_precision(**arrays, **options, ties="best")
    assert task.map_worst == mean_average_precision(**arrays, **options, ties="worst")
    np.testing.assert_array_equal(task.average_precision, average_precision(**arrays, **options))
    assert task.map_interval[0] <= task.mean_average_precision <= task.map_interval[1]
    assert list(task.precision_at.values()) == precision_at(**arrays, ks=[1, 5]).mean(axis=0).tolist()
    assert list(task.recall_at.values()) == recall_at(**arrays, ks=[1, 5]).mean(axis=0).tolist()
    assert task.ndcg_at == {k: pytest.approx(ndcg(**arrays, k=k).mean()) for k in (1, 5, None)}
    np.testing.assert_allclose(task.map_by_class, map_by_class(**arrays, **options))
    np.testing.assert_allclose(task.map_within_class, map_by_class(**arrays, **options, relevance="class"))
    plain, found = (
        precision_recall_by_radius(**arrays, average=average)
        for average in ("all-queries", "queries-with-hits")
    )
    assert (task.radius_precision, task.radius_recall) == (tuple(plain.precision), tuple(plain.recall))
    counted = ~np.isnan(found.precision)
    assert task.radius_precision_found[0] is None
    assert not counted[0]
    np.testing.assert_array_equal(np.array(task.radius_precision_found)[counted], found.precision[counted])
    np.testing.assert_array_equal(np.array(task.radius_recall_found)[counted], found.recall[counted])
    assert task.instance_recall_at == {}
    assert (task.n_query, task.n_database, task.bits, task.n_without_relevant) == (8, 70, 16, 1)


@pytest.mark.parametrize("ties", ["expected", "index", "worst"])
def test_classes_follow_the_tie_rule(make_arrays, ties):
    arrays = make_arrays(8, 70, 5, 4)
    task = evaluate(**arrays, ties=ties)["retrieval"]
    np.testing.assert_allclose(task.map_by_class, map_by_class(**arrays, ties=ties))
    np.testing.assert_allclose(task.map_within_class, map_by_class(**arrays, ties=ties, relevance="class"))


@pytest.mark.parametrize("targets", ["rows", [3, 1, 4, 1, 5, 9, 2, 6]])
def test_each_query_finds_its_own_item(both, targets):
    report = evaluate(**both, targets=targets, ks=[1, 9])
    for source, target in (("image", "text"), ("text", "image")):
        codes = {"query_codes": both["query_codes"][source], "database_codes": both["database_codes"][target]}
        rows = None if targets == "rows" else targets
        expected = instance_recall_at(**codes, targets=rows, ks=[1, 9])
        assert list(report[f"{source}-to-{target}"].instance_recall_at.values()) == expected.tolist()
    assert f"| {expected[0]:.4f} |" in report.to_markdown()
    assert "| task | k | precision | recall | nDCG | instance recall |" in report.to_markdown()
    assert RetrievalReport.from_json(report.to_json()).to_json() == report.to_json()


def test_integers_of_numpy_as_cut_offs(make_arrays):
    arrays = make_arrays(3, 20, 8, 2)
    report = evaluate(**arrays, k=np.int64(5), ks=np.array([1, 2]), seed=np.int64(1))
    assert json.loads(report.to_json())["definition"]["k"] == 5
    assert report.to_json() == evaluate(**arrays, k=5, ks=[1, 2], seed=1).to_json()


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
    assert again.definition == Definition(ties="index")
    assert vars(again["image-to-text"]).keys() == vars(report["image-to-text"]).keys()
    short = json.loads(report.to_json(per_query=False))
    assert short["tasks"]["image-to-text"]["average_precision"] == []


def test_tables_for_people(both):
    report = evaluate(**both, k=10)
    markdown, latex = report.to_markdown(), report.to_latex()
    value = f"{report['image-to-text'].mean_average_precision:.4f}"
    assert f"| image-to-text | 16 | {value} |" in markdown
    assert "mAP: min@10, ties expected, queries without a relevant item: zero" in markdown
    assert "measures at k: ties expected; database codes: -1 and +1" in markdown.splitlines()[-1]
    assert "; 8 queries on 70 items" in markdown.splitlines()[-1]
    assert f"image-to-text & 16 & {value} &" in latex
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 3
    assert r"95\% CI" in latex
    task = report["text-to-image"]
    cells = [task.precision_at[50], task.recall_at[50], task.ndcg_at[50]]
    cells = [f"{cell:.4f}" for cell in cells]
    assert "| text-to-image | 50 | " + " | ".join(cells) + " |" in markdown
    assert "text-to-image & 50 & " + " & ".join(cells) + r" \\" in latex
    assert f"| text-to-image | all |  |  | {task.ndcg_at[None]:.4f} |" in markdown


def test_names_of_tasks_are_quoted(make_arrays):
    report = evaluate(**make_arrays(2, 9, 8, 2), task="50% a_b|c\n#1 & {x} \\~^$")
    assert r"50\% a\_b|c \#1 \& \{x\} \textbackslash{}\textasciitilde{}\textasciicircum{}\$ & 8 &" in (
        report.to_latex()
    )
    assert r"| 50% a_b\|c #1 & {x} \~^$ | 8 |" in report.to_markdown()


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
    tests = second.compare(first)
    written = json.loads(second.to_json(tests=tests))["tests"]["text-to-image"]
    assert written == {"difference": test.difference, "p_value": test.p_value, "n_query": 8}
    assert f"| {test.difference:+.4f} | {test.p_value:.4f} |" in second.to_markdown(tests=tests)
    assert rf"& {test.difference:+.4f} & {test.p_value:.4f} \\" in second.to_latex(tests=tests)
    assert "tests" not in json.loads(second.to_json())
    with pytest.raises(ValueError, match="define mAP alike"):
        first.compare(evaluate(**both, k=3))
    with pytest.raises(ValueError, match="must share a task"):
        first.compare(evaluate(**make_arrays(8, 70, 16, 4)))


def test_scores_of_queries_that_are_not_the_same_are_not_paired():
    """As many of them count in both reports."""
    codes = {"query_codes": [[1, 1], [1, -1]], "database_codes": [[1, 1], [1, -1], [-1, -1]]}
    labels = {"query_labels": [[1, 0], [0, 1]], "k": 1, "no_relevant": "skip-no-hit"}
    first = evaluate(**codes, **labels, database_labels=[[1, 0], [0, 0], [0, 1]])
    second = evaluate(**codes, **labels, database_labels=[[0, 0], [0, 1], [1, 0]])
    assert [one["retrieval"].n_counted for one in (first, second)] == [1, 1]
    with pytest.raises(
        ValueError, match="'skip-no-hit' left some out of task retrieval, in each report its own"
    ):
        first.compare(second)
    both = evaluate(**codes, **labels, database_labels=[[1, 0], [0, 1], [0, 0]])
    assert both.compare(both)["retrieval"].n_query == 2
    labels["no_relevant"] = "skip"
    one = evaluate(**codes, **labels, database_labels=[[1, 0], [0, 0], [0, 0]])
    with pytest.raises(ValueError, match="they have 2 and 2, of which 0 and 1 have no relevant item"):
        evaluate(**codes, **labels, database_labels=[[1, 0], [0, 1], [0, 0]]).compare(one)


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


@pytest.mark.parametrize("ties", ["expected", "index", "best", "worst"])
def test_bounds_hold_for_the_queries_that_count(make_arrays, ties):
    arrays = make_arrays(60, 200, 4, 40, density=0.03)
    task = evaluate(**arrays, k=5, normalise="retrieved", ties=ties, no_relevant="skip-no-hit")["retrieval"]
    assert task.n_counted == len(task.average_precision) < 60 - task.n_without_relevant
    assert task.map_worst - 1e-12 <= task.mean_average_precision <= task.map_best + 1e-12
    expected = mean_average_precision(
        **arrays, k=5, normalise="retrieved", ties=ties, no_relevant="skip-no-hit"
    )
    assert task.mean_average_precision == expected


def test_codes_that_are_all_equal_are_a_warning(make_arrays):
    arrays = make_arrays(40, 50, 16, 3)
    assert evaluate(**arrays)["retrieval"].warnings == ()
    arrays["database_codes"][:, :5] = 1
    arrays["query_codes"][:] = arrays["query_codes"][0]
    report = evaluate(**arrays)
    assert report["retrieval"].warnings == (
        "query codes: all codes are equal, 16 of 16 bits never change",
        "database codes: 5 of 16 bits never change",
    )
    warning = "Warning: retrieval, query codes: all codes are equal, 16 of 16 bits never change."
    assert warning in report.to_markdown()
    assert f"% {warning}" in report.to_latex()
    assert RetrievalReport.from_json(report.to_json())["retrieval"].warnings == report["retrieval"].warnings


def test_what_a_report_says_of_the_values(make_arrays):
    arrays = make_arrays(4, 50, 16, 3)
    arrays["query_codes"] = arrays["query_codes"] > 0
    arrays["database_codes"] = arrays["database_codes"] * 0.4
    assert evaluate(**arrays)["retrieval"].readings == {
        "query_codes": "0 and 1",
        "database_codes": "real outputs, a zero counting as +1",
        "labels": "0 and 1",
    }
    arrays["query_codes"] = arrays["query_codes"] * 0.7 + 0.1
    arrays["database_codes"] = arrays["database_codes"] + 0.5
    readings = evaluate(**arrays, threshold=0.5)["retrieval"].readings
    assert readings["query_codes"] == readings["database_codes"] == "1 from 0.5 on, otherwise 0"


def test_a_measure_that_a_report_does_not_have(make_arrays):
    task = evaluate(**make_arrays(2, 9, 8, 2))["retrieval"]
    with pytest.raises(AttributeError, match="no measure 'charm'"):
        task.charm  # noqa: B018
    assert copy.copy(task).ndcg_at == task.ndcg_at


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
        ({"targets": "columns"}, "targets must be one of 'rows'"),
        ({"targets": [1]}, r"targets must hold one database row per query \(8\)"),
        ({"code_values": "real"}, "code_values must be one of"),
    ],
)
def test_bad_input(both, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(**{**both, **change})
