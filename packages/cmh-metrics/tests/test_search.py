import numpy as np
import pytest
from cmh_metrics import PackedCodes, hamming_distances, hamming_topk, pack_codes
from cmh_metrics._backends import search
from cmh_metrics._inputs.ranking_inputs import SLAB_ROWS


def by_sorting(distances, k):
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


@pytest.mark.parametrize("bits", [1, 7, 8, 63, 64, 65, 127, 300])
def test_distances_are_halves_of_differences(make_arrays, bits):
    arrays = make_arrays(4, 33, bits, 1)
    codes = {name: arrays[name] for name in ("query_codes", "database_codes")}
    expected = (bits - codes["query_codes"].astype(int) @ codes["database_codes"].T.astype(int)) // 2
    found = hamming_distances(**codes)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1),
        (3, 100, 4),
        (4, 5000, 64),
        (2, 3000, 300),
        (5, 1025, 16),
        (3, 1023, 7),
        (3, 1024, 8),
        (2, 1100, 63),
        (2, 1100, 65),
        (2, 2049, 127),
    ],
)
@pytest.mark.parametrize("k", [1, 10, 1024, 6000])
def test_nearest_items_are_those_of_a_stable_sort(make_arrays, shape, k):
    arrays = make_arrays(*shape, 1)
    codes = {name: arrays[name] for name in ("query_codes", "database_codes")}
    distances, indices = by_sorting(hamming_distances(**codes), k)
    found_distances, found_indices = hamming_topk(**codes, k=k, threads=2)
    np.testing.assert_array_equal(found_distances, distances)
    np.testing.assert_array_equal(found_indices, indices)


@pytest.mark.parametrize("excess", [-1, 0, 1, 99])
def test_nearest_items_over_several_slabs(excess):
    rng = np.random.default_rng(0)
    n = SLAB_ROWS + excess
    codes = {"query_codes": rng.random((2, 9)) < 0.5, "database_codes": rng.random((n, 9)) < 0.5}
    _, indices = by_sorting(hamming_distances(**codes), 700)
    np.testing.assert_array_equal(hamming_topk(**codes, k=700)[1], indices)


@pytest.mark.parametrize("bits", [9, 128, 200])
@pytest.mark.parametrize("k", [3, SLAB_ROWS + 5, 10**6])
def test_threads_share_the_database_where_queries_are_few(bits, k, monkeypatch):
    monkeypatch.setattr(search, "SHARED_ROWS", SLAB_ROWS // 2)
    rng = np.random.default_rng(0)
    database = PackedCodes.from_bytes(
        rng.integers(4, size=(2 * SLAB_ROWS + 3, -(-bits // 8)), dtype=np.uint8)
    )
    codes = {"query_codes": database[7:9], "database_codes": database}
    for found, expected in zip(
        hamming_topk(**codes, k=k, threads=3), hamming_topk(**codes, k=k, threads=1), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    _, indices = by_sorting(hamming_distances(**codes), k)
    np.testing.assert_array_equal(hamming_topk(**codes, k=k, threads=3)[1], indices)


def test_nearer_items_that_come_late_push_others_out():
    database = pack_codes(np.tril(np.ones((3000, 60), bool), k=-2940))  # nearest rows last
    query = pack_codes(np.ones((1, 60), bool))
    distances, indices = hamming_topk(query_codes=query, database_codes=database, k=3)
    assert distances[0].tolist() == sorted(distances[0].tolist())
    assert indices[0, 0] == 2999


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be an integer of at least 1, but it is 0"),
        ({"query_codes": [[1, 1]]}, "same number of bits, but they have 2 and 1"),
        ({"database_codes": np.ones((0, 1))}, "database_codes must have at least one row"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        hamming_topk(**{"query_codes": [[1]], "database_codes": [[1]], "k": 1, **change})
