"""Everything about one evaluation, as an object, JSON, Markdown and LaTeX."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._statistics import PairedTest, paired_randomisation_test

if TYPE_CHECKING:
    from cmh_metrics._average_precision import Scores

COLUMNS = ("task", "bits", "mAP", "95 % interval", "ties worst", "ties best")


@dataclass(frozen=True, eq=False)
class TaskReport:
    """The measures of one retrieval task.

    Args:
        task: its name, such as `"image-to-text"`.
        n_query: number of queries.
        n_database: number of database items.
        bits: code length.
        n_without_relevant: queries for which the database holds nothing relevant.
        mean_average_precision: under the report's definition.
        interval: bootstrap interval of it over the queries.
        worst: the same measure with the relevant items last among equally distant ones.
        best: with the relevant items first.
        precision_at: mean precision of the first k, by k.
        recall_at: mean recall of the first k, by k.
        ndcg_at: mean nDCG of the first k, by k, graded by shared labels; the key None is the whole ranking.
        map_by_class: mAP over the queries of each class (UMML, Table 9); None for a class without queries.
        radius_precision: mean precision within Hamming radius 0, 1, ..., bits.
        radius_recall: mean recall likewise.
        average_precision: `(n_query,)`, for tests between systems.
    """

    task: str
    n_query: int
    n_database: int
    bits: int
    n_without_relevant: int
    mean_average_precision: float
    interval: tuple[float, float]
    worst: float
    best: float
    precision_at: dict[int, float]
    recall_at: dict[int, float]
    ndcg_at: dict[int | None, float]
    map_by_class: tuple[float | None, ...]
    radius_precision: tuple[float, ...]
    radius_recall: tuple[float, ...]
    average_precision: Scores


@dataclass(frozen=True, eq=False)
class RetrievalReport:
    """The measures of all tasks, with the definition behind them.

    Args:
        tasks: one report per task, by name.
        definition: the arguments that define mAP: `k`, `normalise`, `ties`, `no_relevant`.
        provenance: versions and backend.
    """

    tasks: dict[str, TaskReport]
    definition: dict[str, Any]
    provenance: dict[str, str]

    def __getitem__(self, task: str) -> TaskReport:
        return self.tasks[task]

    def compare(
        self, other: RetrievalReport, *, n_resample: int = 10_000, seed: int = 0
    ) -> dict[str, PairedTest]:
        """Test every task that both reports have for a difference of mAP on the same queries.

        Raises:
            ValueError: if the reports define mAP differently, share no task, or differ in their queries.
        """
        if self.definition != other.definition:
            raise ValueError(
                "both reports must define mAP alike, "
                f"but the definitions are {self.definition} and {other.definition}"
            )
        common = [name for name in self.tasks if name in other.tasks]
        if not common:
            raise ValueError(
                f"the reports must share a task, but they hold {[*self.tasks]} and {[*other.tasks]}"
            )
        return {
            name: paired_randomisation_test(
                self[name].average_precision, other[name].average_precision, n_resample=n_resample, seed=seed
            )
            for name in common
        }

    def to_json(self, *, per_query: bool = True) -> str:
        """Return the report as JSON; `per_query=False` leaves out the average precision of each query."""
        tasks = {}
        for name, task in self.tasks.items():
            fields = asdict(task)
            fields["average_precision"] = task.average_precision.tolist() if per_query else []
            fields["ndcg_at"] = {"all" if k is None else k: value for k, value in task.ndcg_at.items()}
            tasks[name] = fields
        content = {"definition": self.definition, "provenance": self.provenance, "tasks": tasks}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RetrievalReport:
        """Read what `to_json` wrote.

        Raises:
            ValueError: if the text is not such a report.
        """
        try:
            content = json.loads(text)
            tasks = {name: _task(fields) for name, fields in content["tasks"].items()}
            return cls(tasks, content["definition"], content["provenance"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the text must be a report written by to_json, but {error!r} went wrong"
            ) from error

    def to_markdown(self) -> str:
        """Return a table with one row per task, and a sentence that says how it is defined."""
        rows = [COLUMNS, ("---",) * len(COLUMNS), *self._rows()]
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        return f"{table}\n\n{self._sentence()}\n"

    def to_latex(self) -> str:
        """Return the same table for LaTeX with the booktabs package."""
        header = " & ".join(COLUMNS).replace("%", r"\%")
        lines = [" & ".join(row) + r" \\" for row in self._rows()]
        return "\n".join(
            [
                f"% {self._sentence()}",
                rf"\begin{{tabular}}{{l{'r' * (len(COLUMNS) - 1)}}}",
                r"\toprule",
                header + r" \\",
                r"\midrule",
                *lines,
                r"\bottomrule",
                r"\end{tabular}",
                "",
            ]
        )

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                task.task,
                str(task.bits),
                f"{task.mean_average_precision:.4f}",
                f"{task.interval[0]:.4f} to {task.interval[1]:.4f}",
                f"{task.worst:.4f}",
                f"{task.best:.4f}",
            )
            for task in self.tasks.values()
        ]

    def _sentence(self) -> str:
        k = self.definition["k"]
        cut = "over the whole ranking" if k is None else f"cut at {k} ({self.definition['normalise']})"
        sizes = sorted({(task.n_query, task.n_database) for task in self.tasks.values()})
        shapes = ", ".join(f"{n_query} queries on {n_database} items" for n_query, n_database in sizes)
        return (
            f"mAP {cut}, ties {self.definition['ties']}, queries without a relevant item: "
            f"{self.definition['no_relevant']}; {shapes}; cmh-metrics {self.provenance['cmh-metrics']}."
        )


def _task(fields: dict[str, Any]) -> TaskReport:
    """Undo what JSON does to keys, tuples and arrays."""
    restored = dict(fields)
    for name in ("precision_at", "recall_at", "ndcg_at"):
        restored[name] = {None if k == "all" else int(k): value for k, value in fields[name].items()}
    for name in ("interval", "map_by_class", "radius_precision", "radius_recall"):
        restored[name] = tuple(fields[name])
    restored["average_precision"] = np.array(fields["average_precision"], np.float64)
    return TaskReport(**restored)
