"""Ties by database row: the bit-sliced kernel the slow reference, and one pair after the other."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cmh_metrics import average_precision, ranking_tables
from cmh_metrics._backends import stable_order
from cmh_metrics._inputs import ranking_inputs
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.ranking_inputs import RankingInputs
from field_loop import average_precision as reference
from field_loop import random_arrays
from hypothesis import given, settings
from hypothesis import strategies as st

numba_by_row = pytest.importorskip("cmh_metrics._backends.numba_by_row")
bitsliced = pytest.importorskip("cmh_metrics._kernels.bitsliced")
vectors = pytest.importorskip("cmh_metrics._kernels.vectors")

bit_sliced = pytest.mark.skipif(not vectors.PARTS_WORDS, reason="the processor parts no words")
NORMALISE = ["min", "retrieved", "relevant", "first-relevant"]
BACKENDS = ["auto", "numpy"]  # bit-sliced where the processor can, and one pair after the other


def by_row(backend="auto", **arrays):
    return average_precision(**arrays, ties="index", no_relevant="nan", backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bits", [1, 2, 7, 15, 16, 17, 31, 32, 63, 64, 65, 127, 128, 200, 256, 511, 1024])
def test_every_code_length(bits, backend):
    arrays = random_arrays(4, 700, bits, 3, seed=bits)
    arrays["query_codes"][0], arrays["query_codes"][1] = 1, -1
    arrays["database_codes"][100:200], arrays["database_codes"][300:350] = 1, -1
    np.testing.assert_allclose(by_row(backend, **arrays), reference(**arrays), rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 511, 512, 513, 15_871, 15_873, 17_000, 40_000])
def test_every_number_of_rows(n):
    arrays = random_arrays(2, n, 12, 4, seed=n)
    np.testing.assert_allclose(by_row(**arrays), reference(**arrays), rtol=1e-13)


@pytest.mark.parametrize("normalise", NORMALISE)
@pytest.mark.parametrize("k", [1, 3, 64, 500, 5_000, 16_999, 17_000, 50_000, None])
def test_cut_offs_over_several_chunks_and_slabs(k, normalise, monkeypatch):
    arrays = random_arrays(5, 17_000, 10, 5, seed=3, density=0.2)
    arrays["query_labels"][0] = 0
    options = {"k": k, "normalise": normalise}
    expected = reference(**arrays, **options)
    assert np.isnan(expected[0])
    np.testing.assert_allclose(by_row(**arrays, **options), expected, rtol=1e-13)
    monkeypatch.setattr(ranking_inputs, "SLAB_ROWS", 1_000)
    np.testing.assert_allclose(by_row(**arrays, **options), expected, rtol=1e-13)


@pytest.mark.parametrize("order", ["as they come", "by label", "by code", "all codes equal"])
def test_orders_of_the_database(order):
    arrays = random_arrays(3, 5_000, 8, 2, seed=1)
    codes, labels = arrays["database_codes"], arrays["database_labels"]
    if order == "all codes equal":  # so that 64 items in a row are at one distance
        codes[:] = codes[0]
    elif order != "as they come":
        rows = np.lexsort((labels if order == "by label" else codes).T)
        arrays.update(database_codes=codes[rows], database_labels=labels[rows])
    np.testing.assert_allclose(by_row(**arrays), reference(**arrays), rtol=1e-13)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_nothing_and_everything_relevant(density):
    arrays = random_arrays(4, 20_000, 24, 3, density=density)
    found = by_row(**arrays)
    assert np.isnan(found).all() if density == 0 else (found == 1).all()  # exactly: no quotient is rounded


def test_ranks_beyond_the_table_of_reciprocals(monkeypatch):
    arrays = random_arrays(3, 3_000, 20, 3)
    expected = by_row(**arrays)
    for most in (1, 100, 2_990):
        monkeypatch.setattr(numba_by_row, "_MOST_RECIPROCALS", most)
        np.testing.assert_array_equal(by_row(**arrays), expected)  # both ways round alike


def test_threads_change_nothing():
    arrays = random_arrays(19, 3_000, 33, 3)
    expected = average_precision(**arrays, ties="index", threads=1)
    for threads in (2, 3, 30):
        np.testing.assert_array_equal(average_precision(**arrays, ties="index", threads=threads), expected)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 2_000),
    st.integers(1, 140),
    st.sampled_from(NORMALISE),
    st.none() | st.integers(1, 2_500),
    st.integers(1, 2_100),
    st.booleans(),
    st.integers(0, 9999),
)
def test_both_kernels_and_the_reference_agree(n, bits, normalise, k, slab_rows, few_codes, seed):
    arrays = random_arrays(3, n, bits, 3, seed=seed)
    if few_codes:
        arrays["database_codes"] = arrays["database_codes"][np.sort(np.arange(n) % 3)]
    options = {"k": k, "normalise": normalise}
    expected = reference(**arrays, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_inputs, "SLAB_ROWS", slab_rows)
        found = [by_row(backend, **arrays, **options) for backend in BACKENDS]
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)
    np.testing.assert_array_equal(*found)  # to the last bit: sums of whole numbers


def test_a_sum_of_precisions_is_that_of_fractions():
    """However the rows are cut in slabs, and to within a rounding or two of the exact sum."""
    arrays = random_arrays(3, 2_000, 8, 3, seed=2)
    arrays["query_labels"][:, 0] = 1
    found = by_row(**arrays)
    for query in range(3):
        distance = (arrays["query_codes"][query] != arrays["database_codes"]).sum(axis=1)
        order = np.argsort(distance, kind="stable")
        hits = (arrays["query_labels"][query] & arrays["database_labels"][order]).any(axis=1)
        ranks = np.flatnonzero(hits) + 1
        exact = sum(Fraction(i + 1, int(rank)) for i, rank in enumerate(ranks)) / len(ranks)
        assert found[query] == pytest.approx(float(exact), rel=3e-16)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bits", [31, 32, 64, 200])
def test_every_row_of_a_chunk_left_out(bits, backend):
    """Of rows with an even and with an odd number of ones, which lie in chunks of their own; or of both."""
    codes = np.ones((4, bits), np.int8)
    codes[3, 0] = -1  # the only row of its kind
    arrays = {"database_codes": codes, "database_labels": np.ones((4, 1), np.int8)}
    arrays |= {"query_codes": codes[[3, 0, 0, 0]], "query_labels": np.ones((4, 1), np.int8)}
    ids = {"database_ids": np.array([0, 0, 0, 1]), "query_ids": np.array([1, 1, 0, 2])}
    np.testing.assert_array_equal(by_row(backend, **arrays, **ids), [1, 1, 1, 1])
    ids["database_ids"][:] = 1
    np.testing.assert_array_equal(by_row(backend, **arrays, **ids), [np.nan, np.nan, 1, 1])


@pytest.mark.parametrize("normalise", NORMALISE)
@pytest.mark.parametrize("k", [1, 40, None])
@pytest.mark.parametrize("slab_rows", [61_440, 150])
def test_rows_left_out_of_each_ranking(k, normalise, slab_rows, monkeypatch):
    arrays = random_arrays(6, 2_000, 9, 3)
    rng = np.random.default_rng(0)
    query_ids, ids = np.arange(6), rng.integers(0, 12, 2_000)  # half of the rows are some query's own
    ids[0] = ids[1_999] = 0
    expected = [
        reference(
            **{name: array[i : i + 1] for name, array in arrays.items() if "query" in name},
            **{name: array[ids != i] for name, array in arrays.items() if "database" in name},
            k=k,
            normalise=normalise,
        )[0]
        for i in range(6)
    ]
    monkeypatch.setattr(ranking_inputs, "SLAB_ROWS", slab_rows)
    for backend in BACKENDS:
        found = by_row(backend, **arrays, k=k, normalise=normalise, query_ids=query_ids, database_ids=ids)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@bit_sliced
def test_which_kernel_ranks(monkeypatch):
    assert stable_order._kernel_for(Compute("auto", 1)) is numba_by_row.add_precisions
    assert stable_order._kernel_for(Compute("numba", 1)) is numba_by_row.add_precisions
    assert stable_order._kernel_for(Compute("numpy", 1)) is stable_order._add_pairs
    monkeypatch.setattr(vectors, "PARTS_WORDS", False)
    assert stable_order._kernel_for(Compute("auto", 1)) is stable_order._add_pairs
    monkeypatch.setitem(__import__("sys").modules, "cmh_metrics._kernels.vectors", None)
    assert stable_order._kernel_for(Compute("auto", 1)) is stable_order._add_pairs


GENERIC = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from cmh_metrics import average_precision
from cmh_metrics._kernels import vectors
from field_loop import random_arrays
assert not vectors.PARTS_WORDS
arrays = random_arrays(3, 900, 40, 3)
for ties in ("index", "expected"):
    found = average_precision(**arrays, ties=ties, backend="numba")
    np.testing.assert_allclose(found, average_precision(**arrays, ties=ties, backend="numpy"), rtol=1e-12)
"""


def test_a_processor_without_any_of_the_instructions(tmp_path):
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", GENERIC, str(Path(__file__).parent)]
    subprocess.run(command, check=True, env=environment)


def test_tables_that_there_are_serve_again(monkeypatch):
    arrays = random_arrays(5, 300, 16, 3)
    inputs, compute, options = RankingInputs(**arrays), Compute("auto", 1), {"k": 20, "first_relevant": False}
    expected = stable_order.sum_of_precisions(inputs, compute, **options)
    monkeypatch.setattr(stable_order, "tables_of_parts", None)
    found = stable_order.sum_of_precisions(inputs, compute, **options, parts=[ranking_tables(**arrays)])
    np.testing.assert_array_equal(found, expected)
