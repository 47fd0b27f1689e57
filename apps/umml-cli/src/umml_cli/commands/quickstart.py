"""`umml quickstart`: the paper's main question on the built-in data, in about two minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umml_cli.console import make_console


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for runs, table, figure and report.")] = Path(
        "umml-quickstart"
    ),
    seeds: Annotated[
        int, typer.Option(min=1, help="Repetitions; more than one gives mean and deviation.")
    ] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; one for each core if not given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[METHOD.]NAME=VALUE", help="Change an option of the method."),
    ] = None,
) -> None:
    """Train DADH on emoji with all pairs, unpaired and discarded, and report the loss in mAP.

    Interrupted at any moment and started again, it continues and ends with the same table.

    Example: umml quickstart --seeds 3 --out my-first-run
    """
    import cmh_data

    from umml_cli.grid.execution import run_grid
    from umml_cli.grid.experiment import built_in_experiment
    from umml_cli.grid.local_executor import LocalExecutor
    from umml_cli.grid.specify import specify
    from umml_cli.inputs.data_sources import DataSource
    from umml_cli.inputs.method_options import options_of
    from umml_cli.report.outputs import write_outputs
    from umml_cli.report.terminal_tables import series_tables
    from umml_cli.runs.files import folder_lock
    from umml_cli.runs.store import RUNS, RunStore

    console = make_console()
    executor = LocalExecutor(workers)
    executor.prepare()
    sources = {"emoji": DataSource(location="emoji", dataset=cmh_data.load("emoji"))}
    experiment = built_in_experiment("quickstart").model_copy(update={"seeds": seeds})
    specifications = list(specify(experiment, sources, overrides={"": options_of(set_ or [], "dadh")}))
    with folder_lock(out):
        failed = run_grid(specifications, sources=sources, out=out, console=console, executor=executor)
        if failed:
            raise failed
        results = list(RunStore(out / RUNS).results(specifications))
        datasets = {name: source.dataset for name, source in sources.items()}
        for series in write_outputs(experiment.title, results, datasets=datasets, out=out).series:
            for table in series_tables(series, console.width):
                console.print(table)
    console.print(
        f"Report: {out / 'report.html'}    Numbers: {out / 'summary.csv'}    Figure: {out / 'figures'}",
        soft_wrap=True,
    )
