"""Mean average precision class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import prepare
from cmh_metrics._backends.precisions import precisions_of_inputs
from cmh_metrics._definition import Definition
from cmh_metrics._inputs.arguments import RankingArguments, shared_arguments
from cmh_metrics._inputs.checks import one_of
from cmh_metrics._measure import Measure, Ranked, or_none

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import Normalise, Scores, Ties
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.packing import Bits
    from cmh_metrics._inputs.ranking_inputs import Inputs

Relevance = Literal["any", "class"]
_BLOCK_QUERIES = 1 << 14  # queries of one class each that are ranked at a time


@shared_arguments(RankingArguments)
def map_by_class(
    *,
    relevance: Relevance = "any",
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    **ranking: Unpack[RankingArguments],
) -> Scores:
    """Return the mean average precision over the queries of each class.

    Args:
        relevance: `"any"`: an item is relevant if it shares any label with the query, so only the choice of
            queries depends on the class (UMML, Table 9). `"class"`: it is relevant if it carries the class
            itself.

    Returns:
        `(n_label,)` float64; NaN for a class that no query carries. Queries without a relevant item count as
        0.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> map_by_class(
        ...     query_codes=[[1]],
        ...     database_codes=[[1], [-1]],
        ...     query_labels=[[1, 0]],
        ...     database_labels=[[0, 1], [1, 0]],
        ... )
        array([0.5, nan])
    """
    one_of(relevance, "relevance", get_args(Relevance))
    definition = Definition(k, normalise, ties)
    inputs, compute = prepare(**ranking)
    if relevance == "class":
        return means_within_classes(inputs, definition, compute)
    return class_means(precisions_of_inputs(inputs, definition, compute)[0], inputs.label_bits)


def means_within_classes(inputs: Inputs, definition: Definition, compute: Compute) -> Scores:
    """Return `(n_label,)` mean scores where an item is relevant to a query if both carry the class.

    Each query is ranked once for each of its classes, as a query that carries this class alone.
    """
    label_bits = inputs.label_bits
    queries, classes = np.nonzero(label_bits)
    total = np.zeros(inputs.n_label)
    for start in range(0, len(queries), _BLOCK_QUERIES):
        part = slice(start, start + _BLOCK_QUERIES)
        alone = np.arange(inputs.n_label) == classes[part, None]  # (block, n_label)
        scores, _ = precisions_of_inputs(inputs.for_queries(queries[part], alone), definition, compute)
        total += np.bincount(classes[part], np.nan_to_num(scores), minlength=len(total))
    return _divided(total, label_bits)


def class_means(scores: Scores, label_bits: Bits) -> Scores:
    """Return `(n_label,)` mean scores of the queries that carry each class, NaN where none does."""
    return _divided(np.nan_to_num(scores) @ label_bits, label_bits)


def _divided(total: Scores, label_bits: Bits) -> Scores:
    count = label_bits.sum(axis=0)
    means: Scores = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def _any_label(ranked: Ranked) -> tuple[float | None, ...]:
    return or_none(class_means(ranked.scores, ranked.inputs.label_bits))


def _class_itself(ranked: Ranked) -> tuple[float | None, ...]:
    return or_none(means_within_classes(ranked.inputs, ranked.definition, ranked.compute))


MEASURES = (
    Measure("map_by_class", "mAP by class", _any_label),
    Measure("map_within_class", "mAP by class, relevant if of the class", _class_itself),
)
