"""`umml runs`: what lies in a folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umml_cli.commands.parser import Command, Group
from umml_cli.console import make_console

runs = typer.Typer(
    cls=Group,
    help="List, show, compare and clean runs.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Output folder of umml train, quickstart or reproduce; if not given, the only one in the "
        "current folder.",
    ),
]


@runs.command("list", cls=Command)
def list_(out: Folder = None) -> None:
    """List every run with its state and mAP.

    Example: umml runs list --out umml-reproduce
    """
    from umml_cli.grid.planning import RunState
    from umml_cli.report.run_details import open_store
    from umml_cli.report.run_lists import runs_table

    found = {}
    for folder in open_store(out).folders():
        spec = folder.read_specification()
        found[folder.path.name] = (spec, folder.read_result(), str(RunState.of(spec, folder)))
    make_console().print(runs_table(found))


@runs.command(cls=Command)
def show(
    run: Annotated[str, typer.Argument(help="A run's name, or its beginning.")], out: Folder = None
) -> None:
    """Show one run: its mAP, specification, times and environment.

    Example: umml runs show 0123 --out umml-reproduce
    """
    from umml_cli.report.run_details import describe_run, find_run, open_store
    from umml_cli.report.run_table import result_table

    console = make_console()
    folder = find_run(open_store(out), run)
    result = folder.read_result()
    if result is not None:
        console.print(result_table(result))
    console.print(describe_run(folder))


@runs.command(cls=Command)
def compare(
    first: Annotated[str, typer.Argument(help="A run's name, or its beginning.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    out: Folder = None,
) -> None:
    """Compare two runs: what was specified differently, and whether their mAP differs significantly.

    Example: umml runs compare 0123 89ab --out umml-reproduce
    """
    from umml_cli.report.run_details import compare_runs, find_run, open_store

    store = open_store(out)
    make_console().print(compare_runs(find_run(store, first), find_run(store, second)))


@runs.command(cls=Command)
def export(
    run: Annotated[str, typer.Argument(help="A run's name or its beginning, or its folder.")],
    to: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of the model to write.")],
    out: Folder = None,
) -> None:
    """Write a run's trained model into a folder of its own: enough to encode new items anywhere.

    Example: umml runs export 0123 model --out umml-reproduce
    """
    from cmh_train import find_model, load_model, save_model

    from umml_cli.errors import UserError
    from umml_cli.report.run_details import find_run, open_store

    folder = Path(run)
    source = find_model(folder) if folder.is_dir() else find_run(open_store(out), run).path
    if source.resolve() == to.resolve():
        raise UserError(f"{to} is the run itself; choose another folder.")
    model = load_model(source)
    save_model(to, model.method, model.description)
    described = model.description
    encoders = ", ".join(f"{side}s by {one['name']}" for side, one in sorted(described.encoders.items()))
    make_console(soft_wrap=True).print(
        f"{to}: {described.method}, {model.bits} bits, reads {encoders or 'features only'}"
    )


@runs.command(cls=Command)
def tensorboard(
    out: Folder = None,
    to: Annotated[Path, typer.Option(help="Folder for TensorBoard's files.")] = Path("umml-tensorboard"),
) -> None:
    """Write the losses and mAP of every run for TensorBoard (extra: pip install 'umml-cli[tensorboard]').

    Example: umml runs tensorboard --to logs; tensorboard --logdir logs
    """
    from umml_cli.report.run_details import open_store
    from umml_cli.report.tensorboard import write_events

    n_runs = write_events(open_store(out), to)
    make_console().print(f"{n_runs} runs are in {to}; look at them with: tensorboard --logdir {to}")


@runs.command(cls=Command)
def clean(
    out: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only listed.")] = False,
) -> None:
    """Remove runs that are not complete, and what killed processes left behind. Complete runs stay.

    Example: umml runs clean --out umml-reproduce --yes
    """
    import shutil

    from umml_cli.report.run_details import leftovers, locked_folder, open_store
    from umml_cli.runs.files import folder_lock

    console = make_console()
    store = open_store(out)
    with folder_lock(locked_folder(store)):
        found = leftovers(store)
        for path in found:
            console.print(("Removed " if yes else "Would remove ") + str(path), soft_wrap=True)
            if yes:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not yes and found:
        console.print("Add --yes to remove them.")
    if not found:
        console.print("There is nothing to remove.")
