"""Torch tensors, the torch and the triton backend: needs the dependency group `test-torch`."""

import os

import numpy as np
import pytest
from cmh_metrics import (
    average_precision,
    hamming_distances,
    mean_average_precision,
    pack_codes,
    ranking_tables,
)
from cmh_metrics._inputs import ranking_inputs
from field_loop import tables as reference_tables

torch = pytest.importorskip("torch")
HAS_CUDA = torch.cuda.is_available()
if not HAS_CUDA:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read where the kernel is defined

SHAPES = [
    (1, 1, 1, 1),
    (3, 5, 7, 2),
    (3, 65, 8, 1),
    (2, 64, 63, 65),
    (2, 70, 64, 3),
    (2, 80, 65, 3),
    (2, 33, 127, 200),
    (2, 40, 300, 3),
    (1, 20, 1024, 3),
]


@pytest.fixture(params=["torch", "triton"])
def backend(request):
    if request.param == "triton":
        pytest.importorskip("triton")
    return request.param


def assert_right(arrays, backend):
    tables = ranking_tables(**arrays, backend=backend)
    retrieved, relevant = reference_tables(**arrays)
    np.testing.assert_array_equal(tables.retrieved, retrieved)
    np.testing.assert_array_equal(tables.relevant, relevant)


@pytest.mark.parametrize("shape", SHAPES)
def test_awkward_shapes(make_arrays, backend, shape):
    assert_right(make_arrays(*shape), backend)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_nothing_and_everything_relevant(make_arrays, backend, density):
    assert_right(make_arrays(2, 130, 32, 3, density=density), backend)


@pytest.mark.parametrize("bits", [5, 64, 100])
def test_all_tied_at_both_ends(backend, bits):
    codes = {"query_codes": np.array([[1], [-1]]) * np.ones((1, bits)), "database_codes": np.ones((70, bits))}
    labels = {"query_labels": np.ones((2, 1), int), "database_labels": np.ones((70, 1), int)}
    assert_right({**codes, **labels}, backend)


def test_several_slabs(make_arrays, backend, monkeypatch):
    monkeypatch.setattr(ranking_inputs, "SLAB_ROWS", 100)
    assert_right(make_arrays(2, 250, 20, 3), backend)


@pytest.mark.parametrize("pairs", [1, 90, 200])
def test_blocks_of_queries(make_arrays, monkeypatch, pairs):
    monkeypatch.setattr("cmh_metrics._backends.torch_tables._BLOCK_PAIRS", pairs)
    assert_right(make_arrays(5, 90, 20, 3), "torch")


@pytest.mark.parametrize("n_database", [63, 64, 65, 127, 128, 129, 255, 256, 257, 400])
def test_borders_of_tiles_and_programs(make_arrays, monkeypatch, n_database):
    kernel = pytest.importorskip("cmh_metrics._backends.triton_tables")
    monkeypatch.setattr(kernel, "TILE", 128)  # items below which tiles are smaller
    monkeypatch.setattr(kernel, "TILES", 2)
    assert_right(make_arrays(1, n_database, 33, 2), "triton")


def test_a_tile_of_the_usual_size(make_arrays):
    pytest.importorskip("triton")
    assert_right(make_arrays(1, 1030, 33, 2), "triton")


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device: slow under the interpreter")
def test_several_programs_of_the_usual_size(make_arrays):
    assert_right(make_arrays(3, 60_000, 128, 24), "triton")


def test_whether_kernels_are_interpreted_is_read_off_the_kernel(monkeypatch):
    kernel = pytest.importorskip("cmh_metrics._backends.triton_tables")
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    monkeypatch.setenv("TRITON_INTERPRET", "0" if interpreted else "1")  # too late to change anything
    assert kernel.INTERPRETED is interpreted


def test_sums_are_exact_inside_autocast(make_arrays):
    arrays = make_arrays(3, 40, 1024, 300, density=0.9)  # bfloat16 has no 301, 303, ...
    with torch.autocast("cuda" if HAS_CUDA else "cpu", torch.bfloat16):
        assert_right(arrays, "torch")


def test_the_device_of_any_tensor_counts():
    host, elsewhere = torch.zeros(1), torch.zeros(1, device="meta")
    assert ranking_inputs.device_of(np.zeros(1), None) is None
    assert ranking_inputs.device_of(np.zeros(1), host) == "cpu"
    assert ranking_inputs.device_of(np.zeros(1), host, host, elsewhere) == "meta"


def test_tiny_negative_numbers_stay_negative():
    codes = np.array([[-1e-60, 1e-60, -1.0]])
    np.testing.assert_array_equal(pack_codes(torch.tensor(codes)).words, pack_codes(codes).words)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_tensors_without_a_sign_are_bits(dtype):
    codes = torch.tensor([[0, 1, 1]]).to(dtype)
    assert pack_codes(codes).words.tolist() == [[6]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int8, torch.int64])
def test_tensors_of_every_kind(make_arrays, dtype):
    arrays = make_arrays(3, 50, 20, 4)
    tensors = {name: torch.tensor(arrays[name]).to(dtype) for name in arrays}
    tensors["query_codes"].requires_grad_(dtype.is_floating_point)
    np.testing.assert_array_equal(average_precision(**tensors), average_precision(**arrays))


def test_boolean_and_byte_tensors():
    bits = np.random.default_rng(0).random((4, 9)) < 0.5
    expected = pack_codes(bits).words
    for tensor in (torch.tensor(bits), torch.tensor(bits).to(torch.uint8)):
        np.testing.assert_array_equal(pack_codes(tensor).words, expected)


def test_nan_in_a_tensor():
    with pytest.raises(ValueError, match="codes must not contain NaN"):
        pack_codes(torch.tensor([[float("nan")]]))


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device")
def test_cuda_tensors(make_arrays):
    arrays = make_arrays(20, 3000, 64, 10)
    tensors = {name: torch.tensor(arrays[name], device="cuda") for name in arrays}
    np.testing.assert_array_equal(average_precision(**tensors), average_precision(**arrays))


@pytest.mark.parametrize("bits", [8, 24, 65, 127, 256])
def test_the_bit_order_is_that_of_faiss(bits):
    faiss = pytest.importorskip("faiss")
    vectors = np.random.default_rng(bits).normal(size=(7, bits)).astype(np.float32)
    packed = np.zeros((7, -(-bits // 8)), np.uint8)
    faiss.fvecs2bitvecs(faiss.swig_ptr(vectors), faiss.swig_ptr(packed), bits, 7)
    np.testing.assert_array_equal(pack_codes(vectors).as_bytes(), packed)


@pytest.mark.parametrize("bits", [8, 64, 256])
def test_faiss_finds_the_same_distances(make_arrays, bits):
    faiss = pytest.importorskip("faiss")
    arrays = make_arrays(5, 200, bits, 1)
    codes = {name: pack_codes(arrays[name]) for name in ("query_codes", "database_codes")}
    index = faiss.IndexBinaryFlat(bits)
    index.add(codes["database_codes"].as_bytes())
    found, rows = index.search(codes["query_codes"].as_bytes(), 200)
    expected = hamming_distances(**codes)
    np.testing.assert_array_equal(found, np.sort(expected, axis=1))
    np.testing.assert_array_equal(np.take_along_axis(expected, rows, axis=1), found)


def test_the_baseline_of_the_benchmark_measures_the_same(make_arrays):
    from torch_field_loop import run_field_loop

    arrays = make_arrays(7, 200, 16, 4)
    worst, best = (mean_average_precision(**arrays, ties=ties) for ties in ("worst", "best"))
    assert worst - 1e-6 <= run_field_loop(**arrays) <= best + 1e-6  # its sort leaves ties in any order
