"""The tables of an evaluation, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_metrics import PairedTest, RetrievalReport


def report_table(report: RetrievalReport) -> Table:
    """The measures of an evaluation, a column for each task."""
    tasks = list(report.tasks.values())
    table = Table("measure", *(task.task for task in tasks))
    for title, values in report.rows():
        table.add_row(title, *(Text(value, style="bold") if title == "mAP" else value for value in values))
    return table


def comparison_table(tests: Mapping[str, PairedTest]) -> Table:
    """The differences between two systems on the same queries."""
    table = Table("task", "difference of mAP", "p", title="first minus second", title_justify="left")
    for task, test in tests.items():
        table.add_row(task, f"{test.difference:+.4f}", f"{test.p_value:.4f}")
    return table
