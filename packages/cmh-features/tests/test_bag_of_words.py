from __future__ import annotations

import json
import math

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder
from hypothesis import given
from hypothesis import strategies as st

TEXTS = ["A red apple", "a RED boat, a red sail", "boat", None, ""]


def test_a_bag_of_words_by_hand():
    encoder = load_encoder("bag-of-words").fit(TEXTS)
    assert encoder.vocabulary == ("boat", "red", "apple", "sail")
    assert encoder.width == 4
    encoded = encoder.encode_texts([*TEXTS, "nothing known"])
    assert encoded.features.tolist() == [[0, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0], *[[0, 0, 0, 0]] * 3]
    assert [one.reason for one in encoded.skipped] == [
        "is missing",
        "is empty",
        "holds no word of the vocabulary",
    ]


def test_tf_idf_by_hand():
    encoder = load_encoder("tf-idf").fit(TEXTS)
    red, apple = math.log(4 / 3) + 1, math.log(4 / 2) + 1
    length = math.hypot(red, apple)
    assert np.allclose(encoder.encode_texts(TEXTS).features[0], [0, red / length, apple / length, 0])
    boat, sail = red, apple
    length = math.sqrt(boat**2 + (2 * red) ** 2 + sail**2)
    assert np.allclose(
        encoder.encode_texts(TEXTS).features[1], [boat / length, 2 * red / length, 0, sail / length]
    )


def test_the_vocabulary_can_be_limited():
    encoder = load_encoder("bag-of-words").fit(TEXTS, least_count=2)
    assert encoder.vocabulary == ("boat", "red")
    assert encoder.fit(TEXTS, largest_vocabulary=1).vocabulary == ("boat",)
    assert encoder.fit(TEXTS, stop_words=["red"]).vocabulary == ("boat", "apple", "sail")
    assert encoder.fit(TEXTS, largest_share=0.5).vocabulary == ("apple", "sail")


def test_words_of_any_script_count():
    assert load_encoder("bag-of-words").fit(["Äpfel 日本 x 12"]).vocabulary == ("äpfel", "日本")


@pytest.mark.parametrize("name", ["bag-of-words", "tf-idf"])
def test_a_saved_vocabulary_gives_the_same_features_and_identity(name, tmp_path):
    encoder = load_encoder(name).fit(TEXTS)
    encoder.save(tmp_path / "words.json")
    again = load_encoder(f"{name}:{tmp_path / 'words.json'}")
    assert again.identity == encoder.identity
    assert np.array_equal(again.encode_texts(TEXTS).features, encoder.encode_texts(TEXTS).features)


def test_without_a_vocabulary_it_says_what_to_do():
    encoder = load_encoder("tf-idf")
    for ask in (lambda: encoder.width, lambda: encoder.encode_texts(["a"]), lambda: encoder.save("x")):
        with pytest.raises(ValueError, match=r"tf-idf has no vocabulary yet; call \.fit"):
            ask()


def test_texts_without_words_are_refused():
    with pytest.raises(ValueError, match="no word is in at least 1 and at most 1 of the 1 texts"):
        load_encoder("bag-of-words").fit(["12 x"])


def test_a_missing_vocabulary_file_is_named(tmp_path):
    with pytest.raises(
        EncoderUnavailableError, match=r"needs the vocabulary file .*words\.json, but there is none"
    ):
        load_encoder(f"bag-of-words:{tmp_path / 'words.json'}")


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        '{"words": [], "document_counts": [], "n_text": 3}',
        '{"words": ["a", "a"], "document_counts": [1, 1], "n_text": 3}',
        '{"words": ["a"], "document_counts": [4], "n_text": 3}',
        '{"words": [1], "document_counts": [1], "n_text": 3}',
    ],
)
def test_other_files_are_no_vocabulary(tmp_path, content):
    (tmp_path / "words.json").write_text(content)
    with pytest.raises(ValueError, match=r"words\.json must be a vocabulary that \.save wrote"):
        load_encoder(f"bag-of-words:{tmp_path / 'words.json'}")


@given(st.lists(st.text(alphabet="ab cd", min_size=1), min_size=1, max_size=20))
def test_a_bag_says_for_each_word_whether_the_text_holds_it(texts):
    encoder = load_encoder("bag-of-words")
    try:
        encoder.fit(texts, largest_vocabulary=None)
    except ValueError:
        assert not any(len(word) >= 2 for text in texts for word in text.split())
        return
    table = encoder.encode_texts(texts).features
    for text, row in zip(texts, table, strict=True):
        assert [float(word in text.split()) for word in encoder.vocabulary] == row.tolist()


@pytest.mark.parametrize("name", ["bag-of-words", "tf-idf"])
def test_what_was_fitted_is_restored_in_another_encoder(name):
    first = load_encoder(name).fit(["a red apple", "red boat", "the boat"])
    other = load_encoder(name).restore(json.loads(json.dumps(first.fitted())))
    assert other.identity == first.identity
    texts = ["red red boat", "the apple"]
    assert np.array_equal(other.encode_texts(texts).features, first.encode_texts(texts).features)


def test_the_words_alone_make_a_bag():
    encoder = load_encoder("bag-of-words").restore({"words": ["sea", "boat"]})
    assert encoder.encode_texts(["a boat on a boat"]).features.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("bag-of-words", {}),
        ("bag-of-words", {"words": []}),
        ("bag-of-words", {"words": ["sea", "sea"]}),
        ("bag-of-words", ["sea"]),
        ("bag-of-words", {"words": 3}),
        ("tf-idf", {"words": ["sea"]}),
        ("tf-idf", {"words": ["sea"], "document_counts": [4], "n_text": 3}),
    ],
)
def test_nothing_else_is_restored(name, fitted):
    with pytest.raises(ValueError, match=f"must be what an encoder {name} learned"):
        load_encoder(name).restore(fitted)
