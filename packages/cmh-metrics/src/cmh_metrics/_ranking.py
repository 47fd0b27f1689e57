"""Ranking tables of whole data sets: the choice of the backend."""

from __future__ import annotations

import logging
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._checks import one_of, positive_integer
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._tables import RankingTables
from cmh_metrics._threads import available_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_metrics._codes import Values

Backend = Literal["auto", "numba", "numpy", "torch", "triton"]
BACKENDS = ("auto", "numba", "numpy", "torch", "triton")
_log = logging.getLogger(__name__)


class BackendUnavailable(RuntimeError):  # noqa: N818 - a public name that reads well in an except clause
    """A backend was asked for by name and cannot run here."""


def ranking_tables(
    *,
    query_codes: Any,
    database_codes: Any,
    query_labels: Any,
    database_labels: Any,
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> RankingTables:
    """Count, for every query and Hamming distance, the database items and the relevant ones.

    Args:
        query_codes: `(n_query, bits)` of {-1, +1}, {0, 1}, booleans or reals (see `pack_codes`), or
            `PackedCodes`.
        database_codes: `(n_database, bits)` likewise; a memory map or an HDF5 data set is read in slabs.
        query_labels: `(n_query, n_label)` of 0 and 1; an item is relevant if it shares a label with the
            query.
        database_labels: `(n_database, n_label)` of 0 and 1.
        values: what a value of the codes means. `"signed"`: the bit is `value >= 0`, so zero counts as +1.
            `"binary"`: the values are 0 and 1. `"auto"`: binary if neither side holds anything but 0 and 1,
            otherwise both sides are signed. Booleans and unsigned integers are always binary.
        backend: `"numba"` (bit-sliced, compiled at first use and then cached), `"numpy"` (no compiler),
            `"torch"` (any device; that of the tensors if there are any), `"triton"` (CUDA), or `"auto"`:
            triton for CUDA tensors, otherwise numba; where that cannot run, torch and numpy take its place.
        threads: how many threads a CPU backend uses; by default all processors that the process may use.

    Returns:
        The tables, `(n_query, bits + 1)` each; the same numbers from every backend.

    Raises:
        ValueError: if shapes do not fit together or values are not what they should be.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> tables = ranking_tables(
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1]],
        ... )
        >>> tables.retrieved.tolist(), tables.relevant.tolist()
        ([[1, 1, 0]], [[0, 1, 0]])
    """
    inputs = RankingInputs(
        query_codes=query_codes,
        database_codes=database_codes,
        query_labels=query_labels,
        database_labels=database_labels,
        values=values,
    )
    return tables_of_inputs(inputs, backend=backend, threads=thread_count(threads))


def tables_of_inputs(inputs: RankingInputs, *, backend: str, threads: int) -> RankingTables:
    """Return the ranking tables of checked inputs."""
    add_slab = backend_for(inputs, backend, threads)
    shape = (inputs.n_query, inputs.bits + 1)
    retrieved, relevant = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for slab in inputs.slabs():
        add_slab(slab, retrieved, relevant)
    return RankingTables(retrieved, relevant)


def backend_for(inputs: RankingInputs, backend: str, threads: int) -> Callable[..., None]:
    """Return `add_tables` of a backend; of the first that runs where "auto" leaves the choice."""
    one_of(backend, "backend", BACKENDS)
    if backend != "auto":
        return _named(backend, inputs, threads)
    on_cuda = inputs.device is not None and inputs.device.startswith("cuda")
    names = ("triton", "torch") if on_cuda else ("numba", "numpy")
    try:
        return _named(names[0], inputs, threads)
    except BackendUnavailable as error:
        _log.warning("using the slower backend %r: %s", names[1], error)
        return _named(names[1], inputs, threads)


def _named(backend: str, inputs: RankingInputs, threads: int) -> Callable[..., None]:
    """Return `add_tables` of the backend, with its own options filled in."""
    try:
        module = import_module(f"cmh_metrics._{backend}_tables")
    except ImportError as error:
        cure = "pip install 'cmh-metrics[torch]'" if backend in ("torch", "triton") else f"install {backend}"
        raise BackendUnavailable(f"backend {backend!r} cannot be imported ({error}); {cure}") from error
    if backend == "numpy":
        return partial(module.add_tables)
    if backend == "numba":
        return partial(module.add_tables, n_label=inputs.n_label, threads=threads)
    torch = import_module("torch")
    device = inputs.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if backend == "torch":
        return partial(module.add_tables, n_label=inputs.n_label, device=device)
    if not module.INTERPRETED:
        if not torch.cuda.is_available():
            raise BackendUnavailable(
                "backend 'triton' needs a CUDA device, and there is none; use backend='auto', "
                "or set TRITON_INTERPRET=1 before the first use to check its numbers slowly on the CPU"
            )
        if not device.startswith("cuda"):
            device = "cuda"
    return partial(module.add_tables, device=device)


def no_kernel_for(what: str, backend: str) -> None:
    """Raise if a backend that was asked for by name, for its device, leaves this to the CPU."""
    one_of(backend, "backend", BACKENDS)
    if backend in ("torch", "triton"):
        raise BackendUnavailable(
            f"backend {backend!r} has no kernel for {what}, which runs on the CPU; use backend='auto'"
        )


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use."""
    return available_threads() if threads is None else positive_integer(threads, "threads")
