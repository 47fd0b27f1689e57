"""The binary inverted file of faiss against the exact search."""

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
        ({"probes": 0}, "probes must be at least 1"),
        ({"k": 0}, "k must be at least 1"),
        ({"query_codes": np.ones(9)}, "must have 20 bits"),
        ({"combine": "cross"}, "must know query_modality"),
    ],
)
def test_what_cannot_be_searched_is_said(index, how, says):
    with pytest.raises(CodeIndexError, match=says):
        FaissSearch(index).search(**{"query_codes": np.ones(20), **how})


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
