"""Ranking tables of whole data sets: the choice of the backend."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any, Literal

import numpy as np

from cmh_metrics import _numpy_tables
from cmh_metrics._checks import one_of, positive_integer
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._tables import RankingTables
from cmh_metrics._threads import available_threads

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
    backend: Backend = "auto",
    threads: int | None = None,
) -> RankingTables:
    """Count, for every query and Hamming distance, the database items and the relevant ones.

    Args:
        query_codes: `(n_query, bits)` of {-1, +1}, {0, 1}, booleans or reals (see `pack_codes`), or `PackedCodes`.
        database_codes: `(n_database, bits)` likewise; a memory map or an HDF5 data set is read in slabs.
        query_labels: `(n_query, n_label)` of 0 and 1; an item is relevant if it shares a label with the query.
        database_labels: `(n_database, n_label)` of 0 and 1.
        backend: `"numba"`, `"numpy"`, `"torch"`, `"triton"`, or `"auto"`.
        threads: how many threads a CPU backend uses; by default all processors that the process may use.

    Returns:
        The tables, `(n_query, bits + 1)` each; the same numbers from every backend.

    Raises:
        ValueError: if shapes do not fit together or values are not what they should be.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> tables = ranking_tables(
        ...     query_codes=[[1, 1]], database_codes=[[1, 1], [1, -1]], query_labels=[[1]], database_labels=[[0], [1]]
        ... )
        >>> tables.retrieved.tolist(), tables.relevant.tolist()
        ([[1, 1, 0]], [[0, 1, 0]])
    """
    inputs = RankingInputs(
        query_codes=query_codes,
        database_codes=database_codes,
        query_labels=query_labels,
        database_labels=database_labels,
    )
    return tables_of_inputs(inputs, backend=backend, threads=thread_count(threads))


def tables_of_inputs(inputs: RankingInputs, *, backend: str, threads: int) -> RankingTables:
    """Return the ranking tables of checked inputs."""
    one_of(backend, "backend", BACKENDS)
    shape = (inputs.n_query, inputs.bits + 1)
    retrieved, relevant = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for words, labels in inputs.slabs():
        _numpy_tables.add_tables(inputs.query_words, words, inputs.query_labels, labels, retrieved, relevant)
    return RankingTables(retrieved, relevant)


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use."""
    return available_threads() if threads is None else positive_integer(threads, "threads")
