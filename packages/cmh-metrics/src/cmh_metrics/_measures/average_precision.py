"""Average precision under every definition that the field uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_metrics._backends.backends import prepare_arrays, tables_of
from cmh_metrics._backends.precisions import precisions_of_inputs, precisions_of_tables, reported
from cmh_metrics._definition import Definition
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.compute import Compute

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import NoRelevant, Normalise, Scores, Ties


@shared_arguments(TableArguments)
def average_precision(
    *,
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: NoRelevant = "zero",
    **ranking: Unpack[TableArguments],
) -> Scores:
    """Return the average precision of every query.

    Args:
        no_relevant: what a query without any relevant item counts: `"zero"`, `"nan"`, or it is left out
            (`"skip"`). `"skip-no-hit"` also leaves out a query without a relevant item within the cut-off, as
            HashNet's and thulab's DeepHash programs do; with expected, best and worst ties, if no order of
            equally distant items brings one there.

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
    definition = Definition(k, normalise, ties, no_relevant)
    if ranking.get("tables") is not None and ties != "index":
        compute = Compute.resolve(ranking.get("backend", "auto"), ranking.get("threads"))
        return reported(*precisions_of_tables(tables_of(**ranking), definition, compute.threads), definition)
    inputs, compute = prepare_arrays(**ranking)
    return reported(*precisions_of_inputs(inputs, definition, compute), definition)


@shared_arguments(TableArguments)
def mean_average_precision(
    *,
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: NoRelevant = "zero",
    **ranking: Unpack[TableArguments],
) -> float:
    """Return the mean of `average_precision` over the queries.

    Args:
        no_relevant: what a query without any relevant item counts: `"zero"`, `"nan"`, or it is left out
            (`"skip"`). `"skip-no-hit"` also leaves out a query without a relevant item within the cut-off, as
            HashNet's and thulab's DeepHash programs do; with expected, best and worst ties, if no order of
            equally distant items brings one there.

    Returns:
        A number in [0, 1]; NaN if every query is skipped, or any query counts as NaN.

    Raises:
        ValueError: if an argument is not as described, or `tables` come together with arrays or
        `ties="index"`.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> mean_average_precision(
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1]],
        ... )
        0.5
    """
    scores = average_precision(k=k, normalise=normalise, ties=ties, no_relevant=no_relevant, **ranking)
    return float(scores.mean()) if len(scores) else float("nan")
