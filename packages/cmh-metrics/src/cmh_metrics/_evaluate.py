"""All measures of one or both cross-modal tasks in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._average_precision import (
    NORMALISE,
    TIES,
    WHOLE,
    from_tables,
    index_order,
    treat_no_relevant,
)
from cmh_metrics._by_class import class_means, means_within_classes
from cmh_metrics._checks import as_matrix, as_numpy, one_of, positive_integer
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._instance import instance_recall, target_rows
from cmh_metrics._ndcg import ndcg_at
from cmh_metrics._packing import zero_one
from cmh_metrics._precision_recall import precision_at, precision_recall_by_radius, recall_at
from cmh_metrics._ranking import no_kernel_for, tables_of_inputs, thread_count
from cmh_metrics._report import RetrievalReport, TaskReport
from cmh_metrics._statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._average_precision import NoRelevant, Normalise, Scores, Ties
    from cmh_metrics._codes import Values
    from cmh_metrics._packing import Bits
    from cmh_metrics._ranking import Backend

MODALITIES = ("image", "text")


def evaluate(
    *,
    query_codes: Any,
    database_codes: Any,
    query_labels: Any,
    database_labels: Any,
    task: str = "retrieval",
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    no_relevant: Literal["zero", "skip"] = "zero",
    ks: Sequence[int] = (1, 10, 50, 100),
    targets: Any = None,
    values: Values = "auto",
    n_resample: int = 2000,
    seed: int = 0,
    backend: Backend = "auto",
    threads: int | None = None,
) -> RetrievalReport:
    """Compute every measure of one retrieval task, or of both cross-modal tasks.

    Args:
        query_codes: `(n_query, bits)`, see `ranking_tables`; or, for both cross-modal tasks,
            `{"image": ..., "text": ...}`.
        database_codes: `(n_database, bits)`, or the codes of both modalities likewise. Image queries then
            rank the text codes of the database, and text queries its image codes.
        query_labels: `(n_query, n_label)` of 0 and 1.
        database_labels: `(n_database, n_label)` of 0 and 1.
        task: how a single task is called.
        k: cut-off of mAP, as for `average_precision`, like the next three.
        normalise: see `average_precision`.
        ties: see `average_precision`; the bounds `worst` and `best` are reported in any case.
        no_relevant: see `average_precision`; queries that are skipped are left out of mAP and its interval.
        ks: cut-offs of precision, recall and nDCG, and of instance-level recall. Whatever `ties` says about
            mAP, these are means over all orders of equally distant items.
        targets: where each query has one right item, as a picture and its own text: `"rows"` if that of query
            i is database row i, otherwise `(n_query,)` database rows. Adds instance-level recall.
        values: what a value of the codes means, see `ranking_tables`.
        n_resample: resamples of the bootstrap interval.
        seed: of the bootstrap.
        backend: of the ranking tables, see `ranking_tables`. nDCG and instance-level recall need more than
            these tables and are counted on the CPU whatever the backend; `ties="index"` has no kernel for
            `"torch"` and `"triton"`.
        threads: see `ranking_tables`.

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
    one_of(normalise, "normalise", NORMALISE)
    one_of(ties, "ties", TIES)
    one_of(no_relevant, "no_relevant", ("zero", "skip"))
    if ties == "index":
        no_kernel_for("ties='index'", backend)
    if isinstance(targets, str):
        one_of(targets, "targets", ("rows",))
    options = _Options(
        k=None if k is None else positive_integer(k, "k"),
        normalise=normalise,
        ties=ties,
        no_relevant=no_relevant,
        ks=tuple(positive_integer(cut, "ks") for cut in ks),
        targets=targets,
        n_resample=n_resample,
        seed=seed,
        backend=backend,
        threads=threads,
    )
    wanted = zero_one(as_numpy(as_matrix(query_labels, "query_labels"), "query_labels"), "query_labels")
    reports = {
        name: _evaluate_task(
            name,
            RankingInputs(
                query_codes=queries,
                database_codes=database,
                query_labels=wanted,
                database_labels=database_labels,
                values=values,
            ),
            wanted,
            options,
        )
        for name, queries, database in _tasks(query_codes, database_codes, task)
    }
    definition = {
        "k": options.k,
        "normalise": normalise,
        "ties": ties,
        "no_relevant": no_relevant,
        "ties_at_k": "expected",  # of precision, recall, nDCG and instance-level recall
    }
    provenance = {"cmh-metrics": version("cmh-metrics"), "numpy": np.__version__, "backend": backend}
    return RetrievalReport(reports, definition, provenance)


@dataclass(frozen=True)
class _Options:
    """What is the same for every task."""

    k: int | None
    normalise: Normalise
    ties: Ties
    no_relevant: NoRelevant
    ks: tuple[int, ...]
    targets: Any
    n_resample: int
    seed: int
    backend: Backend
    threads: int | None


def _tasks(query_codes: Any, database_codes: Any, task: str) -> list[tuple[str, Any, Any]]:
    """Return (name, query codes, database codes) of each task."""
    if not isinstance(query_codes, Mapping) and not isinstance(database_codes, Mapping):
        return [(task, query_codes, database_codes)]
    for name, codes in (("query_codes", query_codes), ("database_codes", database_codes)):
        if not isinstance(codes, Mapping) or set(codes) != set(MODALITIES):
            keys = [*codes] if isinstance(codes, Mapping) else type(codes).__name__
            raise ValueError(
                f"{name} must be a mapping with the keys 'image' and 'text', as the other codes are, "
                f"but it has {keys}"
            )
    image, text = MODALITIES
    return [
        (f"{source}-to-{target}", query_codes[source], database_codes[target])
        for source, target in ((image, text), (text, image))
    ]


def _evaluate_task(name: str, inputs: RankingInputs, carried: Bits, options: _Options) -> TaskReport:
    threads = thread_count(options.threads)
    tables = tables_of_inputs(inputs, backend=options.backend, threads=threads)
    k = WHOLE if options.k is None else options.k
    definition: dict[str, Any] = {"k": k, "normalise": options.normalise}
    on_backend: dict[str, Any] = {"backend": options.backend, "threads": threads}

    def precisions(ties: Ties) -> Scores:
        if ties == "index":
            return index_order(inputs, **definition, **on_backend)
        return from_tables(tables, **definition, ties=ties, threads=threads)

    raw = precisions(options.ties)
    scores = treat_no_relevant(raw.copy(), options.no_relevant)
    if not len(scores):
        raise ValueError("query_labels must share a label with some database item for at least one query, "
                         "but none does; use no_relevant='zero'")  # fmt: skip
    within = means_within_classes(inputs, carried, **definition, ties=options.ties, **on_backend)
    curve, found = (precision_recall_by_radius(tables=tables, average=a) for a in ("plain", "found"))
    graded = ndcg_at(inputs, [*options.ks, WHOLE], gain="exponential", threads=threads)
    return TaskReport(
        task=name,
        n_query=inputs.n_query,
        n_database=inputs.n_database,
        bits=inputs.bits,
        n_without_relevant=int(np.isnan(raw).sum()),
        mean_average_precision=float(scores.mean()),
        interval=bootstrap_interval(scores, n_resample=options.n_resample, seed=options.seed),
        worst=float(treat_no_relevant(precisions("worst"), options.no_relevant).mean()),
        best=float(treat_no_relevant(precisions("best"), options.no_relevant).mean()),
        precision_at=_by_k(options.ks, precision_at(ks=options.ks, tables=tables).mean(axis=0)),
        recall_at=_by_k(options.ks, recall_at(ks=options.ks, tables=tables).mean(axis=0)),
        ndcg_at=_by_k([*options.ks, None], np.nan_to_num(graded).mean(axis=0)),
        instance_recall_at=_instances(inputs, options),
        map_by_class=_or_none(class_means(np.nan_to_num(raw), carried)),
        map_within_class=_or_none(within),
        radius_precision=tuple(curve.precision.tolist()),
        radius_recall=tuple(curve.recall.tolist()),
        radius_precision_found=_or_none(found.precision),
        radius_recall_found=_or_none(found.recall),
        average_precision=scores,
    )


def _instances(inputs: RankingInputs, options: _Options) -> dict[int, float]:
    """Return instance-level recall by cut-off, nothing where queries have no item of their own."""
    if options.targets is None:
        return {}
    given = None if isinstance(options.targets, str) else options.targets
    rows = target_rows(given, inputs.n_query, inputs.n_database)
    recall = instance_recall(inputs.query_words, inputs.database, rows, options.ks, "expected")
    return _by_k(options.ks, recall)


def _or_none(means: Scores) -> tuple[float | None, ...]:
    """Return what JSON can hold."""
    return tuple(None if np.isnan(mean) else float(mean) for mean in means)


def _by_k(ks: Sequence[Any], means: Scores) -> dict[Any, float]:
    return dict(zip(ks, means.tolist(), strict=True))
