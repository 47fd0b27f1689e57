"""Donors: whose item may stand in for a missing one."""

import numpy as np
import pytest
import scipy.sparse
from cmh_unpair import _similar_labels, find_donors, plan_unpairing
from hypothesis import given
from hypothesis import strategies as st


def unpaired(n, labels=None, seed=0, images=None, texts=None, **shares):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, 5)) if images is None else images
    texts = rng.normal(size=(n, 4)) if texts is None else texts
    return plan_unpairing(n, block=None, **shares).apply(images, texts, labels)


def label_donors(labels, present, row):
    """The definition, pair by pair, in whole numbers: cos^2 = shared^2 / (labels of row * of donor)."""
    best, donors = (0, 1), []
    for other in np.flatnonzero(present):
        shared, size = int(labels[row] @ labels[other]), int(labels[other].sum())
        left, right = shared**2 * best[1], best[0] * size
        if shared and left > right:
            best, donors = (shared**2, size), [other]
        elif shared and left == right:
            donors.append(other)
    return donors


def neighbour_donors(features, data, row, k):
    present = data.text_present if features is data.texts else data.image_present
    centred = features - features[present].mean(axis=0)
    pairs = np.flatnonzero(data.image_present & data.text_present)
    cosine = [
        centred[row] @ centred[p] / np.linalg.norm(centred[row]) / np.linalg.norm(centred[p]) for p in pairs
    ]
    return pairs[np.argsort(-np.array(cosine), kind="stable")[:k]]


def test_the_donors_of_four_rows_by_hand():
    labels = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0]])
    data = unpaired(4, labels, unpaired_images=50)  # rows 0 and 1 lose their text
    donors = find_donors(data, by="label")
    assert donors.text.donors_of(0).tolist() == [2]
    assert donors.text.donors_of(1).tolist() == [3]  # no row has both labels; 3 has one of them
    assert donors.text.donors_of(2).tolist() == []
    assert len(donors.image.missing) == 0
    assert donors.report()["text"].exact == 1
    assert donors.report()["text"].without_donor == 0
    image_rows, text_rows = donors.draw(np.random.default_rng(0))
    assert image_rows.tolist() == [0, 1, 2, 3]
    assert text_rows.tolist() == [2, 3, 2, 3]


def test_rows_without_labels_and_rows_that_share_none_have_no_donor():
    labels = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    donors = find_donors(unpaired(4, labels, unpaired_images=50), by="label")
    assert donors.text.donors_of(0).tolist() == donors.text.donors_of(1).tolist() == []
    assert donors.report()["text"].without_donor == 2
    assert donors.draw(np.random.default_rng(0))[1].tolist() == [0, 1, 2, 3]


@given(
    st.integers(2, 40),
    st.integers(1, 6),
    st.integers(0, 10**6),
    st.sampled_from([(0, 60), (50, 50), (30, 30), (100, 0)]),
)
def test_label_donors_are_those_of_the_definition(n, n_label, seed, shares):
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, n_label)) < 0.4).astype(np.uint8)
    data = unpaired(n, labels, unpaired_images=shares[0], unpaired_text=shares[1])
    donors = find_donors(data, by="label")
    for row in range(n):
        wanted = [] if data.text_present[row] else label_donors(labels.astype(int), data.text_present, row)
        assert sorted(donors.text.donors_of(row)) == wanted
        wanted = [] if data.image_present[row] else label_donors(labels.astype(int), data.image_present, row)
        assert sorted(donors.image.donors_of(row)) == wanted


def test_label_donors_are_the_same_whatever_the_block_size(monkeypatch):
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 12)) < 0.3).astype(np.uint8)
    data = unpaired(300, labels, unpaired_images=40, unpaired_text=40)
    whole = find_donors(data, by="label").digest
    monkeypatch.setattr("cmh_unpair._similar_labels._TILE", 5)
    monkeypatch.setattr("cmh_unpair._similar_labels._TILE_ROWS", 3)
    assert find_donors(data, by="label").digest == whole


@given(
    st.integers(1, 200),
    st.integers(1, 9),
    st.sampled_from([0.1, 0.3, 0.6]),
    st.integers(0, 10**6),
    st.sampled_from([0, 1, 10, 100]),
)
def test_looked_up_vectors_are_those_that_comparing_finds(n, n_label, share, seed, most_lookups):
    rng = np.random.default_rng(seed)
    vectors = np.unique(rng.random((n, n_label)) < share, axis=0)
    has_rows = rng.random(len(vectors)) < 0.5
    asked = np.flatnonzero(rng.random(len(vectors)) < 0.7)
    candidates = np.flatnonzero(has_rows)
    rest = np.flatnonzero(~has_rows[asked] & vectors[asked].any(axis=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_similar_labels, "_MOST_LOOKUPS", most_lookups)
        if len(candidates):
            (place, group), left = _similar_labels._nearby(vectors, asked, rest, candidates)
            others = _similar_labels._compare_all(vectors, asked, left, candidates)
            found = set(zip(place.tolist(), group.tolist(), strict=True))
            assert not found & set(zip(*(part.tolist() for part in others), strict=True))
            found |= set(zip(*(part.tolist() for part in others), strict=True))
            compared = _similar_labels._compare_all(vectors, asked, rest, candidates)
            assert found == set(zip(*(part.tolist() for part in compared), strict=True))


@pytest.mark.parametrize("n_label", [7, 8, 64, 65, 200])
def test_keys_are_distinct_and_in_the_order_of_the_vectors(n_label):
    vectors = np.unique(np.random.default_rng(0).random((300, n_label)) < 0.5, axis=0)
    keys = _similar_labels.vector_keys(vectors)
    assert np.unique(keys, return_index=True)[1].tolist() == list(range(len(vectors)))


def test_many_labels_have_donors_as_few_have():
    rng = np.random.default_rng(0)
    labels = np.zeros((60, 80), np.uint8)  # too many for a key of 64 bits
    labels[:, rng.choice(80, 6, replace=False)] = rng.random((60, 6)) < 0.4
    used = labels.any(axis=0)
    for table in (labels, labels[:, used]):
        data = unpaired(60, table, unpaired_images=40, unpaired_text=40)
        lists = find_donors(data, by="label").text
        wanted = [label_donors(table.astype(int), data.text_present, row) for row in lists.missing]
        assert [sorted(lists.donors_of(row)) for row in lists.missing] == wanted


def test_class_numbers_are_labels_too():
    classes = np.array([3, 7, 3, 7, 3])
    numbers = find_donors(unpaired(5, classes, unpaired_text=40), by="label")
    one_hot = find_donors(unpaired(5, np.eye(8)[classes], unpaired_text=40), by="label")
    assert [numbers.image.donors_of(row).tolist() for row in range(5)] == [
        one_hot.image.donors_of(row).tolist() for row in range(5)
    ]


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize(("n", "k"), [(12, 1), (12, 3), (40, 5), (9, 50)])
def test_neighbours_are_the_nearest_pairs(n, k, form):
    rng = np.random.default_rng(n + k)
    texts = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.7)
    data = unpaired(n, texts=form(texts), unpaired_images=25, unpaired_text=34)
    donors = find_donors(data, by="neighbour", neighbours=k)
    dense = plan_unpairing(n, block=None, unpaired_images=25, unpaired_text=34).apply(data.images, texts)
    for row in donors.image.missing:
        assert donors.image.donors_of(row).tolist() == neighbour_donors(dense.texts, dense, row, k).tolist()
    for row in donors.text.missing:
        assert donors.text.donors_of(row).tolist() == neighbour_donors(data.images, data, row, k).tolist()


def test_neighbours_are_the_same_whatever_the_block_size(monkeypatch):
    data = unpaired(400, unpaired_images=30, unpaired_text=30)
    whole = find_donors(data, by="neighbour")
    monkeypatch.setattr("cmh_unpair._neighbours._BLOCK_BYTES", 2000)
    monkeypatch.setattr("cmh_unpair._neighbours._TILE", 7)
    assert find_donors(data, by="neighbour").digest == whole.digest


def test_looking_into_every_group_finds_the_nearest_pairs():
    data = unpaired(300, unpaired_images=30, unpaired_text=30)
    exact = find_donors(data, by="neighbour")
    assert find_donors(data, by="neighbour", probes=1000).digest == exact.digest


def test_near_pairs_are_found_in_few_groups_in_bounded_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 12, 900)
    images = rng.normal(size=(12, 5))[cluster] + 0.05 * rng.normal(size=(900, 5))
    data = unpaired(900, images=images, unpaired_images=40)
    exact = find_donors(data, by="neighbour").text.rows.reshape(-1, 5)
    few = find_donors(data, by="neighbour", probes=3)
    found = few.text.rows.reshape(-1, 5)
    assert 0.6 < np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]) < 1
    assert (cluster[found] == cluster[few.text.missing][:, None]).mean() > 0.95
    monkeypatch.setattr("cmh_unpair._neighbours._BLOCK_BYTES", 2000)
    assert find_donors(data, by="neighbour", probes=3).digest == few.digest


def test_a_row_whose_groups_hold_too_few_pairs_is_compared_with_all():
    data = unpaired(40, unpaired_images=10)  # 36 pairs in 6 groups
    exact = find_donors(data, by="neighbour", neighbours=30)
    assert find_donors(data, by="neighbour", neighbours=30, probes=1).digest == exact.digest


def test_groups_are_for_donors_by_neighbour():
    with pytest.raises(ValueError, match="probes must be None for by='label'"):
        find_donors(unpaired(6, np.eye(6), unpaired_images=20), by="label", probes=3)


def test_equally_near_pairs_come_by_row():
    images = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 4)
    donors = find_donors(unpaired(7, images=images, unpaired_images=15), by="neighbour", neighbours=3)
    assert donors.text.donors_of(0).tolist() == [1, 2, 3]


def test_pixels_can_be_compared_too():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, size=(10, 3, 2, 2), dtype=np.uint8)
    flat = find_donors(unpaired(10, images=pixels.reshape(10, -1), unpaired_images=30), by="neighbour")
    assert find_donors(unpaired(10, images=pixels, unpaired_images=30), by="neighbour").digest == flat.digest


@pytest.mark.parametrize("by", ["label", "neighbour"])
def test_missing_items_are_never_read_and_none_is_left(by):
    rng = np.random.default_rng(1)
    labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 60)]
    images, texts = rng.normal(size=(60, 5)), rng.normal(size=(60, 4))
    data = unpaired(60, labels, images=images, texts=texts, unpaired_images=30, unpaired_text=30)
    data.images[~data.image_present] = np.nan
    data.texts[~data.text_present] = np.nan
    donors = find_donors(data, by=by)
    for seed in range(5):
        image_rows, text_rows = donors.draw(np.random.default_rng(seed))
        assert not np.isnan(data.images[image_rows]).any()
        assert not np.isnan(data.texts[text_rows]).any()


def test_every_donor_is_drawn_as_often():
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])  # four donors in two groups
    donors = find_donors(unpaired(5, labels, unpaired_images=20), by="label")
    rng = np.random.default_rng(0)
    drawn = [donors.draw(rng)[1][0] for _ in range(4000)]
    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == 0
    assert (abs(counts[1:] - 1000) < 150).all()


def test_the_same_generator_draws_the_same_rows():
    labels = np.ones((30, 1))
    donors = find_donors(unpaired(30, labels, unpaired_images=50), by="label")
    draws = [donors.draw(np.random.default_rng(5))[1].tolist() for _ in range(2)]
    assert draws[0] == draws[1] != donors.draw(np.random.default_rng(6))[1].tolist()


def test_shuffled_rows_are_no_pairs_and_their_texts_keep_their_own_labels():
    labels = np.arange(8) % 4
    plan = plan_unpairing(8, block=None, unpaired_images=25, shuffle=50, seed=0)
    data = plan.apply(np.random.default_rng(0).normal(size=(8, 3)), np.eye(8), labels)
    shuffled = np.flatnonzero(data.index != data.text_index)
    assert len(shuffled)
    near = find_donors(data, by="neighbour", neighbours=8)
    assert not set(near.text.rows) & set(shuffled)
    by_label = find_donors(data, by="label")
    for row in by_label.text.missing:
        assert (data.text_labels[by_label.text.donors_of(row)] == data.labels[row]).all()


def test_nothing_missing_needs_no_donor():
    donors = find_donors(unpaired(6), by="neighbour")
    assert [rows.tolist() for rows in donors.draw(np.random.default_rng(0))] == [list(range(6))] * 2
    assert donors.report()["image"].missing == 0


def test_rows_without_direction_have_no_neighbour():
    images = np.array([[2.0], [1.0], [3.0]])  # the first image is the mean of all
    donors = find_donors(unpaired(3, images=images, unpaired_images=34), by="neighbour")
    assert donors.report()["text"].without_donor == 1


@pytest.mark.parametrize(
    ("how", "labels", "shares", "says"),
    [
        ({"by": "label"}, None, {"unpaired_images": 50}, "must hold labels"),
        ({"by": "neighbour"}, None, {"unpaired_images": 50, "unpaired_text": 50}, "must hold a pair"),
        ({"by": "neighbour", "neighbours": 0}, None, {}, "neighbours must be a whole number .* is 0"),
        ({"by": "neighbour", "neighbours": 2.5}, None, {}, "neighbours must be a whole number .* is 2.5"),
        ({"by": "neighbour", "probes": 0}, None, {}, "probes must be a whole number of groups, .* is 0"),
        (
            {"by": "neighbour", "probes": True},
            None,
            {},
            "probes must be a whole number of groups, .* is True",
        ),
        ({"by": "magic"}, None, {}, "by must be one of 'label', 'neighbour', but it is 'magic'"),
    ],
)
def test_what_cannot_be_found_is_said(how, labels, shares, says):
    with pytest.raises(ValueError, match=says):
        find_donors(unpaired(4, labels, **shares), **how)


def test_neighbours_need_the_features_they_are_found_by():
    data = plan_unpairing(4, block=None, unpaired_images=50).apply(None, np.eye(4))
    with pytest.raises(ValueError, match="must hold images for by='neighbour'"):
        find_donors(data, by="neighbour")


@pytest.mark.parametrize(
    "images", [np.empty((4, 0)), np.array([["a"], ["b"], ["c"], ["d"]]), np.ones((4, 2), "c16")]
)
def test_features_that_are_not_rows_of_numbers_are_refused(images):
    with pytest.raises(
        ValueError, match=r"images must be rows of real numbers .* give features of the images"
    ):
        find_donors(unpaired(4, images=images, unpaired_images=50), by="neighbour")


def test_labels_of_minus_and_plus_one_are_those_of_zero_and_one():
    labels = np.eye(3, dtype=np.int8)[np.arange(12) % 3]
    shares = {"unpaired_images": 25, "unpaired_text": 25}
    plain, signed = (find_donors(unpaired(12, one, **shares), by="label") for one in (labels, 2 * labels - 1))
    assert plain.digest == signed.digest


@pytest.mark.parametrize(
    "labels",
    [np.arange(8)[:, None] % 3, np.full((8, 2), np.nan), np.full((8, 2), 0.5), np.ones((8, 2, 1))],
    ids=["a column of classes", "NaN", "shares", "three dimensions"],
)
def test_other_labels_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be a table of 0 and 1, or of -1"):
        find_donors(unpaired(8, labels, unpaired_images=50), by="label")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_where_they_are_read(value):
    images = np.random.default_rng(0).normal(size=(8, 3))
    images[7] = value  # a row with both
    with pytest.raises(ValueError, match="images must hold finite numbers in all rows that are not missing"):
        find_donors(unpaired(8, images=images, unpaired_images=50), by="neighbour")
    images = images[::-1].copy()  # of a row whose image is removed
    assert len(find_donors(unpaired(8, images=images, unpaired_text=50), by="neighbour").image.missing) == 4
