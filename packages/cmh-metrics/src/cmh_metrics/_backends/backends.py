"""Ranking tables of whole data sets: the choice of the backend."""

from __future__ import annotations

import logging
from functools import partial, reduce
from importlib import import_module
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.arguments import RankingArguments, shared_arguments
from cmh_metrics._inputs.compute import BackendUnavailable, Compute
from cmh_metrics._inputs.ranking_inputs import ARRAYS, Extremes
from cmh_metrics._inputs.sharded_inputs import inputs_of
from cmh_metrics._inputs.tables import RankingTables

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from cmh_metrics._inputs.compute import Backend
    from cmh_metrics._inputs.packing import Words
    from cmh_metrics._inputs.ranking_inputs import Inputs, RankingInputs, Slab

_log = logging.getLogger(__name__)


@shared_arguments(RankingArguments)
def ranking_tables(**ranking: Unpack[RankingArguments]) -> RankingTables:
    """Count, for every query and Hamming distance, the database items and the relevant ones.

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
    return tables_of_inputs(*prepare(**ranking))


def prepare(
    *, backend: Backend = "auto", threads: int | None = None, **arrays: Any
) -> tuple[Inputs, Compute]:
    """Check what the caller of a measure gave."""
    return inputs_of(**arrays), Compute.resolve(backend, threads)


def prepare_arrays(*, tables: RankingTables | None = None, **ranking: Any) -> tuple[Inputs, Compute]:
    """Do the same for a measure that takes tables, too, where these do not tell enough."""
    if tables is not None:
        raise ValueError("ties='index' needs the four arrays: tables do not know the order of database rows")
    return prepare(**{**dict.fromkeys(ARRAYS), **ranking})


def tables_of(*, tables: RankingTables | None = None, **ranking: Any) -> RankingTables:
    """Return the caller's tables, or make them from the arrays."""
    if tables is None:
        return tables_of_inputs(*prepare_arrays(**ranking))
    if not isinstance(tables, RankingTables):
        raise ValueError(f"tables must be RankingTables, but it is {type(tables).__name__}")  # noqa: TRY004
    for name in ARRAYS:
        if ranking.get(name) is not None:
            raise ValueError(f"tables must come without arrays, but {name} is given too")
    for name in ("exclude_self", "query_ids", "database_ids"):
        if ranking.get(name) not in (None, False):
            raise ValueError(f"tables must come without {name}, which ranking_tables takes, but it is given")
    return tables


def tables_of_inputs(inputs: Inputs, compute: Compute) -> RankingTables:
    """Return the ranking tables of checked inputs: those of the parts of the database, added up."""
    return reduce(add, inputs.of_parts(tables_of_part, compute))


def tables_of_parts(inputs: Inputs, compute: Compute) -> list[RankingTables]:
    """Return the ranking tables of each part of the database."""
    return list(inputs.of_parts(tables_of_part, compute))


def first_reading(inputs: RankingInputs, compute: Compute) -> tuple[RankingTables, tuple[Words, Words]]:
    """Return the ranking tables of one part of a database, and its `Extremes.words`, from one reading."""
    extremes = Extremes(inputs.query_words.shape[1])
    return tables_of_part(inputs, compute, extremes.add), extremes.words


def tables_of_part(
    inputs: RankingInputs, compute: Compute, look: Callable[[Slab], None] | None = None
) -> RankingTables:
    """Return the ranking tables of one part of a database, whose slabs `look` sees as well."""
    add_slab = backend_for(inputs, compute)
    shape = (inputs.n_query, inputs.bits + 1)
    retrieved, relevant = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for slab in inputs.slabs():
        add_slab(slab, retrieved, relevant)
        if look is not None:
            look(slab)
    if inputs.excluded is not None:
        pairs = inputs.excluded
        cells = pairs.queries, pairs.distances(inputs.query_words)
        np.subtract.at(retrieved, cells, 1)
        np.subtract.at(relevant, cells, (pairs.shared_labels(inputs.query_labels) > 0).astype(np.int64))
    return RankingTables(retrieved, relevant)


def backend_for(inputs: RankingInputs, compute: Compute) -> Callable[..., None]:
    """Return `add_tables` of a backend; of the first that runs where "auto" leaves the choice."""
    if compute.backend != "auto":
        return _named(compute.backend, inputs, compute.threads)
    on_cuda = inputs.device is not None and inputs.device.startswith("cuda")
    names = ("triton", "torch") if on_cuda else ("numba", "numpy")
    try:
        return _named(names[0], inputs, compute.threads)
    except BackendUnavailable as error:
        _log.warning("using the slower backend %r: %s", names[1], error)
        return _named(names[1], inputs, compute.threads)


def _named(backend: str, inputs: RankingInputs, threads: int) -> Callable[..., None]:
    """Return `add_tables` of the backend, with its own options filled in."""
    try:
        module = import_module(f"cmh_metrics._backends.{backend}_tables")
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
