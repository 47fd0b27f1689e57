"""`umml evaluate`: score the codes of a run, or codes that come from anywhere."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from umml_cli.commands.code_cures import option_that_reads
from umml_cli.commands.evaluate_shards import evaluate_shards
from umml_cli.commands.search_options import (
    BackendChoice,
    BackendOption,
    CombineChoice,
    CombineOption,
    NprobeOption,
    RerankOption,
)
from umml_cli.console import make_console
from umml_cli.errors import UserError, refuse

if TYPE_CHECKING:
    from umml_cli.runs.run_codes import RunCodes


class Format(StrEnum):
    """How the scores are printed."""

    table = "table"
    json = "json"
    markdown = "markdown"
    latex = "latex"


class Ties(StrEnum):
    """Order of equal distances."""

    expected = "expected"
    best = "best"
    worst = "worst"
    by_row = "index"


class NoRelevant(StrEnum):
    """What a query without a relevant item counts."""

    zero = "zero"
    skip = "skip"
    skip_no_hit = "skip-no-hit"


class CodeValues(StrEnum):
    """What the values of codes mean."""

    auto = "auto"
    signed = "signed"
    binary = "binary"


class BitOrder(StrEnum):
    """Which bit of a byte is the first."""

    little = "little"
    big = "big"


CODES_HELP = "npy, npz, mat (also 7.3) or h5, as PATH or PATH:KEY; a row for each item. Or packed codes."
LABELS_HELP = (
    "PATH or PATH:KEY; a table of 0 and 1, or of -1 and +1; or one class number or class name an item."
)


def one_run(runs: list[Path] | None, shards: list[str] | None) -> Path | None:
    """The run that is named, if one is; several, or one beside shards, are refused with the cure."""
    if runs and shards:
        raise UserError(
            f"{runs[0]} is given beside --shards, which are the whole database; write --shards before each "
            "file, or quote a pattern: --shards 'part-*.npz'."
        )
    if runs is not None and len(runs) > 1:
        raise UserError(
            f"One run is scored at a time, but {len(runs)} are given; compare two with --versus, or see the "
            "mAP of all with `umml runs list`."
        )
    return runs[0] if runs else None


def keep_what_is_no_report(out: Path | None) -> None:
    """Refuse to replace a file that no evaluation wrote, such as the codes that are scored."""
    from cmh_metrics import RetrievalReport

    if out is None or not out.is_file():
        return
    try:
        RetrievalReport.from_json(out.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{out} is not a report of umml evaluate; give --out another name.") from None


def evaluate(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]", help="A run folder made by umml.")
    ] = None,
    query_codes: Annotated[str | None, typer.Option(help=CODES_HELP)] = None,
    database_codes: Annotated[str | None, typer.Option(help=CODES_HELP)] = None,
    query_labels: Annotated[str | None, typer.Option(help=LABELS_HELP)] = None,
    database_labels: Annotated[str | None, typer.Option(help=LABELS_HELP)] = None,
    definition: Annotated[
        str,
        typer.Option(
            metavar="all|min@K|retrieved@K|relevant@K|first-relevant@K",
            help="Which mAP: all (the whole ranking), or min@K, retrieved@K, relevant@K, first-relevant@K: "
            "what the sum of precisions is divided by; first-relevant counts the first K relevant items. "
            "Also as a report prints it: 'retrieved@50, ties index'.",
        ),
    ] = "all",
    ties: Annotated[Ties | None, typer.Option(help="Order of equal distances, expected by default.")] = None,
    no_relevant: Annotated[
        NoRelevant | None,
        typer.Option(
            help="Queries without a relevant item, scored as 0 by default; skip-no-hit also skips those "
            "without one among the first K."
        ),
    ] = None,
    code_values: Annotated[
        CodeValues,
        typer.Option(
            help="What a 0 in the files means: binary (0 and 1), signed (0 counts as +1), or auto: what each "
            "file holds, and an error where that can't be told."
        ),
    ] = CodeValues.auto,
    threshold: Annotated[
        float | None,
        typer.Option(help="Values from this one on are 1, the others 0; 0.5 for sigmoid outputs."),
    ] = None,
    packed: Annotated[
        int | None,
        typer.Option(help="Code length in bits, of codes packed into bytes or into words of up to 64 bits."),
    ] = None,
    bitorder: Annotated[
        BitOrder,
        typer.Option(
            help="With --packed: whether the first bit of a code is the least (little: faiss) or the most "
            "(big: numpy.packbits) significant of its byte."
        ),
    ] = BitOrder.little,
    exclude_self: Annotated[
        bool,
        typer.Option(
            "--exclude-self", help="Query i is row i of the database; leave it out of its own ranking."
        ),
    ] = False,
    instance_recall: Annotated[
        bool,
        typer.Option(
            "--instance-recall",
            help="Row i of the database is the partner of query i: also report how often it is found.",
        ),
    ] = False,
    index: Annotated[
        Path | None,
        typer.Option(help="Score searches in this index, made by the model RUN."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="With --index: the data set whose query rows are the queries.")
    ] = None,
    combine: CombineOption = CombineChoice.NEAREST,
    rerank: RerankOption = None,
    label: Annotated[
        list[str] | None, typer.Option(help="With --index: only items with this label; repeatable.")
    ] = None,
    backend: BackendOption = BackendChoice.EXACT,
    nprobe: NprobeOption = None,
    shards: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="In place of --database-codes and --database-labels, part of a database: an npz or HDF5 "
            "file with arrays codes and labels, or a TOML list of shards; repeatable; 'part-*.npz' "
            "matches several.",
        ),
    ] = None,
    query_ids: Annotated[
        str | None,
        typer.Option(help="With --shards that have ids: leave rows with a query's id out of its ranking."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="With --shards: how many are scored at a time; one for each core."),
    ] = None,
    executor: Annotated[
        str, typer.Option(help="With --shards: local, ray, or ray:ADDRESS of a cluster.")
    ] = "local",
    versus: Annotated[Path | None, typer.Option(help="Another run folder: test the difference.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
    out: Annotated[Path | None, typer.Option(help="Also write the full report as JSON.")] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            help="Folder to draw precision-recall and top-N precision in, as PNG, SVG and PDF; of both runs "
            "with --versus."
        ),
    ] = None,
) -> None:
    """Score binary codes by every measure, with a 95% CI over the queries and the bounds of ties.

    A run on data without labels is scored by whether a query finds its own item.

    Example: umml evaluate runs/0123456789abcdef --definition retrieved@50

    Example: umml evaluate runs/0123456789abcdef --versus runs/fedcba9876543210 --figures curves

    Example: umml evaluate model --index model/index --data emoji --rerank 10

    Example: umml evaluate --query-codes c.mat:qB --database-codes c.mat:rB
    --query-labels c.mat:qL --database-labels c.mat:rL

    Example: umml evaluate --query-codes q.npy --query-labels ql.npy --shards 'part-*.npz'
    """
    from dataclasses import asdict, replace

    from cmh_metrics import Definition

    from umml_cli.runs.files import write_text

    run = one_run(runs, shards)
    keep_what_is_no_report(out)
    files = {
        "query_codes": query_codes,
        "query_labels": query_labels,
        "database_codes": database_codes,
        "database_labels": database_labels,
    }
    in_shards = {
        "--query-ids": query_ids, "--workers": workers, "--executor": executor != "local",
    }  # fmt: skip
    refuse({} if shards else in_shards, "is for a database in shards; give --shards too")
    if index is not None or data is not None:
        if run is None or index is None or data is None or any(files.values()):
            raise UserError(
                "Searches are scored with a model, --index and --data, and without files of codes."
            )
        others = {
            "--definition": definition != "all", "--ties": ties, "--no-relevant": no_relevant,
            "--code-values": code_values is not CodeValues.auto, "--threshold": threshold is not None,
            "--packed": packed is not None, "--bitorder": bitorder is not BitOrder.little,
            "--exclude-self": exclude_self, "--instance-recall": instance_recall, "--versus": versus,
            "--format": format_ is not Format.table, "--out": out, "--figures": figures, "--shards": shards,
        }  # fmt: skip
        refuse(others, "is not for searches in an index; leave it out, or --index")
        show_search_scores(
            run, index, data,
            combine=combine.value, rerank=rerank, labels=label, backend=backend.value, nprobe=nprobe,
        )  # fmt: skip
        return
    searching = {
        "--combine": combine is not CombineChoice.NEAREST, "--rerank": rerank, "--label": label,
        "--backend": backend is not BackendChoice.EXACT, "--nprobe": nprobe,
    }  # fmt: skip
    refuse(searching, "is for searches in an index; give --index and --data too")
    if versus is not None and run is None:
        raise UserError("--versus compares two run folders; give the first one too.")
    named = Definition.parse(definition)
    given: dict[str, Any] = {"ties": ties and ties.value, "no_relevant": no_relevant and no_relevant.value}
    options = asdict(replace(named, **{name: value for name, value in given.items() if value}))
    if packed is None:
        refuse(
            {"--bitorder": bitorder is not BitOrder.little}, "is the order in packed codes; give --packed too"
        )
    tests = None
    if shards:
        elsewhere = {
            "--database-codes": database_codes, "--database-labels": database_labels, "--versus": versus,
            "--packed": packed is not None, "--exclude-self": exclude_self,
        }  # fmt: skip
        refuse(elsewhere, "does not go with --shards, which are the database; leave one of them out")
        report = evaluate_shards(
            shards,
            {"query_codes": query_codes, "query_labels": query_labels},
            query_ids=query_ids,
            workers=workers,
            executor=executor,
            options=options | read_as(code_values, threshold, instance_recall=instance_recall),
            figures=figures,
        )
    elif run is not None and not any(files.values()):
        of_files = {
            "--instance-recall": instance_recall, "--exclude-self": exclude_self,
            "--threshold": threshold is not None, "--packed": packed is not None,
            "--code-values": code_values is not CodeValues.auto,
        }  # fmt: skip
        refuse(
            of_files,
            "is for codes from files; those of a run are packed, and its queries are not in its database",
        )
        report, tests = evaluate_runs(run, versus, options)
    elif run is None and all(files.values()):
        options |= read_as(code_values, threshold, instance_recall=instance_recall)
        options["exclude_self"] = exclude_self
        report = evaluate_files(
            {name: location for name, location in files.items() if location},
            packed=packed,
            bitorder=bitorder.value,
            options=options,
        )
    else:
        raise UserError(
            "Give a run folder, or --query-codes, --database-codes, --query-labels and --database-labels."
        )
    if figures is not None and not shards:
        draw(figures, [one for one in (run, versus) if one], files, (packed, bitorder.value), options)
    if out is not None:
        write_text(out, report.to_json(tests=tests))
    show(report, tests, format_)


def read_as(code_values: CodeValues, threshold: float | None, *, instance_recall: bool) -> dict[str, Any]:
    """Say how codes from files are read, and which items are right, as `cmh_metrics.evaluate` takes it."""
    targets = "rows" if instance_recall else None
    return {"code_values": code_values.value, "threshold": threshold, "targets": targets}


def show_search_scores(
    model: Path,
    index: Path,
    data: str,
    *,
    combine: Any,
    rerank: int | None,
    labels: list[str] | None,
    backend: Any,
    nprobe: int | None,
) -> None:
    """Print what searches in an index find for the query rows of a data set, beside the exact ranking."""
    from rich.table import Table

    from umml_cli.search.collection import open_collection
    from umml_cli.search.index_scores import score_searches
    from umml_cli.search.open_searcher import open_searcher
    from umml_cli.terms import TASK_TITLES

    searcher = open_searcher(model, index, backend=backend, probes=nprobe)
    assert searcher.model is not None
    queries = open_collection(data, searcher.model, rows="query")
    table = Table("searches", "queries", "mAP", "mAP@50", "nDCG@10", "recall@10", "ms a query")
    for scores in score_searches(searcher, queries, combine=combine, rerank=rerank, labels=labels):
        table.add_row(
            f"{TASK_TITLES[scores.task]}, {scores.way}",
            str(scores.n_query),
            "" if scores.map is None else f"{scores.map:.4f}",
            f"{scores.map_at_50:.4f}",
            f"{scores.ndcg_at_10:.4f}",
            "" if scores.recall_at_10 is None else f"{scores.recall_at_10:.4f}",
            f"{1000 * scores.seconds:.2f}",
        )
    console = make_console()
    console.print(table)
    console.print(
        f"{len(searcher.index)} items, combine {combine}. mAP: the whole ranking, ties expected; mAP@50: "
        "sums of precisions over the relevant items among the first 50, equal distances by row; nDCG@10, "
        "gain 2^g - 1 for g shared labels; queries without a relevant item are scored as 0; recall@10: of "
        "the ten nearest codes.",
        soft_wrap=True,
    )


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
            console = make_console()
            console.print(report_table(report))
            for note in report.notes():
                console.print(note, soft_wrap=True)
            if tests is not None:
                console.print(comparison_table(tests))


def draw(
    to: Path,
    runs: list[Path],
    locations: dict[str, Any],
    packing: tuple[int | None, Any],
    options: dict[str, Any],
) -> None:
    """Draw the curves of runs, or of the one task that four files describe."""
    from umml_cli.report.figures.code_figures import draw_codes, draw_runs

    if runs:
        draw_runs(runs, to)
    else:
        arrays, _ = read_files(locations, *packing)
        reading = {name: options[name] for name in ("code_values", "threshold", "exclude_self")}
        draw_codes(to, **arrays, **reading)


def codes_of(folder: Path) -> RunCodes:
    """The codes of a run folder."""
    from umml_cli.runs.run_codes import RunCodes
    from umml_cli.runs.store import RunFolder

    path = RunFolder(folder).codes
    if not path.exists():
        raise UserError(f"{folder} holds no codes.npz; give the folder of a finished run.")
    return RunCodes.load(path)


def evaluate_runs(run: Path, versus: Path | None, options: dict[str, Any]) -> tuple[Any, Any]:
    """Report on a run, and test its difference from another one if there is one."""
    codes = codes_of(run)
    report = evaluate_run(codes, run, options)
    if versus is None:
        return report, None
    other = evaluate_run(same_items(codes, run, versus), versus, options)
    return report, report.compare(other)


def evaluate_run(codes: RunCodes, folder: Path, options: dict[str, Any]) -> Any:
    """Report on both tasks of a run, by its codes."""
    import cmh_metrics

    if not codes.query_labels.shape[1]:
        return evaluate_own_items(codes, folder, options)
    reports = {}
    for task, title in (("i2t", "image-to-text"), ("t2i", "text-to-image")):
        asks = codes.asks(task)
        query_codes, database_codes = codes.task_codes(task)
        if not asks.all():
            side = "an image" if task == "i2t" else "a text"
            lack = f"{int((~asks).sum())} of {len(asks)} queries lack {side} and are left out of {title}"
            print(f"Note: {lack}.", file=sys.stderr)  # noqa: T201
        reports[title] = cmh_metrics.evaluate(
            task=title,
            query_codes=query_codes[asks],
            database_codes=database_codes,
            query_labels=codes.query_labels[asks],
            database_labels=codes.retrieval_labels,
            **options,
        )
    first = reports["image-to-text"]
    tasks = {title: report[title] for title, report in reports.items()}
    return cmh_metrics.RetrievalReport(tasks, first.definition, first.provenance)


def same_items(codes: RunCodes, run: Path, versus: Path) -> RunCodes:
    """The codes of another run; refuse one that was asked other queries, or ranked other items."""
    import numpy as np

    other = codes_of(versus)
    for kind in ("query", "retrieval"):
        for name in ("rows", "labels", "image_present", "text_present"):
            if not np.array_equal(*(getattr(one, f"{kind}_{name}") for one in (codes, other))):
                raise UserError(
                    f"The {kind} rows of {run} and {versus} are not the same, or have other labels or gaps; "
                    "--versus tests the difference of runs on the same items."
                )
    return other


def evaluate_own_items(codes: Any, folder: Path, options: dict[str, Any]) -> Any:
    """Report on a run without labels: of all complete query rows, a query's own item is the relevant one."""
    import cmh_metrics
    import numpy as np

    from umml_cli.runs.own_items import CUTS, describe_own_items, own_items_known
    from umml_cli.runs.store import OWN_ITEMS
    from umml_cli.terms import TASK_TITLES

    known = own_items_known(codes)
    n = int(known.sum())
    if not n:
        raise UserError(f"No query of {folder} has both an image and a text, and there are no labels.")
    left_out = "" if known.all() else f"; {len(known) - n} queries without one are left out"
    print(f"Note: {OWN_ITEMS}{left_out}.", file=sys.stderr)  # noqa: T201
    for task, found in describe_own_items(codes).items():
        recall = ", ".join(f"recall@{k} {found[f'recall@{k}']:.4f}" for k in CUTS)
        line = f"{TASK_TITLES[task]}: {recall}, median rank {found['median rank']:g} of {n}"
        print(line, file=sys.stderr)  # noqa: T201
    sides = {"image": codes.query_image[known], "text": codes.query_text[known]}
    own = np.eye(n, dtype=np.uint8)
    return cmh_metrics.evaluate(
        query_codes=sides,
        database_codes=sides,
        query_labels=own,
        database_labels=own,
        targets="rows",
        ks=CUTS,
        **options,
    )


def read_files(
    locations: dict[str, str], packed: int | None, bitorder: Any
) -> tuple[dict[str, Any], list[str]]:
    """Read the four files of one task, and say which were turned."""
    from umml_cli.inputs.foreign_codes import Packing, read_arrays, read_label_lists

    arrays, turned = read_arrays(locations, None if packed is None else Packing(packed, bitorder))
    return arrays | read_label_lists(arrays["query_labels"], arrays["database_labels"]), turned


def evaluate_files(
    locations: dict[str, str], *, packed: int | None, bitorder: Any, options: dict[str, Any]
) -> Any:
    """Report on the one task that four files describe."""
    import cmh_metrics

    if packed is not None and options["threshold"] is not None:
        raise UserError("--packed and --threshold read the codes in different ways; give one of them.")
    arrays, turned = read_files(locations, packed, bitorder)
    if turned:
        print(f"Note: transposed to a row for each item: {', '.join(turned)}.", file=sys.stderr)  # noqa: T201
    with option_that_reads():
        report = cmh_metrics.evaluate(**arrays, **options)
    if turned:
        report.provenance["turned"] = ", ".join(turned)
    return report
