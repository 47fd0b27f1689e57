"""`umml evaluate`: score the codes of a run, or codes that come from anywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console


class Format(StrEnum):
    """How the scores are printed."""

    table = "table"
    json = "json"
    markdown = "markdown"
    latex = "latex"


CODES_HELP = "npy, npz, mat (also 7.3) or h5, as PATH or PATH:KEY; a row for each item. Or packed codes."


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="A run folder made by umml.")] = None,
    query_codes: Annotated[str | None, typer.Option(help=CODES_HELP)] = None,
    database_codes: Annotated[str | None, typer.Option(help=CODES_HELP)] = None,
    query_labels: Annotated[str | None, typer.Option(help="Zeros and ones; PATH or PATH:KEY.")] = None,
    database_labels: Annotated[str | None, typer.Option(help="Zeros and ones; PATH or PATH:KEY.")] = None,
    definition: Annotated[
        str,
        typer.Option(
            help="Which mAP: all (the whole ranking), or min@K, retrieved@K, relevant@K, first-relevant@K: "
            "what the sum of precisions is divided by; first-relevant counts the first K relevant items. "
            "Also as a report prints it: 'retrieved@50, ties index'."
        ),
    ] = "all",
    ties: Annotated[
        str | None, typer.Option(help="Order of equal distances: expected (default), best, worst, index.")
    ] = None,
    code_values: Annotated[
        str,
        typer.Option(
            help="What a 0 in the files means: binary (0 and 1), signed (0 counts as +1), or auto: what each "
            "file holds, and an error where that can't be told."
        ),
    ] = "auto",
    instance_recall: Annotated[
        bool,
        typer.Option(
            "--instance-recall",
            help="Row i of the database files is the right item of query i: adds how often it is found.",
        ),
    ] = False,
    no_relevant: Annotated[
        str | None,
        typer.Option(
            help="Queries without a relevant item: zero (default), skip, or skip-no-hit (skips also those "
            "without one among the first K)."
        ),
    ] = None,
    versus: Annotated[Path | None, typer.Option(help="Another run folder: test the difference.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
    out: Annotated[Path | None, typer.Option(help="Also write the full report as JSON.")] = None,
) -> None:
    """Score binary codes by every measure, with a 95 % interval over the queries and the bounds of ties.

    Example: umml evaluate runs/0123456789abcdef --definition retrieved@50

    Example: umml evaluate --query-codes c.mat:qB --database-codes c.mat:rB
    --query-labels c.mat:qL --database-labels c.mat:rL
    """
    from dataclasses import asdict, replace

    from cmh_metrics import Definition

    from umml_cli.errors import UserError
    from umml_cli.runs.files import write_text

    files = (query_codes, database_codes, query_labels, database_labels)
    if versus is not None and run is None:
        raise UserError("--versus compares two run folders; give the first one too.")
    named = Definition.parse(definition)
    options = asdict(replace(named, ties=ties or named.ties, no_relevant=no_relevant or named.no_relevant))
    if run is not None and not any(files):
        if instance_recall:
            raise UserError(
                "--instance-recall is for codes from files; the queries of a run are not in its database."
            )
        report = evaluate_run(run, options)
    elif run is None and all(files):
        options |= {"code_values": code_values, "targets": "rows" if instance_recall else None}
        report = evaluate_files(*(text for text in files if text is not None), options=options)
    else:
        raise UserError(
            "Give a run folder, or --query-codes, --database-codes, --query-labels and --database-labels."
        )
    tests = None if versus is None else report.compare(evaluate_run(versus, options))
    if out is not None:
        write_text(out, report.to_json(tests=tests))
    show(report, tests, format_)


def show(report: Any, tests: Any, format_: Format) -> None:
    """Print a report, and the tests against another one if there are any."""
    from umml_cli.report.score_tables import comparison_table, report_table

    match format_:
        case Format.json:
            print(report.to_json(tests=tests), end="")  # noqa: T201 - for programs, without a terminal's breaks
        case Format.markdown:
            print(report.to_markdown(tests=tests), end="")  # noqa: T201
        case Format.latex:
            print(report.to_latex(tests=tests), end="")  # noqa: T201
        case Format.table:
            console = Console(highlight=False)
            console.print(report_table(report))
            if tests is not None:
                console.print(comparison_table(tests))


def evaluate_run(folder: Path, options: dict[str, Any]) -> Any:
    """Report on both tasks of a run folder."""
    import cmh_metrics

    from umml_cli.errors import UserError
    from umml_cli.runs.run_codes import RunCodes
    from umml_cli.runs.store import RunFolder

    path = RunFolder(folder).codes
    if not path.exists():
        raise UserError(f"{folder} holds no codes.npz; give the folder of a finished run.")
    codes = RunCodes.load(path)
    return cmh_metrics.evaluate(
        query_codes={"image": codes.query_image, "text": codes.query_text},
        database_codes={"image": codes.retrieval_image, "text": codes.retrieval_text},
        query_labels=codes.query_labels,
        database_labels=codes.retrieval_labels,
        **options,
    )


def evaluate_files(
    query_codes: str, database_codes: str, query_labels: str, database_labels: str, *, options: dict[str, Any]
) -> Any:
    """Report on the one task that four files describe."""
    import cmh_metrics

    from umml_cli.inputs.foreign_codes import read_side

    query = read_side("query", query_codes, query_labels)
    database = read_side("database", database_codes, database_labels)
    return cmh_metrics.evaluate(
        query_codes=query.codes,
        database_codes=database.codes,
        query_labels=query.labels,
        database_labels=database.labels,
        **options,
    )
