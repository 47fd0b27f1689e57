from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from cmh_metrics import (
    BackendUnavailable,
    average_precision,
    evaluate,
    map_by_class,
    mean_average_precision,
    pack_codes,
    precision_at,
    ranking_tables,
    recall_at,
)
from cmh_metrics._backends import backends, numba_tables, numpy_tables
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.ranking_inputs import SLAB_ROWS
from cmh_metrics._kernels import bitsliced
from field_loop import tables as reference_tables
from hypothesis import example, given
from hypothesis import strategies as st

CHUNK = 15_872  # items of one parity that the bit-sliced kernel takes at a time
SHAPES = [  # n_query, n_database, bits, n_label
    (1, 1, 1, 1),
    (3, 5, 7, 2),
    (4, 63, 8, 1),
    (4, 64, 16, 24),
    (4, 65, 63, 64),
    (3, 511, 64, 65),
    (3, 513, 65, 200),
    (3, 100, 127, 3),
    (2, 100, 128, 3),
    (2, 90, 300, 5),
    (2, 50, 1024, 5),
    (2, CHUNK - 1, 12, 3),
    (2, CHUNK + 1, 64, 3),
]


@given(st.integers(0, 40 * CHUNK))
@example(0)
@example(1)
@example(CHUNK)
@example(CHUNK + 1)
def test_chunks_hold_all_rows_with_less_than_four_vectors_to_spare(n_row):
    lengths = numba_tables.chunk_lengths(n_row)
    assert len(lengths) == -(-n_row // CHUNK)
    assert set(lengths) <= set(bitsliced.LENGTHS)
    spare = sum(lengths) * 512 - n_row
    assert 0 <= spare < 4 * 512 or lengths == [7]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_awkward_shapes(make_arrays, backend, shape):
    arrays = make_arrays(*shape, seed=sum(shape))
    retrieved, relevant = reference_tables(**arrays)
    tables = ranking_tables(**arrays, backend=backend)
    assert tables.retrieved.dtype == tables.relevant.dtype == np.int64
    np.testing.assert_array_equal(tables.retrieved, retrieved)
    np.testing.assert_array_equal(tables.relevant, relevant)


LENGTHS = (7, 11, 15, 19, 23, 27, 31)  # vectors of 512 items in a chunk, which holds items of one parity


@pytest.mark.parametrize("parity", ["even", "odd", "mixed"])
@pytest.mark.parametrize("excess", [-1, 0, 1])
@pytest.mark.parametrize("vectors", LENGTHS)
def test_chunk_borders(make_arrays, vectors, excess, parity):
    arrays = make_arrays(3, vectors * 512 + excess, 22, 5, seed=vectors)
    codes = arrays["database_codes"]
    if parity != "mixed":
        codes[:, 0] = codes[:, 1:].prod(axis=1) * (1 if parity == "even" else -1)
    expected = ranking_tables(**arrays, backend="numpy")
    tables = ranking_tables(**arrays, backend="numba")
    np.testing.assert_array_equal(tables.retrieved, expected.retrieved)
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


@pytest.mark.parametrize("bits", [*range(1, 34), 63, 64, 65, 127, 128, 129, 255, 256])
def test_every_number_of_digits(make_arrays, bits):
    arrays = make_arrays(6, 700, bits, 2, seed=bits)
    arrays["query_codes"][0], arrays["query_codes"][1] = 1, -1
    arrays["database_codes"][:5], arrays["database_codes"][5:9] = 1, -1
    expected = ranking_tables(**arrays, backend="numpy")
    tables = ranking_tables(**arrays, backend="numba")
    np.testing.assert_array_equal(tables.retrieved, expected.retrieved)
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("density", [0.0, 1.0])
def test_nothing_and_everything_relevant(make_arrays, backend, density):
    arrays = make_arrays(4, 600, 32, 3, density=density)
    tables = ranking_tables(**arrays, backend=backend)
    np.testing.assert_array_equal(tables.relevant, density * tables.retrieved)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("bits", [5, 64, 100])
def test_all_tied_at_both_ends(backend, bits):
    ones = np.ones((700, bits), np.int8)
    labels = {"query_labels": [[1], [1]], "database_labels": np.ones((700, 1))}
    queries = np.array([np.ones(bits), -np.ones(bits)])
    tables = ranking_tables(query_codes=queries, database_codes=ones, **labels, backend=backend)
    assert tables.retrieved[0, 0] == tables.retrieved[1, bits] == 700
    np.testing.assert_array_equal(tables.relevant, tables.retrieved)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(make_arrays, threads):
    arrays = make_arrays(7, 2 * CHUNK + 5, 40, 6)
    expected = ranking_tables(**arrays, backend="numpy")
    tables = ranking_tables(**arrays, backend="numba", threads=threads)
    np.testing.assert_array_equal(tables.retrieved, expected.retrieved)
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


def test_blocks_of_queries_change_nothing(make_arrays, monkeypatch):
    arrays = make_arrays(7, 50, 20, 3)
    expected = reference_tables(**arrays)
    for pairs in (1, 50, 120):  # one query at a time, one, and two
        monkeypatch.setattr(numpy_tables, "_BLOCK_PAIRS", pairs)
        tables = ranking_tables(**arrays, backend="numpy")
        np.testing.assert_array_equal(tables.retrieved, expected[0])
        np.testing.assert_array_equal(tables.relevant, expected[1])


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_slab_borders(make_arrays, excess):
    arrays = make_arrays(2, SLAB_ROWS + excess, 9, 2)
    retrieved, relevant = reference_tables(**arrays)
    for backend in ("numba", "numpy"):
        tables = ranking_tables(**arrays, backend=backend)
        np.testing.assert_array_equal(tables.retrieved, retrieved)
        np.testing.assert_array_equal(tables.relevant, relevant)


def test_packed_codes_and_arrays_give_the_same(make_arrays):
    arrays = make_arrays(5, 300, 20, 4)
    expected = ranking_tables(**arrays)
    packed = {name: pack_codes(arrays[name]) for name in ("query_codes", "database_codes")}
    np.testing.assert_array_equal(ranking_tables(**{**arrays, **packed}).relevant, expected.relevant)


def test_a_named_backend_that_cannot_run_raises(make_arrays, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # as if it were not installed
    monkeypatch.delitem(__import__("sys").modules, "cmh_metrics._backends.torch_tables", raising=False)
    monkeypatch.delitem(__import__("sys").modules, "cmh_metrics._backends.triton_tables", raising=False)
    for backend in ("torch", "triton"):
        with pytest.raises(BackendUnavailable, match=r"pip install 'cmh-metrics\[torch\]'"):
            ranking_tables(**make_arrays(1, 1, 1, 1), backend=backend)


@pytest.fixture
def pretend(monkeypatch):
    """Make the choice of a backend believe in modules and in a GPU, or in none."""

    def prepare(*, cuda, interpreted=False, missing=()):
        names = {
            name: f"cmh_metrics._backends.{name}_tables" for name in ("numba", "numpy", "torch", "triton")
        }
        modules = {
            path: SimpleNamespace(add_tables=name, INTERPRETED=interpreted)
            for name, path in names.items()
            if name not in missing
        }
        modules["torch"] = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: cuda))

        def import_module(path):
            if path not in modules:
                raise ImportError(path)
            return modules[path]

        monkeypatch.setattr(backends, "import_module", import_module)
        monkeypatch.setattr(backends, "partial", lambda name, **options: (name, options.get("device")))

    return prepare


@pytest.mark.parametrize(
    ("backend", "device", "computer", "chosen"),
    [
        ("auto", None, {"cuda": True}, ("numba", None)),
        ("auto", "cpu", {"cuda": True}, ("numba", None)),
        ("auto", "mps:0", {"cuda": False}, ("numba", None)),
        ("auto", "cuda:1", {"cuda": True}, ("triton", "cuda:1")),
        ("auto", "cuda:1", {"cuda": True, "missing": ["triton"]}, ("torch", "cuda:1")),
        ("auto", None, {"cuda": False, "missing": ["numba"]}, ("numpy", None)),
        ("triton", "cuda:1", {"cuda": True}, ("triton", "cuda:1")),
        ("triton", "cpu", {"cuda": True}, ("triton", "cuda")),
        ("triton", None, {"cuda": True}, ("triton", "cuda")),
        ("triton", None, {"cuda": False, "interpreted": True}, ("triton", "cpu")),
        ("torch", "cuda:1", {"cuda": True}, ("torch", "cuda:1")),
        ("torch", None, {"cuda": True}, ("torch", "cuda")),
        ("torch", None, {"cuda": False}, ("torch", "cpu")),
        ("numpy", "cuda:0", {"cuda": True}, ("numpy", None)),
    ],
)
def test_which_backend_runs_where(pretend, backend, device, computer, chosen):
    pretend(**computer)
    assert backends.backend_for(SimpleNamespace(device=device, n_label=3), Compute(backend, 1)) == chosen


@pytest.mark.parametrize("device", [None, "cpu"])
def test_triton_without_a_gpu_raises(pretend, device):
    pretend(cuda=False)
    with pytest.raises(BackendUnavailable, match="needs a CUDA device, and there is none"):
        backends.backend_for(SimpleNamespace(device=device, n_label=3), Compute("triton", 1))


@pytest.mark.parametrize("backend", ["torch", "triton"])
@pytest.mark.parametrize(
    "measure",
    [
        average_precision,
        mean_average_precision,
        map_by_class,
        evaluate,
        partial(precision_at, ks=[1]),
        partial(recall_at, ks=[1]),
    ],
)
def test_no_backend_leaves_index_order_to_the_cpu_in_silence(make_arrays, measure, backend):
    with pytest.raises(BackendUnavailable, match="has no kernel for ties='index', which runs on the CPU"):
        measure(**make_arrays(1, 1, 1, 1), ties="index", backend=backend)


def test_auto_falls_back_and_says_so(make_arrays, monkeypatch, caplog):
    monkeypatch.setitem(__import__("sys").modules, "cmh_metrics._backends.numba_tables", None)
    arrays = make_arrays(2, 30, 9, 3)
    tables = ranking_tables(**arrays)
    np.testing.assert_array_equal(tables.relevant, reference_tables(**arrays)[1])
    assert "using the slower backend 'numpy'" in caplog.text
    with pytest.raises(BackendUnavailable, match="backend 'numba' cannot be imported"):
        ranking_tables(**arrays, backend="numba")


class RowSource:
    """What an HDF5 data set offers, and a record of how much is read at a time."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.largest = 0

    def __getitem__(self, rows):
        block = self._array[rows]
        self.largest = max(self.largest, block.size)
        return block


def test_a_database_that_is_read_in_slabs(make_arrays, tmp_path):
    arrays = make_arrays(3, 150_000, 64, 20)
    expected = ranking_tables(**arrays)
    streamed = {name: RowSource(arrays[name]) for name in ("database_codes", "database_labels")}
    tables = ranking_tables(**{**arrays, **streamed})
    np.testing.assert_array_equal(tables.retrieved, expected.retrieved)
    np.testing.assert_array_equal(tables.relevant, expected.relevant)
    assert max(source.largest for source in streamed.values()) <= 1 << 21
    np.save(tmp_path / "codes.npy", arrays["database_codes"])
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    tables = ranking_tables(**{**arrays, "database_codes": mapped})
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_codes": np.ones((2, 9))}, "same number of bits, but they have 9 and 8"),
        ({"query_labels": np.ones((2, 4))}, "same number of columns, but they have 4 and 3"),
        ({"query_labels": np.ones((5, 3))}, r"query_labels must have one row per row of query_codes \(2\)"),
        ({"database_labels": np.ones((5, 3))}, "database_labels must have one row per row of database_codes"),
        (
            {"database_labels": np.full((4, 3), 2)},
            "database_labels must contain only 0 and 1, but it contains 2",
        ),
        ({"database_labels": np.full((4, 3), -1)}, "but it contains -1"),
        ({"database_labels": np.full((4, 3), np.nan)}, "database_labels must contain only 0 and 1"),
        ({"query_labels": np.array([1, 2])}, r"numpy.eye\(n_class\)"),
        ({"query_codes": np.ones((0, 8))}, "query_codes must have at least one row"),
        ({"database_codes": np.full((4, 8), np.nan)}, "database_codes must not contain NaN"),
        ({"backend": "cuda"}, "backend must be one of 'auto', 'numba'"),
        ({"threads": 0}, "threads must be an integer of at least 1, but it is 0"),
    ],
)
def test_bad_input(make_arrays, change, message):
    arguments = {**make_arrays(2, 4, 8, 3), **change}
    with pytest.raises(ValueError, match=message):
        ranking_tables(**arguments)
