"""Torch tensors, the torch and the triton backend: needs the dependency group `test-torch`."""

import os

import numpy as np
import pytest
from cmh_metrics import BackendUnavailable, average_precision, hamming_distances, pack_codes, ranking_tables
from field_loop import tables as reference_tables

torch = pytest.importorskip("torch")
os.environ.setdefault("TRITON_INTERPRET", "1")  # read where the kernel is defined

SHAPES = [
    (1, 1, 1, 1),
    (3, 5, 7, 2),
    (3, 65, 8, 1),
    (2, 64, 63, 65),
    (2, 70, 64, 3),
    (2, 80, 65, 3),
    (2, 40, 300, 3),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backend", ["torch", "triton"])
def test_awkward_shapes(make_arrays, backend, shape):
    if backend == "triton":
        pytest.importorskip("triton")
    arrays = make_arrays(*shape)
    retrieved, relevant = reference_tables(**arrays)
    tables = ranking_tables(**arrays, backend=backend)
    np.testing.assert_array_equal(tables.retrieved, retrieved)
    np.testing.assert_array_equal(tables.relevant, relevant)


def test_a_triton_tile_that_is_full(make_arrays):
    pytest.importorskip("triton")
    arrays = make_arrays(1, 1030, 33, 2)
    tables = ranking_tables(**arrays, backend="triton")
    np.testing.assert_array_equal(tables.relevant, reference_tables(**arrays)[1])


def test_triton_without_a_gpu_says_so(make_arrays, monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.delenv("TRITON_INTERPRET")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendUnavailable, match="needs a CUDA device, and there is none"):
        ranking_tables(**make_arrays(1, 1, 1, 1), backend="triton")


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_tensors(make_arrays):
    arrays = make_arrays(20, 3000, 64, 10)
    tensors = {name: torch.tensor(arrays[name], device="cuda") for name in arrays}
    np.testing.assert_array_equal(average_precision(**tensors), average_precision(**arrays))


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
