"""Everything about one evaluation, as an object, JSON, Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from cmh_metrics._definition import Definition
from cmh_metrics._measures import MEASURES
from cmh_metrics._report_json import NoReport, field_value, loaded, mapping, measure_value, text_of, texts
from cmh_metrics._statistics import PairedTest, paired_randomisation_test

if TYPE_CHECKING:
    from cmh_metrics._definition import Scores

COLUMNS = ("task", "bits", "mAP", "95% CI", "ties worst", "ties best")
TITLES = {measure.name: measure.title for measure in MEASURES}
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

    Every measure of `measures` is an attribute, too: `report.precision_at[10]`.

    Args:
        task: its name, such as `"image-to-text"`.
        n_query: number of queries.
        n_database: number of database items.
        bits: code length in bits.
        n_without_relevant: queries for which the database holds nothing relevant.
        n_counted: queries that count under the definition.
        mean_average_precision: under the report's definition.
        map_interval: 95% bootstrap CI of it over the queries.
        map_worst: the same measure, of the same queries, with the relevant items last among equally distant
            ones.
        map_best: with the relevant items first.
        average_precision: `(n_counted,)` float64, for tests between systems.
        readings: how the values of `query_codes`, `database_codes` and `labels` were read.
        warnings: what is wrong with the codes, such as bits that never change.
        measures: by name, what every other measure says: one number; numbers by cut-off, the key None being
            the whole ranking; or a series, None in it where no query counts. Those at k are means over all
            orders of equally distant items, whatever tie rule mAP has.

    Example:
        >>> from cmh_metrics import evaluate
        >>> arrays = {f"{side}_codes": [[1, 1], [-1, 1]] for side in ("query", "database")}
        >>> arrays |= {f"{side}_labels": [0, 1] for side in ("query", "database")}
        >>> report = evaluate(**arrays)
        >>> report["retrieval"].precision_at[1]
        1.0
    """

    task: str
    n_query: int
    n_database: int
    bits: int
    n_without_relevant: int
    n_counted: int
    mean_average_precision: float
    map_interval: tuple[float, float]
    map_worst: float
    map_best: float
    average_precision: Scores
    readings: dict[str, str]
    warnings: tuple[str, ...]
    measures: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Look a measure up; called for what is no field only."""
        try:
            return vars(self)["measures"][name]
        except KeyError:
            raise AttributeError(f"a TaskReport has no measure {name!r}") from None


@dataclass(frozen=True, eq=False)
class RetrievalReport:
    """The measures of all tasks, with the definition behind them.

    Args:
        tasks: one report per task, by name.
        definition: of mAP.
        provenance: versions and backend.

    Example:
        >>> from cmh_metrics import evaluate
        >>> arrays = {f"{side}_codes": [[1, 1], [-1, 1]] for side in ("query", "database")}
        >>> arrays |= {f"{side}_labels": [0, 1] for side in ("query", "database")}
        >>> report = evaluate(**arrays)
        >>> str(report.definition), [*report.tasks]
        ('all, ties expected', ['retrieval'])
    """

    tasks: dict[str, TaskReport]
    definition: Definition
    provenance: dict[str, str]

    def __getitem__(self, task: str) -> TaskReport:
        return self.tasks[task]

    def compare(
        self, other: RetrievalReport, *, n_resample: int = 10_000, seed: int = 0
    ) -> dict[str, PairedTest]:
        """Test every task that both reports have for a difference of mAP on the same queries.

        Args:
            other: the report of another system, of the same queries under the same definition.
            n_resample: number of random exchanges, see `paired_randomisation_test`.
            seed: of the random numbers.

        Returns:
            A test for each task, by its name; the difference is this report's mAP less the other's.

        Raises:
            ValueError: if the reports define mAP differently, share no task, or differ in their queries or in
                which of them count.
        """
        if self.definition != other.definition:
            raise ValueError(
                "both reports must define mAP alike, "
                f"but the definitions are '{self.definition}' and '{other.definition}'"
            )
        common = [name for name in self.tasks if name in other.tasks]
        if not common:
            raise ValueError(
                f"the reports must share a task, but they hold {[*self.tasks]} and {[*other.tasks]}"
            )
        for name in common:
            _check_same_queries(self[name], other[name])
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
            own = {field: value for field, value in vars(task).items() if field != "measures"}
            own["average_precision"] = task.average_precision.tolist() if per_query else []
            tasks[name] = own | {measure: _in_json(value) for measure, value in task.measures.items()}
        definition = {"text": str(self.definition), **asdict(self.definition), "ties_at_k": "expected"}
        content = {"definition": definition, "provenance": self.provenance, "tasks": tasks}
        if tests is not None:
            content["tests"] = {name: asdict(test) for name, test in tests.items()}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RetrievalReport:
        """Read what `to_json` wrote.

        Args:
            text: the JSON.

        Returns:
            The report.

        Raises:
            ValueError: if the text is not such a report.
        """
        try:
            content = loaded(text)
            tasks = {
                name: _task(mapping(task, name))
                for name, task in mapping(content.get("tasks"), "tasks").items()
            }
            definition = text_of(mapping(content.get("definition"), "definition").get("text"), "definition")
            provenance = texts(content.get("provenance"), "provenance")
        except NoReport as error:
            raise ValueError(f"the text must be a report written by to_json, but {error}") from error
        return cls(tasks, Definition.parse(definition), provenance)

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
        return "\n\n".join([*tables, *self.notes()]) + "\n"

    def to_latex(self, *, tests: Tests | None = None) -> str:
        """Return the same tables for LaTeX with the booktabs package.

        Args:
            tests: what `compare` returned: adds the difference of mAP and its p-value.
        """
        lines = [f"% {note}" for note in self.notes()]
        for columns, rows in self._tables(tests):
            header, *body = [" & ".join(map(_in_latex, row)) + r" \\" for row in (columns, *rows)]
            lines += [rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule", header, r"\midrule"]
            lines += [*body, r"\bottomrule", r"\end{tabular}", ""]
        return "\n".join(lines)

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return every measure but the series as (title, one text for each task), for a table of any kind.

        Returns:
            The rows in the order of a report, mAP first.

        Example:
            >>> from cmh_metrics import evaluate
            >>> arrays = {f"{side}_codes": [[1, 1], [-1, 1]] for side in ("query", "database")}
            >>> arrays |= {f"{side}_labels": [0, 1] for side in ("query", "database")}
            >>> report = evaluate(**arrays)
            >>> report.rows()[0]
            ('mAP', ['1.0000'])
        """
        tasks = list(self.tasks.values())
        rows = [
            ("mAP", [f"{task.mean_average_precision:.4f}" for task in tasks]),
            ("95% CI over queries", ["{:.4f} to {:.4f}".format(*task.map_interval) for task in tasks]),
            ("ties worst to best", [f"{task.map_worst:.4f} to {task.map_best:.4f}" for task in tasks]),
        ]
        for title, values in self._measures(float):
            rows.append((title, [_number(value) for value in values]))
        for title, values in self._measures(dict):
            for k in values[0]:
                cut = "over the whole ranking" if k is None else f"at {k}"
                rows.append((f"{title} {cut}", [_number(value.get(k)) for value in values]))
        rows += [
            ("queries", [str(task.n_query) for task in tasks]),
            ("of these without a relevant item", [str(task.n_without_relevant) for task in tasks]),
            ("database items", [str(task.n_database) for task in tasks]),
            ("bits", [str(task.bits) for task in tasks]),
        ]
        return rows

    def notes(self) -> list[str]:
        """Return what to know beside the numbers: the definition, how values were read, and warnings.

        Returns:
            One sentence each.

        Example:
            >>> from cmh_metrics import evaluate
            >>> arrays = {f"{side}_codes": [[1, 1], [1, 1]] for side in ("query", "database")}
            >>> arrays |= {f"{side}_labels": [0, 1] for side in ("query", "database")}
            >>> report = evaluate(**arrays)
            >>> report.notes()[-1]
            'Warning: retrieval, database codes: all codes are equal, 2 of 2 bits never change.'
        """
        return [
            self._sentence(),
            *(f"Warning: {task.task}, {text}." for task in self.tasks.values() for text in task.warnings),
        ]

    def _measures(self, kind: type) -> list[tuple[str, list[Any]]]:
        """Return (title, values of all tasks) of the measures of one kind, empty ones left out."""
        tasks = list(self.tasks.values())
        found = []
        for name in tasks[0].measures if tasks else ():
            values = [task.measures.get(name) for task in tasks]
            if isinstance(values[0], kind) and values[0] != {}:
                found.append((TITLES.get(name, name), values))
        return found

    def _tables(self, tests: Tests | None) -> list[tuple[Row, list[Row]]]:
        """Return (columns, rows) of tables: mAP; measures of one number; a row per task and cut-off."""
        tested = ("difference", "p") if tests else ()
        whole = []
        for task in self.tasks.values():
            low, high = task.map_interval
            row = [
                task.task,
                str(task.bits),
                f"{task.mean_average_precision:.4f}",
                f"{low:.4f} to {high:.4f}",
            ]
            row += [f"{task.map_worst:.4f}", f"{task.map_best:.4f}"]
            if tests:
                test = tests.get(task.task)
                row += [f"{test.difference:+.4f}", f"{test.p_value:.4f}"] if test else ["", ""]
            whole.append(tuple(row))
        tables: list[tuple[Row, list[Row]]] = [(COLUMNS + tested, whole)]
        numbers, at_k = self._measures(float), self._measures(dict)
        if numbers:
            columns = ("task", *(title for title, _ in numbers))
            rows = [
                (name, *(_number(values[i]) for _, values in numbers)) for i, name in enumerate(self.tasks)
            ]
            tables.append((columns, rows))
        cuts = list(dict.fromkeys(k for _, values in at_k for k in values[0]))
        cuts.sort(key=lambda k: (k is None, k))
        rows = [
            (name, "all" if k is None else str(k), *(_number(values[i].get(k)) for _, values in at_k))
            for i, name in enumerate(self.tasks)
            for k in cuts
        ]
        return [*tables, (("task", "k", *(title for title, _ in at_k)), rows)]

    def _sentence(self) -> str:
        sizes = sorted({(task.n_query, task.n_database) for task in self.tasks.values()})
        shapes = ", ".join(f"{n_query} queries on {n_database} items" for n_query, n_database in sizes)
        read = {
            f"{name.replace('_', ' ')}: {text}"
            for task in self.tasks.values()
            for name, text in task.readings.items()
        }
        return (
            f"mAP: {self.definition}, queries without a relevant item: {self.definition.no_relevant}; "
            f"measures at k: ties expected; {'; '.join(sorted(read))}; {shapes}; cmh-metrics "
            f"{self.provenance.get('cmh-metrics', '(version not recorded)')}."
        )


def _check_same_queries(first: TaskReport, second: TaskReport) -> None:
    """Refuse to pair scores that are of different queries, as far as their numbers tell."""
    both = (first, second)
    rows, empty = ([getattr(one, name) for one in both] for name in ("n_query", "n_without_relevant"))
    if rows[0] != rows[1] or empty[0] != empty[1]:
        raise ValueError(
            f"the reports must be of the same queries, but in task {first.task} they have {rows[0]} and "
            f"{rows[1]}, of which {empty[0]} and {empty[1]} have no relevant item"
        )
    if any(one.n_counted < one.n_query - one.n_without_relevant for one in both):
        raise ValueError(
            "queries without a hit within the cut-off must count in both reports, but no_relevant="
            f"'skip-no-hit' left some out of task {first.task}, in each report its own; use 'skip' or 'zero'"
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _in_json(value: Any) -> Any:
    """Return a measure with keys that JSON can have."""
    return {"all" if k is None else str(k): v for k, v in value.items()} if isinstance(value, dict) else value


def _in_markdown(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _in_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _task(content: dict[str, Any]) -> TaskReport:
    """Undo what JSON does to keys, tuples and arrays; what is no field is a measure."""
    declared = {field.name: str(field.type) for field in fields(TaskReport) if field.name != "measures"}
    own = {name: field_value(content.get(name), kind, name) for name, kind in declared.items()}
    measures = {name: measure_value(v, name) for name, v in content.items() if name not in declared}
    return TaskReport(**own, measures=measures)
