"""Training without a single pair, beside methods for unpaired data (UMML paper, Table 8)."""

from __future__ import annotations

from umml_cli.report.paper_tables.table import (
    Exhibited,
    PaperTable,
    Row,
    database_remarks,
    difference_entry,
    line_label,
    line_of,
    plain_entry,
    published_remark,
    run_remarks,
    score_entry,
    table_lines,
)
from umml_cli.results.published import (
    BITS,
    published_unpaired,
)
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASK_TITLES, TASKS, method_title, split_label

QUOTED = {
    "amsh": "AMSH (learned database, all rows with their pairs shuffled)",
    "rucmh": "RUCMH (quoted)",
    "flexcmh": "FLEXCMH (quoted)",
}
"""How the rivals are called whose numbers are the paper's."""
NOT_RUN = "RUCMH and FlexCMH, which the paper quotes, are not run here: no program of them is public."
OWN_ROWS = "Without + UMML: needs no pairs; trained on the same rows, each modality on those that have it."


def unpaired_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return the one table of this kind."""
    name, experiment, shown = exhibited.name, exhibited.experiment, exhibited.shown
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    by_key = {(series.dataset, line_of(series)): series for series in shown}
    columns = [(dataset, task) for dataset in datasets for task in TASKS]
    cell = Cell.of("UIT", 100)
    printed = published_unpaired()
    shown_as_printed = {series.printed_dataset for series in shown}
    rows: list[Row] = []
    others = dict.fromkeys(
        method for method, dataset, _ in printed if "+" not in method and dataset in shown_as_printed
    )
    for method in others:
        values = [
            printed.get((method, *column)) if column[0] in shown_as_printed else None for column in columns
        ]
        title = QUOTED.get(method, method_title(method))
        rows.append(Row((title,), "published", tuple(plain_entry(value) for value in values)))
    for line in table_lines(shown):
        method, _, bits = line
        needs_pairs = not split_label(method)[1]
        label = (line_label(line, shown) + (" + UMML" if needs_pairs else ""),)
        ours, known, difference = [], [], []
        for dataset, task in columns:
            series = by_key.get((dataset, line))
            score = None if series is None else series.scores.get((cell, task))
            value = None
            if series is not None and bits == BITS:
                value = printed.get((f"{method}+umml", series.printed_dataset, task))
            ours.append(score_entry(series, cell, task))
            known.append(plain_entry(value))
            difference.append(difference_entry(score, value))
        rows.append(Row(label, "ours", tuple(ours), method, bits))
        if any(entry.value is not None for entry in known):
            rows += [
                Row(label, "published", tuple(known), method, bits),
                Row(label, "difference", tuple(difference), method, bits),
            ]
    titles = tuple((dataset, TASK_TITLES[task]) for dataset, task in columns)
    remarks = (
        *run_remarks(shown),
        "Reproduced: 50% of the images lose their text and 50% of the texts their image; no pair is left.",
        NOT_RUN,
        *([OWN_ROWS] if any(split_label(series.method)[1] for series in shown) else []),
        *database_remarks(shown),
        *published_remark(rows),
    )
    return [PaperTable(name, experiment.title, ("method",), titles, tuple(rows), remarks=remarks)]
