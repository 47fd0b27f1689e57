"""All measures of one or both cross-modal tasks in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from importlib.metadata import version
from operator import add
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._backends.backends import first_reading
from cmh_metrics._backends.precisions import precisions_of_inputs, reported, scores_of_tables
from cmh_metrics._definition import Definition
from cmh_metrics._inputs.arguments import RankingArguments, shared_arguments
from cmh_metrics._inputs.checks import cut_offs, one_of
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.sharded_inputs import inputs_of
from cmh_metrics._measure import Ranked
from cmh_metrics._measures import MEASURES
from cmh_metrics._report import RetrievalReport, TaskReport
from cmh_metrics._statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from cmh_metrics._definition import Normalise, Ties
    from cmh_metrics._inputs.tables import RankingTables

MODALITIES = ("image", "text")


@shared_arguments(RankingArguments)
def evaluate(
    *,
    task: str = "retrieval",
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: Literal["zero", "skip", "skip-no-hit"] = "zero",
    ks: Sequence[int] = (1, 10, 50, 100),
    targets: Any = None,
    n_resample: int = 2000,
    seed: int = 0,
    **ranking: Unpack[RankingArguments],
) -> RetrievalReport:
    """Compute every measure of one retrieval task, or of both cross-modal tasks.

    For both tasks, `query_codes` and `database_codes` are mappings `{"image": ..., "text": ...}`: image
    queries then rank the text codes of the database, and text queries its image codes. `k`, `normalise`,
    `ties` and `no_relevant` define mAP; the bounds of ties are reported in any case, and the measures at k
    are means over all orders of equally distant items whatever the tie rule.

    Args:
        task: how a single task is called.
        no_relevant: `"zero"`, `"skip"` or `"skip-no-hit"`, see `average_precision`.
        ks: cut-offs of precision, recall and nDCG, and of instance recall.
        targets: where queries have right items of their own, as a picture and its own text: `"rows"` if that
            of query i is database row i, otherwise `(n_query,)` database rows, or `(n_query, n_right)` for
            several, -1 where there are fewer. Adds instance recall.
        n_resample: resamples of the bootstrap interval.
        seed: of the bootstrap.

    Returns:
        The report; `.to_json()`, `.to_markdown()`, `.to_latex()` and `.compare(other)`.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> report = evaluate(
        ...     query_codes=[[1]], database_codes=[[1], [-1]], query_labels=[[1]], database_labels=[[0], [1]]
        ... )
        >>> report["retrieval"].mean_average_precision
        0.5
    """
    one_of(no_relevant, "no_relevant", ("zero", "skip", "skip-no-hit"))
    definition = Definition(k, normalise, ties, no_relevant)
    backend = ranking.pop("backend", "auto")
    compute = Compute.resolve(backend, ranking.pop("threads", None))
    if ties == "index":
        compute.needs_cpu("ties='index'")
    if isinstance(targets, str):
        one_of(targets, "targets", ("rows",))
    cuts = tuple(cut_offs(ks))
    arrays: dict[str, Any] = dict(ranking)
    reports = {}
    for name, codes in _tasks(
        arrays.pop("query_codes", None), arrays.pop("database_codes", None), task
    ).items():
        inputs = inputs_of(**codes, **arrays)
        parts: list[RankingTables] = []
        extremes = []
        for counted_there, extremes_there in inputs.of_parts(first_reading, compute):
            extremes.append(extremes_there)
            parts.append(counted_there)
            if ties != "index":  # which needs what each part of the database counts; the others need the sum
                parts = [reduce(add, parts)]
        tables = reduce(add, parts)
        raw, counted = precisions_of_inputs(inputs, definition, compute, parts)
        scores = reported(raw, counted, definition)
        if not len(scores):
            raise ValueError(
                "query_labels must share a label with some database item for at least one query, "
                "but none does; use no_relevant='zero'"
            )

        worst, best = (
            float(reported(scores_of_tables(tables, end, compute.threads), counted, end).mean())
            for end in (replace(definition, ties="worst"), replace(definition, ties="best"))
        )
        ranked = Ranked(inputs, tables, raw, definition, cuts, targets, compute)
        reports[name] = TaskReport(
            task=name,
            n_query=inputs.n_query,
            n_database=inputs.n_database,
            bits=inputs.bits,
            n_without_relevant=int(np.isnan(raw).sum()),
            n_counted=len(scores),
            mean_average_precision=float(scores.mean()),
            map_interval=bootstrap_interval(scores, n_resample=n_resample, seed=seed),
            map_worst=worst,
            map_best=best,
            average_precision=scores,
            readings=inputs.readings,
            warnings=inputs.warnings(extremes),
            measures={measure.name: measure.compute(ranked) for measure in MEASURES},
        )
    provenance = {"cmh-metrics": version("cmh-metrics"), "numpy": np.__version__, "backend": backend}
    return RetrievalReport(reports, definition, provenance)


def _tasks(query_codes: Any, database_codes: Any, task: str) -> dict[str, dict[str, Any]]:
    """Return the codes of each task by its name."""
    if not isinstance(query_codes, Mapping) and not isinstance(database_codes, Mapping):
        return {task: {"query_codes": query_codes, "database_codes": database_codes}}
    for name, codes in (("query_codes", query_codes), ("database_codes", database_codes)):
        if not isinstance(codes, Mapping) or set(codes) != set(MODALITIES):
            keys = [*codes] if isinstance(codes, Mapping) else type(codes).__name__
            raise ValueError(
                f"{name} must be a mapping with the keys 'image' and 'text', as the other codes are, "
                f"but it has {keys}"
            )
    image, text = MODALITIES
    return {
        f"{source}-to-{target}": {
            "query_codes": query_codes[source],
            "database_codes": database_codes[target],
        }
        for source, target in ((image, text), (text, image))
    }
