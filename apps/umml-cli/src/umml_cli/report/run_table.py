"""The table of one run, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from umml_cli.runs.progress import format_seconds
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from umml_cli.runs.store import RunResult


def result_table(result: RunResult) -> Table:
    """One run: its mAP in both tasks."""
    spec = result.specification
    pairs = result.training_pairs
    table = Table(title=spec.title, title_justify="left", caption=result.measure, caption_justify="left")
    table.add_column("task")
    table.add_column("mAP", justify="right")
    for task in TASKS:
        table.add_row(TASK_TITLES[task], f"{result.map[task]:.4f}")
    for task, found in (result.own_items or {}).items():
        table.add_section()
        for name, value in found.items():
            if name != "items":
                shown = f"{value:g} of {found['items']:g}" if name == "median rank" else f"{value:.4f}"
                table.add_row(f"{name}, {TASK_TITLES[task]}", shown)
    table.add_section()
    table.add_row("training rows kept", f"{pairs.get('kept', 0)} of {pairs.get('rows', 0)}")
    table.add_row("complete pairs", str(pairs.get("paired", 0)))
    for side, ranked in (result.database or {}).items():
        table.add_row(
            f"ranked {side}s with a learned code", f"{ranked.get('learned', 0)} of {sum(ranked.values())}"
        )
    for name, count in result.left_out.items():
        table.add_row(name, str(count))
    for side, counts in (result.donors or {}).items():
        if counts.get("missing"):
            served = f"{counts['missing'] - counts.get('without_donor', 0):g} of {counts['missing']:g}"
            table.add_row(f"missing {side}s completed by {spec.completion}", served)
    if "batch" in pairs:
        table.add_row("rows in a step", f"{pairs['batch']}, not {spec.batch_size}")
    table.add_row("training time", format_seconds(result.seconds.get("training", 0)))
    return table
