"""The binary inverted file of faiss against the exact search."""

import shutil

import numpy as np
import pytest
from cmh_metrics import hamming_topk
from cmh_search import CodeIndex, CodeIndexError, FaissSearch, IndexWriter, export_index
from conftest import random_items

faiss = pytest.importorskip("faiss")


@pytest.fixture
def index(tmp_path, rng):
    CodeIndex.create(tmp_path / "index", bits=20)
    with IndexWriter(tmp_path / "index") as writer:
        items = random_items(rng, 600, 20)[2]
        writer.add(**items)
        writer.delete(items["ids"][::7])
    return CodeIndex(tmp_path / "index")


@pytest.mark.parametrize(("combine", "modality"), [("nearest", None), ("cross", "image"), ("cross", "text")])
def test_with_all_lists_it_is_exact(index, rng, combine, modality):
    queries = rng.normal(size=(9, 20))
    how = {"combine": combine, "query_modality": modality}
    found = FaissSearch(index, lists=12).search(queries, k=10, probes=12, **how)
    exact = index.search(queries, k=10, **how)
    assert np.array_equal(found.distances, exact.distances)


@pytest.mark.parametrize("probes", [1, 3, 12])
def test_filters_leave_as_many_items_as_an_exact_search_finds(tmp_path, rng, probes):
    CodeIndex.create(tmp_path / "index", bits=20, label_names=["rare", "common"])
    with IndexWriter(tmp_path / "index") as writer:
        items = random_items(rng, 400, 20)[2]
        labels = np.stack([np.arange(400) % 50 == 0, np.arange(400) % 2 == 0], axis=1)
        writer.add(**items, labels=labels)
    index = CodeIndex(tmp_path / "index")
    approximate, queries = FaissSearch(index, lists=12), rng.normal(size=(6, 20))
    for how in ({"labels": ["rare"]}, {"labels": ["common"]}, {"exclude": items["ids"][:5]}, {"k": 400},
                {"ids": items["ids"][:300]}, {"labels": ["common"], "k": 150}):  # fmt: skip
        found = approximate.search(queries, probes=probes, **how)
        exact = index.search(queries, **how)
        assert found.rows.shape == exact.rows.shape
        assert (found.rows >= 0).all()
        assert (np.sort(found.distances, axis=1) == found.distances).all()
        if probes == 12 or how.get("labels") == ["rare"]:
            assert np.array_equal(found.distances, exact.distances)
        everything = index.search(queries, **{**how, "k": 400})
        for query in range(6):
            assert set(found.ids(query)) <= set(everything.ids(query))


def test_what_the_lists_hold_is_reranked(tmp_path, rng):
    CodeIndex.create(tmp_path / "index", bits=20, value_width=20)
    with IndexWriter(tmp_path / "index") as writer:
        values = rng.normal(size=(300, 20)).astype(np.float32)
        writer.add(ids=[str(n) for n in range(300)], image_codes=values, image_values=values)
    index, query = CodeIndex(tmp_path / "index"), rng.normal(size=(4, 20))
    how = {"k": 5, "rerank": 60, "query_values": query}  # all of them: fewer depend on the order of ties
    found, exact = FaissSearch(index, lists=9).search(query, probes=9, **how), index.search(query, **how)
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, exact.scores, atol=1e-6)


def test_lists_of_another_index_in_the_same_place_are_not_read(tmp_path, rng):
    for _ in range(2):  # made anew: the same ids, other codes
        shutil.rmtree(tmp_path / "index", ignore_errors=True)
        CodeIndex.create(tmp_path / "index", bits=20)
        with IndexWriter(tmp_path / "index") as writer:
            writer.add(ids=[str(n) for n in range(90)], image_codes=rng.normal(size=(90, 20)))
        index = CodeIndex(tmp_path / "index")
        found = FaissSearch(index, folder=tmp_path / "ivf").search(np.ones(20), probes=99)
        assert np.array_equal(found.distances, index.search(np.ones(20)).distances)


@pytest.mark.parametrize("damage", [b"", b"IBwF"])
def test_damaged_lists_are_named(index, tmp_path, damage):
    FaissSearch(index, folder=tmp_path / "ivf")
    next((tmp_path / "ivf").glob("*.ivf")).write_bytes(damage)
    with pytest.raises(CodeIndexError, match=r"cannot be read by faiss .*; delete its folder"):
        FaissSearch(index, folder=tmp_path / "ivf")


def test_recall_of_items_as_queries_grows_with_probes(index):
    approximate = FaissSearch(index)
    assert 0 < approximate.recall(probes=1) < approximate.recall(probes=approximate.lists) == 1


def test_recall_is_measured_and_grows_with_probes(index, rng):
    approximate = FaissSearch(index)
    queries = rng.normal(size=(40, 20))
    few, many = (approximate.recall(queries, probes=probes) for probes in (1, 22))
    assert 0 < few < many == 1


def test_what_was_built_is_read_until_the_index_changes(index, tmp_path, rng, monkeypatch):
    queries = rng.normal(size=(5, 20))
    first = FaissSearch(index, folder=tmp_path / "ivf").search(queries, probes=3)
    monkeypatch.setattr(FaissSearch, "_build", None)  # nothing is built again
    again = FaissSearch(index, folder=tmp_path / "ivf").search(queries, probes=3)
    assert np.array_equal(first.rows, again.rows)
    monkeypatch.undo()
    with IndexWriter(index.path) as writer:
        writer.add(ids=["new"], image_codes=queries[:1])
    changed = FaissSearch(index.refresh(), folder=tmp_path / "ivf").search(queries[:1], k=1, probes=99)
    assert changed.ids() == ["new"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"combine": "mean"}, "must be nearest or cross here"),
        ({"combine": "centred"}, "must be nearest or cross here"),
        ({"probes": 0}, "probes must be at least 1"),
        ({"k": 0}, "k must be at least 1"),
        ({"query_codes": np.ones(9)}, "must have 20 bits"),
        ({"combine": "cross"}, "must know query_modality"),
    ],
)
def test_what_cannot_be_searched_is_said(index, how, says):
    with pytest.raises(CodeIndexError, match=says):
        FaissSearch(index).search(**{"query_codes": np.ones(20), **how})


@pytest.mark.parametrize("lists", [0, -4, 2.5])
def test_lists_are_at_least_one(index, lists):
    with pytest.raises(CodeIndexError, match="lists must be at least 1"):
        FaissSearch(index, lists=lists)


def test_an_empty_index_is_refused(tmp_path):
    with pytest.raises(CodeIndexError, match="holds no items"):
        FaissSearch(CodeIndex.create(tmp_path / "index", bits=8))


def test_an_exported_flat_index_finds_the_same(index, tmp_path, rng):
    export_index(index, tmp_path / "out", engine="faiss")
    flat = faiss.read_index_binary(str(tmp_path / "out" / "text.index"))
    codes, _ = index.codes("text")
    assert flat.ntotal == len(codes)
    query = rng.normal(size=(1, 20))
    distances, _ = flat.search(np.packbits(query >= 0, axis=1), 5)
    assert np.array_equal(distances, hamming_topk(query_codes=query, database_codes=codes, k=5)[0])
