"""Everything about one evaluation, as an object, JSON, Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._statistics import PairedTest, paired_randomisation_test

if TYPE_CHECKING:
    from cmh_metrics._average_precision import Scores

COLUMNS = ("task", "bits", "mAP", "95 % interval", "ties worst", "ties best")
COLUMNS_AT_K = ("task", "k", "precision", "recall", "nDCG")
_LATEX = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
Row = tuple[str, ...]
Tests = Mapping[str, PairedTest]


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
        precision_at: mean precision of the first k, by k. This and the next three are means over all orders
            of equally distant items, whatever tie rule mAP has.
        recall_at: mean recall of the first k, by k.
        ndcg_at: mean nDCG of the first k, by k, graded by shared labels; the key None is the whole ranking.
        instance_recall_at: share of the queries whose own item is among the first k, by k; empty unless
            `evaluate` was told the items.
        map_by_class: mAP over the queries of each class (UMML, Table 9); None for a class without queries.
        map_within_class: the same where only items that carry the class count as relevant.
        radius_precision: mean precision within Hamming radius 0, 1, ..., bits.
        radius_recall: mean recall likewise.
        radius_precision_found: the same over those queries that find something relevant within the radius, as
            AGAH's program prints it; None where no query does.
        radius_recall_found: mean recall likewise.
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
    instance_recall_at: dict[int, float]
    map_by_class: tuple[float | None, ...]
    map_within_class: tuple[float | None, ...]
    radius_precision: tuple[float, ...]
    radius_recall: tuple[float, ...]
    radius_precision_found: tuple[float | None, ...]
    radius_recall_found: tuple[float | None, ...]
    average_precision: Scores


@dataclass(frozen=True, eq=False)
class RetrievalReport:
    """The measures of all tasks, with the definition behind them.

    Args:
        tasks: one report per task, by name.
        definition: the arguments that define mAP: `k`, `normalise`, `ties`, `no_relevant`; and `ties_at_k`,
            the tie rule of the measures at k.
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

    def to_json(self, *, per_query: bool = True, tests: Tests | None = None) -> str:
        """Return the report as JSON.

        Args:
            per_query: whether to write the average precision of each query, too.
            tests: what `compare` returned, to be written beside the measures.
        """
        tasks = {}
        for name, task in self.tasks.items():
            fields = asdict(task)
            fields["average_precision"] = task.average_precision.tolist() if per_query else []
            fields["ndcg_at"] = {"all" if k is None else k: value for k, value in task.ndcg_at.items()}
            tasks[name] = fields
        content = {"definition": self.definition, "provenance": self.provenance, "tasks": tasks}
        if tests is not None:
            content["tests"] = {name: asdict(test) for name, test in tests.items()}
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

    def to_markdown(self, *, tests: Tests | None = None) -> str:
        """Return tables of mAP and of the measures at k, and a sentence that says how they are defined.

        Args:
            tests: what `compare` returned: adds the difference of mAP and its p-value.
        """
        tables = []
        for columns, rows in self._tables(tests):
            lines = [
                columns,
                ("---",) * len(columns),
                *([_in_markdown(cell) for cell in row] for row in rows),
            ]
            tables.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return "\n\n".join([*tables, self._sentence()]) + "\n"

    def to_latex(self, *, tests: Tests | None = None) -> str:
        """Return the same tables for LaTeX with the booktabs package."""
        lines = [f"% {self._sentence()}"]
        for columns, rows in self._tables(tests):
            header, *body = [" & ".join(map(_in_latex, row)) + r" \\" for row in (columns, *rows)]
            lines += [rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule", header, r"\midrule"]
            lines += [*body, r"\bottomrule", r"\end{tabular}", ""]
        return "\n".join(lines)

    def _tables(self, tests: Tests | None) -> list[tuple[Row, list[Row]]]:
        """Return (columns, rows) of two tables: one row per task, and one row per task and cut-off."""
        tested = ("difference", "p") if tests else ()
        whole = []
        for task in self.tasks.values():
            low, high = task.interval
            row = [
                task.task,
                str(task.bits),
                f"{task.mean_average_precision:.4f}",
                f"{low:.4f} to {high:.4f}",
            ]
            row += [f"{task.worst:.4f}", f"{task.best:.4f}"]
            if tests:
                test = tests.get(task.task)
                row += [f"{test.difference:+.4f}", f"{test.p_value:.4f}"] if test else ["", ""]
            whole.append(tuple(row))
        columns: Row = COLUMNS_AT_K
        at = []
        if any(task.instance_recall_at for task in self.tasks.values()):
            columns += ("own row",)
        for task in self.tasks.values():
            measures: Any = (task.precision_at, task.recall_at, task.ndcg_at, task.instance_recall_at)
            for k in task.ndcg_at:
                cells = [f"{values[k]:.4f}" if k in values else "" for values in measures]
                at.append((task.task, "all" if k is None else str(k), *cells)[: len(columns)])
        return [(COLUMNS + tested, whole), (columns, at)]

    def _sentence(self) -> str:
        k = self.definition["k"]
        cut = "over the whole ranking" if k is None else f"cut at {k} ({self.definition['normalise']})"
        sizes = sorted({(task.n_query, task.n_database) for task in self.tasks.values()})
        shapes = ", ".join(f"{n_query} queries on {n_database} items" for n_query, n_database in sizes)
        return (
            f"mAP {cut}, ties {self.definition['ties']}, queries without a relevant item: "
            f"{self.definition['no_relevant']}; measures at k: ties {self.definition['ties_at_k']}; "
            f"{shapes}; cmh-metrics {self.provenance['cmh-metrics']}."
        )


def _in_markdown(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _in_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _task(fields: dict[str, Any]) -> TaskReport:
    """Undo what JSON does to keys, tuples and arrays."""
    restored = dict(fields)
    for name in ("precision_at", "recall_at", "ndcg_at", "instance_recall_at"):
        restored[name] = {None if k == "all" else int(k): value for k, value in fields[name].items()}
    for name, value in fields.items():
        if isinstance(value, list):
            restored[name] = tuple(value)
    restored["average_precision"] = np.array(fields["average_precision"], np.float64)
    return TaskReport(**restored)
