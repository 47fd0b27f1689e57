import numpy as np
import pytest
from cmh_metrics import RankingTables, ranking_tables
from field_loop import random_arrays
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 400), st.integers(1, 130), st.data())
def test_shards_merge_to_the_whole(n, bits, data):
    arrays = random_arrays(3, n, bits, 4, seed=n * bits)
    cut = data.draw(st.integers(1, n - 1))
    queries = {name: arrays[name] for name in ("query_codes", "query_labels")}
    parts = [
        ranking_tables(
            **queries,
            database_codes=arrays["database_codes"][rows],
            database_labels=arrays["database_labels"][rows],
        )
        for rows in (slice(None, cut), slice(cut, None))
    ]
    merged, whole = parts[0] + parts[1], ranking_tables(**arrays)
    np.testing.assert_array_equal(merged.retrieved, whole.retrieved)
    np.testing.assert_array_equal(merged.relevant, whole.relevant)


def test_queries_concatenate(make_arrays):
    arrays = make_arrays(6, 50, 12, 3)
    whole = ranking_tables(**arrays)
    joined = RankingTables.concat([whole[:2], whole[2:]])
    np.testing.assert_array_equal(joined.relevant, whole.relevant)
    assert len(joined) == 6
    assert joined.bits == 12


def test_counts_beyond_32_bits():
    large = RankingTables([[2**40, 0]], [[2**39, 0]])
    assert (large + large).retrieved[0, 0] == 2**41


def test_saving_and_loading(make_arrays, tmp_path):
    tables = ranking_tables(**make_arrays(2, 9, 5, 2))
    tables.to_npz(tmp_path / "tables.npz")
    loaded = RankingTables.from_npz(tmp_path / "tables.npz")
    np.testing.assert_array_equal(loaded.retrieved, tables.retrieved)
    np.testing.assert_array_equal(loaded.relevant, tables.relevant)
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="'retrieved' and 'relevant'"):
        RankingTables.from_npz(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RankingTables([[1.0, 2.0]], [[0, 0]]), "retrieved must be an integer table"),
        (lambda: RankingTables([1, 2], [[0, 0]]), "retrieved must be an integer table"),
        (lambda: RankingTables([[1, 2]], [[0, 0, 0]]), "the same shape"),
        (lambda: RankingTables([[1, 2]], [[2, 0]]), "between 0 and retrieved"),
        (lambda: RankingTables([[1, 2]], [[0, 0]]) + RankingTables([[1, 2, 3]], [[0, 0, 0]]), "same queries"),
        (lambda: RankingTables.concat([]), "at least one table"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_adding_something_else():
    with pytest.raises(TypeError):
        RankingTables([[1, 2]], [[0, 0]]) + 1
