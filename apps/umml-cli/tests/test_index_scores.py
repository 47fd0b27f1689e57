"""Scores of searches: by hand, and against the measures of cmh-metrics."""

import numpy as np
import pytest
from cmh_metrics import average_precision, ndcg
from cmh_search import CodeIndex, IndexWriter
from umml_cli.errors import UserError
from umml_cli.search.collection import EncodedBlock
from umml_cli.search.index_scores import score_searches
from umml_cli.search.open_searcher import approximate_search
from umml_cli.search.searcher import Searcher


class Queries:
    """Encoded queries; the second has no text."""

    name, label_names, block = "queries", ("a", "b", "c"), 10

    def __init__(self, outputs, labels):
        self.outputs, self.labels, self.rows = outputs, labels, np.arange(len(labels))

    def encode(self, rows):
        text = np.arange(len(rows)) != 1
        return EncodedBlock(
            rows=rows,
            outputs={"image": self.outputs[rows], "text": -self.outputs[rows]},
            present={"image": np.ones(len(rows), bool), "text": text},
        )


def made(tmp_path, n=120, bits=12):
    rng = np.random.default_rng(0)
    codes, labels = np.where(rng.random((n, bits)) < 0.5, -1, 1), (rng.random((n, 3)) < 0.4).astype(np.uint8)
    CodeIndex.create(tmp_path / "index", bits=bits, label_names=["a", "b", "c"], value_width=bits)
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(ids=[f"{i}" for i in range(n)], image_codes=codes, image_values=codes, labels=labels)
        writer.delete(["5", "7"])
    kept = np.delete(np.arange(n), [5, 7])
    queries = Queries(
        rng.normal(size=(9, bits)).astype(np.float32), (rng.random((9, 3)) < 0.4).astype(np.uint8)
    )
    return Searcher(CodeIndex(tmp_path / "index"), None), queries, codes[kept], labels[kept]


def test_scores_are_those_of_the_measures(tmp_path):
    searcher, queries, codes, labels = made(tmp_path)
    by_side = {scores.task: scores for scores in score_searches(searcher, queries)}
    assert {task: scores.n_query for task, scores in by_side.items()} == {"i2t": 9, "t2i": 8}
    has = np.arange(9) != 1
    for task, outputs, query_labels in (
        ("i2t", queries.outputs, queries.labels),
        ("t2i", -queries.outputs[has], queries.labels[has]),
    ):
        arrays = {
            "query_codes": outputs, "database_codes": codes, "query_labels": query_labels,
            "database_labels": labels,
        }  # fmt: skip
        assert by_side[task].map == pytest.approx(average_precision(**arrays).mean())
        at_50 = average_precision(**arrays, k=50, normalise="retrieved", ties="index").mean()
        assert by_side[task].map_at_50 == pytest.approx(at_50)
        assert 0 < by_side[task].ndcg_at_10 <= 1
        assert (
            abs(by_side[task].ndcg_at_10 - ndcg(**arrays, k=10).mean()) < 0.1
        )  # ties: by row, averaged there


def test_two_items_by_hand(tmp_path):
    CodeIndex.create(tmp_path / "index", bits=4, label_names=["a", "b", "c"])
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(ids=["near", "far"], text_codes=[[1, 1, 1, 1], [-1] * 4], labels=[[0, 1, 0], [1, 0, 0]])
    queries = Queries(np.ones((1, 4), np.float32), np.array([[1, 0, 0]], np.uint8))
    (image, text) = score_searches(Searcher(CodeIndex(tmp_path / "index"), None), queries)
    assert (image.map, image.map_at_50) == (0.5, 0.5)  # the relevant item is the second
    assert image.ndcg_at_10 == pytest.approx(1 / np.log2(3))
    assert (text.map, text.ndcg_at_10) == (1, 1)


def test_whole_rankings_of_centred_distances_are_scored_by_their_order(tmp_path):
    """One image and one text at the same distance: only centred distances tell them apart."""
    CodeIndex.create(tmp_path / "index", bits=4, label_names=["a", "b", "c"])
    with IndexWriter(tmp_path / "index") as writer:  # images 0 and 1 bits from the query, texts 2 and 4
        codes = [[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1], [-1] * 4]
        has_text = np.array([False, False, True, True])
        writer.add(
            ids=list("abcd"), image_codes=codes, text_codes=codes, image_present=~has_text,
            text_present=has_text, labels=[[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]],
        )  # fmt: skip
    searcher = Searcher(CodeIndex(tmp_path / "index"), None)
    queries = Queries(np.ones((1, 4), np.float32), np.array([[1, 0, 0]], np.uint8))
    assert next(iter(score_searches(searcher, queries, combine="mean"))).map == pytest.approx(1 / 3)
    assert next(iter(score_searches(searcher, queries, combine="centred"))).map == 1  # -1, -0.5, 0.5, 1


def test_filters_leave_the_others_out_of_the_truth_too(tmp_path):
    searcher, queries, codes, labels = made(tmp_path)
    only = labels[:, 1] > 0
    image = next(score_searches(searcher, queries, labels=["b"]))
    expected = average_precision(
        query_codes=queries.outputs,
        database_codes=codes[only],
        query_labels=queries.labels,
        database_labels=labels[only],
    )
    assert image.map == pytest.approx(expected.mean())


def test_re_ranked_searches_are_scored_beside_the_others(tmp_path):
    searcher, queries, *_ = made(tmp_path)
    ways = [
        (scores.task, scores.way, scores.map is None)
        for scores in score_searches(searcher, queries, rerank=2)
    ]
    assert ways == [
        ("i2t", "by codes", False),
        ("i2t", "re-ranked, 2 times as many", True),
        ("t2i", "by codes", False),
        ("t2i", "re-ranked, 2 times as many", True),
    ]


def test_searches_by_lists_are_scored_beside_the_exact_ones(tmp_path):
    searcher, queries, *_ = made(tmp_path, n=1200, bits=32)
    searcher = Searcher(searcher.index, None, approximate_search(searcher.index, 4))
    image = [one for one in score_searches(searcher, queries, rerank=2) if one.task == "i2t"]
    assert [one.way for one in image] == [
        "by codes",
        "re-ranked, 2 times as many",
        "faiss, 4 of 34 lists",
        "faiss, 4 of 34 lists, re-ranked, 2 times as many",
    ]
    assert [one.map is None for one in image] == [False, True, True, True]
    assert image[0].recall_at_10 == 1
    assert 0 < image[2].recall_at_10 < 1
    everything = Searcher(searcher.index, None, approximate_search(searcher.index, 99))
    whole = [one for one in score_searches(everything, queries) if one.task == "i2t"][1]
    assert (whole.way, whole.recall_at_10) == ("faiss, 34 of 34 lists", 1)


def test_recall_counts_what_is_there(tmp_path):
    searcher, queries, *_ = made(tmp_path, n=8)  # fewer than ten items
    assert next(score_searches(searcher, queries)).recall_at_10 == 1


def test_other_labels_are_refused(tmp_path):
    searcher, queries, *_ = made(tmp_path)
    queries.label_names = ("a", "b", "d")
    with pytest.raises(UserError, match="must have the same labels"):
        next(score_searches(searcher, queries))
