"""Average precision under every definition that the field uses."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._checks import one_of, positive_integer
from cmh_metrics._index_order import sum_of_precisions
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._ranking import Backend, no_kernel_for, ranking_tables, tables_of_inputs, thread_count
from cmh_metrics._tables import RankingTables
from cmh_metrics._threads import over_ranges

if TYPE_CHECKING:
    from cmh_metrics._codes import Values

Normalise = Literal["min", "retrieved", "relevant", "first-relevant"]
Ties = Literal["expected", "best", "worst", "index"]
NoRelevant = Literal["zero", "skip", "nan"]
NORMALISE = ("min", "retrieved", "relevant", "first-relevant")
TIES = ("expected", "best", "worst", "index")
NO_RELEVANT = ("zero", "skip", "nan")
_TABLE_LIMIT = 1 << 16  # harmonic numbers kept; beyond, a formula is as exact and takes a little longer
WHOLE = np.iinfo(np.int64).max  # the cut-off of a whole ranking

Scores = np.ndarray[Any, np.dtype[np.float64]]


def average_precision(
    *,
    query_codes: Any = None,
    database_codes: Any = None,
    query_labels: Any = None,
    database_labels: Any = None,
    tables: RankingTables | None = None,
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: NoRelevant = "zero",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Average precision of every query.

    Args:
        query_codes: `(n_query, bits)`, see `ranking_tables`.
        database_codes: `(n_database, bits)`.
        query_labels: `(n_query, n_label)` of 0 and 1.
        database_labels: `(n_database, n_label)` of 0 and 1.
        tables: what `ranking_tables` returned, in place of the four arrays.
        k: cut-off; None ranks the whole database.
        normalise: what the sum of precisions up to the cut-off is divided by, R being the number of relevant
            items: `"min"`: min(R, k). `"retrieved"`: the relevant items among the first k (JDSH, DeepHash).
            `"relevant"`: R (TREC). `"first-relevant"`: the first min(R, k) relevant items count wherever they
            rank, and k limits nothing else (DCMH, DADH, AGAH). Without a cut-off all four are the same.
        ties: `"expected"`: the mean over all orders of equally distant items. `"best"`, `"worst"`: the
            relevant ones first, or last, among equally distant items. `"index"`: equally distant items by
            database row; needs the arrays, and costs more.
        no_relevant: the value for a query without any relevant item: `"zero"`, `"nan"`, or leave it out
            (`"skip"`).
        values: what a value of the codes means, see `ranking_tables`.
        backend: see `ranking_tables`; `"torch"` and `"triton"` have no kernel for `ties="index"`.
        threads: see `ranking_tables`.

    Returns:
        `(n_query,)` float64 in [0, 1], shorter if queries are skipped.

    Raises:
        ValueError: if an argument is not as described, or `tables` come together with arrays or
        `ties="index"`.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> average_precision(
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1]],
        ... )
        array([0.5])
    """
    one_of(normalise, "normalise", NORMALISE)
    one_of(ties, "ties", TIES)
    one_of(no_relevant, "no_relevant", NO_RELEVANT)
    cut = WHOLE if k is None else positive_integer(k, "k")
    arrays = {
        "query_codes": query_codes,
        "database_codes": database_codes,
        "query_labels": query_labels,
        "database_labels": database_labels,
    }
    definition: dict[str, Any] = {"k": cut, "normalise": normalise, "ties": ties}
    if tables is None:
        require(arrays)
        inputs = RankingInputs(**arrays, values=values)
        scores = from_inputs(inputs, **definition, backend=backend, threads=threads)
    elif ties == "index":
        raise ValueError("ties='index' needs the four arrays: tables do not know the order of database rows")
    else:
        scores = from_tables(tables_of(tables=tables, **arrays), **definition, threads=thread_count(threads))
    return treat_no_relevant(scores, no_relevant)


def mean_average_precision(
    *,
    query_codes: Any = None,
    database_codes: Any = None,
    query_labels: Any = None,
    database_labels: Any = None,
    tables: RankingTables | None = None,
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: NoRelevant = "zero",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> float:
    """Mean of `average_precision` over the queries; the arguments are the same.

    Returns:
        A number in [0, 1]; NaN if every query is skipped, or any query counts as NaN.

    Example:
        >>> mean_average_precision(
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1]],
        ... )
        0.5
    """
    scores = average_precision(
        query_codes=query_codes,
        database_codes=database_codes,
        query_labels=query_labels,
        database_labels=database_labels,
        tables=tables,
        k=k,
        normalise=normalise,
        ties=ties,
        no_relevant=no_relevant,
        values=values,
        backend=backend,
        threads=threads,
    )
    return float(scores.mean()) if len(scores) else float("nan")


def require(arrays: dict[str, Any]) -> None:
    """Raise unless every one of the named arrays is given."""
    for name, value in arrays.items():
        if value is None:
            raise ValueError(f"{name} must be given, or tables in place of the four arrays")


def tables_of(
    *,
    tables: RankingTables | None,
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    **arrays: Any,
) -> RankingTables:
    """Return `tables`, or make them from the four arrays."""
    if tables is None:
        require(arrays)
        return ranking_tables(**arrays, values=values, backend=backend, threads=threads)
    if not isinstance(tables, RankingTables):
        raise ValueError(f"tables must be RankingTables, but it is {type(tables).__name__}")  # noqa: TRY004
    for name, value in arrays.items():
        if value is not None:
            raise ValueError(f"tables must come without arrays, but {name} is given too")
    return tables


def from_inputs(
    inputs: RankingInputs, *, k: int, normalise: str, ties: str, backend: Backend, threads: int | None
) -> Scores:
    """Return `(n_query,)` average precisions of checked inputs, NaN for a query without a relevant item."""
    if ties == "index":
        return index_order(inputs, k=k, normalise=normalise, backend=backend, threads=threads)
    tables = tables_of_inputs(inputs, backend=backend, threads=thread_count(threads))
    return from_tables(tables, k=k, normalise=normalise, ties=ties, threads=thread_count(threads))


def index_order(
    inputs: RankingInputs, *, k: int, normalise: str, backend: Backend, threads: int | None
) -> Scores:
    """Return `(n_query,)` average precisions with ties in database order, NaN without a relevant item."""
    no_kernel_for("ties='index'", backend)
    sums, counted, n_relevant = sum_of_precisions(
        inputs,
        k=k,
        first_relevant=normalise == "first-relevant",
        backend=backend,
        threads=thread_count(threads),
    )
    divisor = {"retrieved": counted, "relevant": n_relevant}.get(normalise, np.minimum(n_relevant, k))
    scores: Scores = sums / np.maximum(divisor, 1)
    scores[n_relevant == 0] = np.nan
    return scores


def from_tables(tables: RankingTables, *, k: int, normalise: str, ties: str, threads: int) -> Scores:
    """Return `(n_query,)` average precisions, NaN for a query without a relevant item."""
    kernel = import_module("cmh_metrics._average_precision_kernel")
    scores = np.empty(len(tables))
    harmonic = harmonic_numbers()
    longest = min(k, len(harmonic) - 1)
    options: tuple[int, ...] = ()
    if ties == "expected" and tables.retrieved.sum(axis=1).max() <= longest:
        rows = kernel.whole_ranking_rows
    else:
        rows, options = kernel.average_precision_rows, (k, NORMALISE.index(normalise), TIES.index(ties))

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        rows(tables.retrieved[part], tables.relevant[part], *options, harmonic, scores[part])

    over_ranges(work, len(tables), threads)
    return scores


@cache
def harmonic_numbers() -> Scores:
    """Return `(65537, 2)`: the harmonic numbers H(0), H(1), ..., each as a float and what it lacks.

    Of two large ones the difference counts, which their rounding errors would spoil.
    """
    i = np.arange(1.0, _TABLE_LIMIT + 1)
    terms = 1 / i
    numbers = np.zeros((_TABLE_LIMIT + 1, 2))
    np.cumsum(terms, out=numbers[1:, 0])
    lost = terms - np.diff(numbers[:, 0])  # by rounding each sum; this difference is exact
    short = terms.astype(np.float32).astype(np.float64)  # times 17 bits it is exact, too
    lost += ((1 - short * i) - (terms - short) * i) / i  # by rounding each quotient
    np.cumsum(lost, out=numbers[1:, 1])
    return numbers


def treat_no_relevant(scores: Scores, no_relevant: str) -> Scores:
    """Apply the rule for queries without a relevant item, which are NaN in `scores`."""
    empty = np.isnan(scores)
    if no_relevant == "skip":
        return scores[~empty]
    if no_relevant == "zero":
        scores[empty] = 0.0
    return scores
