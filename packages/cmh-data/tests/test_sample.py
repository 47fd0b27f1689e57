from __future__ import annotations

from importlib.resources import files

import cmh_data
import numpy as np

DIGEST = "ec693df798a2468f15599126fd8a27985901f7e0c7d60ecc281d15268dce6a54"


def partner_share(image, text, train, query):
    """The share of queries whose own text is nearer to the ridge prediction than the median text."""
    mean, std = image[train].mean(0), image[train].std(0) + 1e-3
    image = (image - mean) / std
    text = text / np.linalg.norm(text, axis=1, keepdims=True)
    gram = image[train] @ image[train].T + 3000 * np.eye(len(train))
    predicted = (image[query] @ image[train].T) @ np.linalg.solve(gram, text[train] - text[train].mean(0))
    scores = predicted @ text[query].T
    return (np.diag(scores) > np.median(scores, axis=1)).mean()


def test_it_is_the_committed_data_set():
    data = cmh_data.sample()
    assert data.digest == data.compute_digest() == DIGEST


def test_shapes_and_split():
    data = cmh_data.sample()
    assert data.image.shape == (1876, 1280)
    assert data.image.dtype == np.float32
    assert data.text.shape == (1876, 615)
    assert data.label.shape == (1876, 9)
    assert len(data.ids) == len(set(data.ids)) == len(data.fine_labels) == len(data) == 1876
    assert len(data.label_names) == 9
    assert len(data.text_vocabulary) == 615
    assert (len(data.split.train), len(data.split.query), len(data.split.retrieval)) == (1200, 300, 1576)
    assert np.isin(data.split.train, data.split.retrieval).all()
    assert not np.isin(data.split.query, data.split.retrieval).any()


def test_no_row_is_empty():
    data = cmh_data.sample()
    assert (np.abs(data.image).sum(axis=1) > 0).all()
    assert (data.text.sum(axis=1) > 0).all()
    assert (data.label.sum(axis=1) == 1).all()
    assert (data.text.sum(axis=0) > 0).all()


def test_rows_are_not_sorted_by_class():
    data = cmh_data.sample()
    classes = data.label.argmax(axis=1)
    for start in range(0, 1200, 100):
        assert len(set(classes[start : start + 20])) >= 5


def test_words_and_groups_belong_to_the_emoji():
    data = cmh_data.sample()
    row = data.ids.index("🐈")
    words = {word for word, there in zip(data.text_vocabulary, data.text[row], strict=True) if there}
    assert {"cat", "animal"} <= words
    assert data.label_names[int(data.label[row].argmax())] == "Animals & Nature"
    assert data.fine_labels[row] == "animal-mammal"


def test_pictures_and_words_are_aligned():
    data = cmh_data.sample()
    train, query = data.split.train, data.split.query
    text = data.text.astype(np.float64)
    aligned = partner_share(data.image.astype(np.float64), text, train, query)
    shuffled = partner_share(
        data.image.astype(np.float64), np.random.default_rng(0).permutation(text), train, query
    )
    assert aligned > 0.85
    assert shuffled < 0.65


def test_every_emoji_has_its_picture():
    pictures = cmh_data.sample_pictures()
    assert set(pictures) == set(cmh_data.sample().ids)
    assert all(png.startswith(b"\x89PNG\r\n\x1a\n") and len(png) < 5000 for png in pictures.values())


def test_callers_do_not_share_arrays():
    cmh_data.sample().image[:] = 0
    assert cmh_data.sample().image.any()


def test_the_folder_is_small_and_names_its_authors():
    folder = files("cmh_data") / "emoji"
    assert sum(len(item.read_bytes()) for item in folder.iterdir()) < 6_000_000
    attribution = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "OpenMoji" in attribution
    assert "CC BY-SA 4.0" in attribution


def test_the_encoder_of_the_pictures_is_named():
    encoder = cmh_data.sample().provenance["encoders"]["image"]
    assert encoder["name"] == "efficientnet-lite0"
    assert encoder["digest"].startswith("57934424")
