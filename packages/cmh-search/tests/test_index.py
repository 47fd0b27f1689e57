"""Searching: exact distances, ties by row, filters, gaps, the whole ranking."""

import numpy as np
import pytest
from cmh_metrics import pack_codes
from cmh_search import CodeIndex, CodeIndexError, IndexWriter
from conftest import random_items
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_index import PlainIndex

COMBINES = [("nearest", None), ("mean", None), ("cross", "image"), ("cross", "text"), ("centred", None)]


def filled(folder, rng, *, bits=16, sizes=(30, 1, 25), label_names=(), **shares):
    index, plain = CodeIndex.create(folder, bits=bits, label_names=label_names), PlainIndex()
    with IndexWriter(folder) as writer:
        first = 0
        for size in sizes:
            ids, codes, items = random_items(rng, size, bits, first, **shares)
            labels = rng.random((size, len(label_names))) < 0.4 if label_names else None
            writer.add(**items, labels=labels, payload=[{"text": name} for name in ids])
            plain.add(ids, codes, labels)
            first += size
    return index.refresh(), plain


def test_four_items_by_hand(tmp_path):
    folder = tmp_path / "index"
    CodeIndex.create(folder, bits=4)
    with IndexWriter(folder) as writer:
        writer.add(ids=["picture"], image_codes=[[1, 1, 1, 1]])
        writer.add(
            ids=["pair", "words"],
            image_codes=[[-1, -1, 1, 1], [0, 0, 0, 0]],
            text_codes=[[-1, -1, -1, -1], [1, 1, 1, -1]],
            image_present=np.array([True, False]),
        )
    index = CodeIndex(folder)
    query = [[1, 1, 1, 1]]
    found = index.search(query, k=5)
    assert found.ids() == ["picture", "words", "pair"]
    assert found.distances[0, :3].tolist() == [0, 1, 2]
    assert found.rows.tolist() == [[0, 2, 1]]
    assert index.search(query, combine="mean").distances[0].tolist() == [0, 1, 3]
    assert index.search(query, combine="cross", query_modality="image").distances[0].tolist() == [0, 1, 4]
    assert index.search(query, combine="cross", query_modality="text").distances[0].tolist() == [0, 1, 2]
    assert index.counts == {"image": 1, "text": 1, "both": 1}
    assert {side: codes.words.tolist() for side, codes in index.codes_of("pair").items()} == {
        "image": [[12]],
        "text": [[0]],
    }
    assert list(index.codes_of("words")) == ["text"]


def test_centred_distances_by_hand(tmp_path):
    folder = tmp_path / "index"
    CodeIndex.create(folder, bits=4)
    with IndexWriter(folder) as writer:  # to the query: images 0, 2, 1; texts 4, 3
        writer.add(
            ids=["equal picture", "pair", "picture", "words"],
            image_codes=[[1, 1, 1, 1], [-1, -1, 1, 1], [1, 1, 1, -1], [0, 0, 0, 0]],
            text_codes=[[0, 0, 0, 0], [-1, -1, -1, -1], [0, 0, 0, 0], [1, -1, -1, -1]],
            image_present=np.array([True, True, True, False]),
            text_present=np.array([False, True, False, True]),
        )
    index, query = CodeIndex(folder), [[1, 1, 1, 1]]
    found = index.search(query, k=4, combine="centred")  # images are 1 away on average, texts 3.5
    assert found.ids() == ["equal picture", "words", "picture", "pair"]
    assert found.distances[0].tolist() == [0 - 1, 3 - 3.5, 1 - 1, ((2 - 1) + (4 - 3.5)) / 2]
    assert index.distances(query, combine="centred")[0].tolist() == [-1, 0.75, 0, -0.5]
    with IndexWriter(folder) as writer:
        writer.delete(["equal picture"])
    left = index.refresh().search(query, k=4, combine="centred")  # images are 1.5 away now
    assert left.distances[0].tolist() == [-0.5, -0.5, 0.5]
    assert left.ids() == ["picture", "words", "pair"]


def test_centred_distances_do_not_change_with_a_filter(tmp_path, rng):
    index, plain = filled(tmp_path / "index", rng, label_names=("cat", "dog"))
    query = rng.normal(size=(1, 16))
    whole = index.distances(query, combine="centred")[0]
    found = index.search(query, k=99, combine="centred", labels="cat")
    assert 0 < len(found.ids()) < len(plain.items)
    assert found.distances[0].tolist() == whole[found.rows[0]].tolist()


def test_without_gaps_centred_distances_order_as_the_mean(tmp_path, rng):
    index = CodeIndex.create(tmp_path / "index", bits=16)
    with IndexWriter(index.path) as writer:
        ids = [str(number) for number in range(40)]
        writer.add(ids=ids, image_codes=rng.normal(size=(40, 16)), text_codes=rng.normal(size=(40, 16)) + 3)
    index, queries = index.refresh(), rng.normal(size=(5, 16))
    centred = index.search(queries, k=40, combine="centred")
    assert np.array_equal(centred.rows, index.search(queries, k=40, combine="mean").rows)


def test_where_all_texts_are_farther_than_all_images_only_centred_distances_find_the_class(tmp_path):
    query = np.ones(32, int)
    other_class, text = np.repeat([-1, 1], [12, 20]), np.repeat([1, -1], [12, 20])
    items = [query, query * other_class, query * text, query * other_class * text]  # 0, 12, 20, 32 bits away
    has_text = np.array([False, False, True, True])
    index = CodeIndex.create(tmp_path / "index", bits=32)
    with IndexWriter(index.path) as writer:
        writer.add(
            ids=["image, class 0", "image, class 1", "text, class 0", "text, class 1"],
            image_codes=items, text_codes=items, image_present=~has_text, text_present=has_text,
        )  # fmt: skip
    index = index.refresh()
    assert index.search(query, combine="mean").rows.tolist() == [[0, 1, 2, 3]]
    centred = index.search(query, combine="centred")
    assert centred.distances.tolist() == [[-6, -6, 6, 6]]
    assert centred.rows.tolist() == [[0, 2, 1, 3]]


@pytest.mark.parametrize("bits", [1, 16, 63, 64, 65, 128])
@pytest.mark.parametrize(("combine", "query_modality"), COMBINES)
def test_the_nearest_are_those_of_the_loop(tmp_path, rng, bits, combine, query_modality):
    index, plain = filled(tmp_path / "index", rng, bits=bits)
    queries = rng.normal(size=(7, bits))
    for k in (1, 5, 56, 80):
        found = index.search(queries, k=k, combine=combine, query_modality=query_modality)
        for number, query in enumerate(queries):
            ids, distances = plain.search(query, k, combine, query_modality)
            assert found.ids(number) == ids
            assert found.distances[number][: len(ids)].tolist() == distances


@pytest.mark.parametrize(("combine", "query_modality"), COMBINES)
@pytest.mark.parametrize("gathered", [0.0, 0.5, 2.0])
def test_filters_find_the_nearest_of_what_they_let_through(
    tmp_path, rng, combine, query_modality, gathered, monkeypatch
):
    monkeypatch.setattr("cmh_search._nearest.GATHERED_SHARE", gathered)
    index, plain = filled(tmp_path / "index", rng, label_names=("cat", "dog", "boat"))
    some = sorted(plain.items)[::3]
    cases = [
        ({"labels": ["dog"]}, lambda _, labels: labels[1]),
        ({"labels": ["cat", "boat"]}, lambda _, labels: labels[0] or labels[2]),
        ({"ids": some}, lambda name, _: name in some),
        ({"exclude": some}, lambda name, _: name not in some),
        ({"labels": "dog", "exclude": some}, lambda name, labels: labels[1] and name not in some),
    ]
    queries = rng.normal(size=(3, 16))
    for how, wanted in cases:
        found = index.search(queries, k=6, combine=combine, query_modality=query_modality, **how)
        for number, query in enumerate(queries):
            ids, distances = plain.search(query, 6, combine, query_modality, wanted)
            assert found.ids(number) == ids
            assert found.distances[number][: len(ids)].tolist() == distances


@pytest.mark.parametrize(("combine", "query_modality"), COMBINES)
def test_a_radius_and_the_whole_ranking_agree_with_the_loop(
    tmp_path, rng, combine, query_modality, monkeypatch
):
    monkeypatch.setattr("cmh_search._nearest.DENSE_ENTRIES", 20)
    index, plain = filled(tmp_path / "index", rng)
    with IndexWriter(index.path) as writer:
        gone = sorted(plain.items)[5:9]
        writer.delete(gone)
    plain.delete(gone)
    index = index.refresh()
    queries = rng.normal(size=(3, 16))
    whole = index.distances(queries, combine=combine, query_modality=query_modality)
    assert np.isinf(whole).sum(axis=1).tolist() == [4, 4, 4]
    for number, query in enumerate(queries):
        ids, distances = plain.search(query, 99, combine, query_modality)
        assert sorted(whole[number][np.isfinite(whole[number])]) == sorted(distances)
        if combine == "centred":  # a radius is no share of it
            continue
        (found,) = index.within(query, radius=7, combine=combine, query_modality=query_modality)
        inside = [name for name, distance in zip(ids, distances, strict=True) if distance <= 7]
        assert found.ids() == inside


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.lists(st.sampled_from(["add", "delete", "update", "compact"]), max_size=14))
def test_changes_in_any_order_leave_what_the_dictionary_holds(tmp_path_factory, seed, steps):
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("changes") / "index"
    index, plain, number = CodeIndex.create(folder, bits=12), PlainIndex(), 0
    with IndexWriter(folder) as writer:
        for step in steps:
            here = list(plain.items)
            some = list(rng.choice(here, rng.integers(1, len(here) + 1), replace=False)) if here else []
            if step == "add":
                ids, codes, items = random_items(rng, int(rng.integers(1, 9)), 12, number)
                number += len(ids)
                writer.add(**items)
                plain.add(ids, codes)
            elif step == "delete" and some:
                writer.delete(map(str, some))
                plain.delete(some)
            elif step == "update" and some:
                _, codes, items = random_items(rng, len(some), 12)
                writer.update(**{**items, "ids": list(map(str, some))})
                plain.update(list(map(str, some)), codes)
            elif step == "compact":
                writer.compact()
    index = index.refresh()
    assert len(index) == len(plain.items)
    query = rng.normal(size=12)
    for combine, query_modality in COMBINES:
        found = index.search(query, k=50, combine=combine, query_modality=query_modality)
        assert found.ids() == plain.search(query, 50, combine, query_modality)[0]


def test_int8_values_keep_the_direction_through_merges(tmp_path, rng):
    folder = tmp_path / "index"
    CodeIndex.create(folder, bits=8, value_width=30, value_type="int8")
    values = rng.normal(size=(90, 30)).astype(np.float32) * 10.0 ** rng.integers(-6, 6, size=(90, 1))
    values[3] = 0  # has no direction
    has = np.arange(90) % 4 > 0
    with IndexWriter(folder) as writer:
        for start in range(0, 90, 5):  # merged on the way
            rows = slice(start, start + 5)
            writer.add(
                ids=[str(number) for number in range(90)[rows]],
                image_codes=values[rows, :8],
                text_codes=values[rows, :8],
                text_present=has[rows],
                image_values=values[rows],
                text_values=values[rows],
            )
        writer.delete(["17"])
        writer.compact()
    index = CodeIndex(folder)
    stored = np.load(next(folder.glob("*/values_image.npy")))
    assert stored.dtype == np.int8
    assert stored.shape == (89, 30)
    for number in (0, 1, 40, 89):
        kept = index.values_of(str(number))
        assert set(kept) == ({"image", "text"} if has[number] else {"image"})
        unit = values[number] / np.linalg.norm(values[number])
        for value in kept.values():
            assert np.linalg.norm(value) == pytest.approx(1, abs=1e-6)
            assert value[0] @ unit > 0.9999
    assert not index.values_of("3")["image"].any()


@pytest.mark.parametrize("value_type", ["float16", "int8"])
def test_a_merge_changes_no_byte_of_an_item(tmp_path, rng, value_type):
    folder = tmp_path / "index"
    names = ["a", "b", "c"]
    CodeIndex.create(folder, bits=70, label_names=names, value_width=5, value_type=value_type)
    with IndexWriter(folder) as writer:
        for first in range(0, 42, 7):
            items = random_items(rng, 7, 70, first=first)[2]
            values = rng.normal(size=(7, 5)).astype(np.float32)
            payload = [{"n": first + number, "text": "ä" * number} for number in range(7)]
            labels = rng.random((7, 3)) < 0.5
            writer.add(**items, image_values=values, text_values=-values, labels=labels, payload=payload)
        writer.add(ids=[""], text_codes=np.ones((1, 70)), text_values=np.ones((1, 5)))
        writer.delete(["item 3 ä", "item 4 ä", "item 41 ä"])
        before = content(CodeIndex(folder))
        writer.compact()
    assert content(CodeIndex(folder)) == before
    assert len(list(folder.glob("0*"))) == 1


def content(index):
    """Everything that an index says of its items, in their order."""
    said = []
    for row in map(int, index.rows):
        name = index.id(row)
        codes = {side: code.words.tobytes() for side, code in index.codes_of(name).items()}
        values = {side: value.tobytes() for side, value in index.values_of(name).items()}
        said.append((name, codes, values, index.labels(row), index.payload(row)))
    return said


def test_re_ranking_orders_by_the_outputs(tmp_path, rng):
    folder = tmp_path / "index"
    CodeIndex.create(folder, bits=8, value_width=8)
    image, text = rng.normal(size=(40, 8)).astype(np.float32), rng.normal(size=(40, 8)).astype(np.float32)
    has_text = np.arange(40) % 3 > 0
    with IndexWriter(folder) as writer:
        writer.add(
            ids=[str(number) for number in range(40)],
            image_codes=image,
            text_codes=text,
            text_present=has_text,
            image_values=image,
            text_values=text,
        )
    index, query = CodeIndex(folder), rng.normal(size=8).astype(np.float32)

    def cosine(values):
        return values @ query / np.linalg.norm(values, axis=1) / np.linalg.norm(query)

    for combine, modality, expected in (
        ("nearest", None, np.where(has_text, np.maximum(cosine(image), cosine(text)), cosine(image))),
        ("mean", None, np.where(has_text, (cosine(image) + cosine(text)) / 2, cosine(image))),
        ("cross", "image", np.where(has_text, cosine(text), cosine(image))),
        ("cross", "text", cosine(image)),
    ):
        found = index.search(
            query, k=5, rerank=8, query_values=query, combine=combine, query_modality=modality
        )
        assert np.allclose(found.scores[0], np.sort(expected)[::-1][:5], atol=2e-3)
        assert found.items()[0]["score"] == pytest.approx(float(found.scores[0, 0]), abs=1e-6)
    few = index.search(query, k=5, rerank=1, query_values=query)
    assert sorted(few.ids()) == sorted(index.search(query, k=5).ids())
    with IndexWriter(folder) as writer:
        writer.compact()
    again = index.refresh().search(query, k=5, rerank=8, query_values=query)
    assert again.ids() == index.search(query, k=5, rerank=8, query_values=query).ids()


def test_re_ranking_and_a_radius_are_not_for_centred_distances(tmp_path, rng):
    index = CodeIndex.create(tmp_path / "index", bits=8, value_width=8)
    with pytest.raises(CodeIndexError, match="rerank must be None for combine='centred', but it is 2"):
        index.search(np.ones(8), combine="centred", rerank=2, query_values=np.ones(8))
    with pytest.raises(CodeIndexError, match="combine must be nearest, mean or cross for a radius"):
        index.within(np.ones(8), combine="centred", radius=2)


def test_items_show_labels_and_payload(tmp_path, rng):
    index, plain = filled(tmp_path / "index", rng, label_names=("cat", "dog"))
    item = index.search(rng.normal(size=16), k=1).items()[0]
    labels = plain.items[item["id"]][1]
    assert item["payload"] == {"text": item["id"]}
    assert item["labels"] == [name for name, has in zip(("cat", "dog"), labels, strict=True) if has]


def test_packed_codes_are_taken_as_they_are(tmp_path, rng):
    codes = rng.normal(size=(9, 70))
    for folder, given_codes in ((tmp_path / "a", codes), (tmp_path / "b", pack_codes(codes))):
        CodeIndex.create(folder, bits=70)
        with IndexWriter(folder) as writer:
            writer.add(ids=list("abcdefghi"), image_codes=given_codes)
    query = rng.normal(size=(2, 70))
    one, other = CodeIndex(tmp_path / "a").search(query), CodeIndex(tmp_path / "b").search(pack_codes(query))
    assert one.rows.tolist() == other.rows.tolist()


def test_an_empty_index_finds_nothing(tmp_path):
    index = CodeIndex.create(tmp_path / "index", bits=8)
    assert len(index) == 0
    assert index.search(np.ones(8)).ids() == []
    assert index.within(np.ones(8), radius=8)[0].ids() == []
    assert index.distances(np.ones(8)).shape == (1, 0)
    assert index.search(np.ones(8), combine="centred").ids() == []


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"query_codes": np.ones(8)}, "must have 16 bits as the index has, but they have 8"),
        ({"query_codes": np.full(16, np.nan)}, "query_codes"),
        ({"k": 0}, "k must be at least 1, a whole number, but it is 0"),
        ({"combine": "best"}, "combine must be nearest, mean, cross or centred"),
        ({"combine": "cross"}, "must know query_modality"),
        ({"combine": "cross", "query_modality": "sound"}, "query_modality must be image or text"),
        ({"labels": ["bird"]}, "there is no label 'bird' in this index; it has cat, dog"),
        ({"ids": ["nobody"]}, "no item with the id 'nobody'"),
        ({"exclude": ["nobody"]}, "no item with the id 'nobody'"),
        ({"rerank": 2, "query_values": np.ones(16)}, "keeps no values"),
    ],
)
def test_what_cannot_be_searched_is_said(tmp_path, rng, how, says):
    index, _ = filled(tmp_path / "index", rng, label_names=("cat", "dog"))
    with pytest.raises(CodeIndexError, match=says):
        index.search(**{"query_codes": np.ones(16), **how})


def test_values_to_re_rank_by_must_fit(tmp_path):
    index = CodeIndex.create(tmp_path / "index", bits=8, value_width=4)
    for values in (None, np.ones(3)):
        with pytest.raises(CodeIndexError, match="query_values must be of shape"):
            index.search(np.ones(8), rerank=2, query_values=values)
    with pytest.raises(CodeIndexError, match="rerank must be at least 1"):
        index.search(np.ones(8), rerank=0, query_values=np.ones(4))


@pytest.mark.parametrize("side", ["image", "text"])
def test_all_codes_of_a_modality_are_those_of_the_live_items_in_order(tmp_path, rng, side):
    index, plain = filled(tmp_path / "index", rng, bits=70)
    with IndexWriter(index.path) as writer:
        writer.delete(index.search(np.ones(70), k=4).ids())
    index = index.refresh()
    codes, rows = index.codes(side)
    ids = [index.id(row) for row in rows]
    assert rows.tolist() == sorted(rows.tolist())
    live = set(index.search(np.ones(70), k=100).ids())
    assert ids == [name for name, (found, _) in plain.items.items() if side in found and name in live]
    expected = pack_codes(np.array([plain.items[name][0][side] for name in ids]))
    assert np.array_equal(codes.words, expected.words)


def test_codes_that_no_item_has_are_refused(tmp_path):
    with pytest.raises(CodeIndexError, match="no item of this index has a text code"):
        CodeIndex.create(tmp_path / "index", bits=8).codes("text")


def test_outputs_of_an_item_are_those_that_were_added(tmp_path, rng):
    folder, values = tmp_path / "index", rng.normal(size=(2, 8)).astype(np.float32)
    CodeIndex.create(folder, bits=8, value_width=8)
    with IndexWriter(folder) as writer:
        writer.add(ids=["a", "b"], image_codes=values, image_values=values)
    found = CodeIndex(folder).values_of("b")
    assert list(found) == ["image"]
    assert np.allclose(found["image"][0], values[1] / np.linalg.norm(values[1]), atol=1e-3)
    assert filled(tmp_path / "other", rng)[0].values_of("item 0 ä") == {}


def test_remarks_travel_with_the_index(tmp_path, rng):
    CodeIndex.create(tmp_path / "index", bits=8, remarks={"model": {"digest": "ab"}})
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(ids=["a"], text_codes=np.ones((1, 8)))
        writer.compact()
    assert CodeIndex(tmp_path / "index").remarks == {"model": {"digest": "ab"}}
    with pytest.raises(CodeIndexError, match="remarks must be JSON values"):
        CodeIndex.create(tmp_path / "other", bits=8, remarks={"x": float("nan")})


def test_queries_re_ranked_by_what_is_no_number_are_refused(tmp_path):
    index = CodeIndex.create(tmp_path / "index", bits=8, value_width=4)
    with pytest.raises(CodeIndexError, match="query_values must be finite"):
        index.search(np.ones(8), rerank=2, query_values=[np.nan] * 4)
