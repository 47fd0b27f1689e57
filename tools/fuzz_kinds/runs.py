"""Folders of runs, checkpoints, grids and experiment files, as `umml` reads them again."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cmh_data
import numpy as np
from cmh_train import load_model
from fuzz import Kind, change_json, change_npz, register
from rich.console import Console
from umml_cli.commands.evaluate import evaluate_run
from umml_cli.grid.experiment import read_experiment
from umml_cli.grid.planning import RunState, plan_table
from umml_cli.grid.reproduction import Reproduction
from umml_cli.inputs.data_sources import open_sources
from umml_cli.inputs.method_options import method_config
from umml_cli.report.gallery import look_up
from umml_cli.report.latex_table import to_latex
from umml_cli.report.paper_tables import paper_tables
from umml_cli.report.run_details import compare_runs, describe_run
from umml_cli.report.run_table import result_table
from umml_cli.report.table_formats import to_csv, to_markdown
from umml_cli.results.series import collect, runs_csv, summary_csv
from umml_cli.runs.cells import Cell
from umml_cli.runs.perform import perform
from umml_cli.runs.precision import PrecisionChoice
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RUNS, RunStore

if TYPE_CHECKING:
    from cmh_data import PairedDataset
    from umml_cli.runs.events import RunEvent

TOML = """title = "small"
data = ["small"]
table = "cells"
[methods.jdsh]
preset = "small"
options = { batch_size = 10, epochs = 2, bits = 16 }
[cells]
paired = [0]
UI = [20]
"""


class Stopped(Exception):  # noqa: N818 - an interruption
    """A training that is to leave a checkpoint."""


@cache
def small() -> PairedDataset:
    """Forty items, the same for every input."""
    return cmh_data.simulate(n=40, image_width=6)


def specification(cell: Cell) -> RunSpecification:
    """A run that takes a moment."""
    config = method_config("jdsh", preset="small", options={"batch_size": 10, "epochs": 3, "bits": 16})
    dataset = small()
    return RunSpecification.of(
        "jdsh", config, method_version="1", dataset=dataset.name, data_digest=dataset.digest, cell=cell,
        seed=0, evaluate_every=1,
    )  # fmt: skip


def make_run(folder: Path) -> None:
    """Two complete runs."""
    for cell in (Cell.of("paired"), Cell.of("UI", 20)):
        perform(specification(cell), small(), store=RunStore(folder), on_event=lambda _: None)
    for path in folder.rglob(".*"):
        path.unlink()


def read_runs(folder: Path) -> None:
    """List, show, compare, score and sum up."""
    store = RunStore(folder)
    screen = Console(file=io.StringIO())
    results = []
    for run in store.folders():
        str(RunState.of(run.read_specification(), run))
        screen.print(describe_run(run))
        result = run.read_result()
        if result is not None:
            screen.print(result_table(result))
            codes = RunCodes.load(run.codes)
            look_up(small(), codes)
            evaluate_run(codes, run.path, {"n_resample": 20, "threads": 1, "backend": "numpy"})
            results.append(result)
    screen.print(compare_runs(*list(store.folders())[:2]))
    for series in collect(results, store=store):
        for cell in series.cells:
            series.is_not_significant(cell, Cell.of("paired"), "i2t")
    summary_csv(collect(results, store=store))
    runs_csv(results)


def make_checkpoint(folder: Path) -> None:
    """A run that was stopped in its second epoch."""

    def stop(event: RunEvent) -> None:
        if getattr(event, "epoch", 0) == 2:
            raise Stopped

    with contextlib.suppress(Stopped):
        perform(
            specification(Cell.of("paired")),
            small(),
            store=RunStore(folder),
            on_event=stop,
            checkpoint_minutes=0,
        )
    for path in folder.rglob(".lock"):
        path.unlink()


def resume(folder: Path) -> None:
    """Train on from what is there; what is left there to try once more, is no leftover."""
    before = set(folder.rglob("*"))
    try:
        perform(specification(Cell.of("paired")), small(), store=RunStore(folder), on_event=lambda _: None)
    finally:
        for path in set(folder.rglob("*")) - before:
            if path.suffix != ".partial":
                path.unlink()


def make_choice(folder: Path) -> None:
    """A precision that was chosen."""
    choose_again(folder)
    for path in folder.rglob("*.lock"):
        path.unlink()


def choose_again(folder: Path) -> None:
    """Take the precision that stands there, or try."""
    choose = PrecisionChoice(RunStore(folder / "runs"), {small().name: small()}, say=lambda _: None)
    before = set(folder.rglob("*"))
    try:
        choose(specification(Cell.of("paired")))
    finally:
        for path in set(folder.rglob("*.lock")) - before:
            path.unlink()


def make_grid(folder: Path) -> None:
    """A grid that was planned."""
    (folder / "grid.toml").write_text(TOML)
    path = folder / "small.npz"
    dataset = small()
    np.savez(
        path, image=np.asarray(dataset.image[:]), text=np.asarray(dataset.text[:]), labels=dataset.label,
        train=dataset.split.train, query=dataset.split.query,
    )  # fmt: skip
    sources = open_sources([f"small={path}"])
    Reproduction.of({"grid": read_experiment(folder / "grid.toml")}, sources).save(folder)
    path.unlink()


def read_grid(folder: Path) -> None:
    """Plan it, and write the tables that it can show."""
    found = Reproduction.load(folder)
    Console(file=io.StringIO()).print(plan_table(found, out=folder, n_workers=1))
    results = list(RunStore(folder / RUNS).results(found.specifications))
    for name, experiment in found.experiments.items():
        for table in paper_tables(name, experiment, collect(results), label_names={}):
            for render in (to_csv, to_latex, to_markdown):
                render(table)


def read_toml(folder: Path) -> None:
    """Read it, and lay out its cells."""
    read_experiment(folder / "grid.toml").grid()


def encode(folder: Path) -> None:
    """Load the models of both runs and encode with them."""
    for run in RunStore(folder).folders():
        model = load_model(run.path)
        model.encode_images(small().image[:3])
        model.encode_texts(small().text[:3])


with tempfile.TemporaryDirectory() as warm:  # compiles kernels and keeps them, which is no doing of an input
    make_run(Path(warm))
    read_runs(Path(warm))
register(
    Kind(name="run-codes", make=make_run, feed=read_runs, files="codes.npz", change=change_npz),
    Kind(name="run-precision", make=make_run, feed=read_runs, files="precision.npz", change=change_npz),
    Kind(name="run-metrics", make=make_run, feed=read_runs, files="metrics.jsonl"),
    Kind(name="run-result", make=make_run, feed=read_runs, files="result.json", change=change_json),
    Kind(
        name="run-specification",
        make=make_run,
        feed=read_runs,
        files="specification.json",
        change=change_json,
    ),
    Kind(name="run-checkpoint", make=make_checkpoint, feed=resume, files="checkpoint.safetensors"),
    Kind(
        name="run-evaluations",
        make=make_checkpoint,
        feed=resume,
        files="evaluations.json",
        change=change_json,
    ),
    Kind(name="run-interrupted", make=make_checkpoint, feed=resume, files="metrics.jsonl"),
    Kind(
        name="run-choice",
        make=make_choice,
        feed=choose_again,
        files="precision-*.json",
        change=change_json,
    ),
    Kind(name="grid-json", make=make_grid, feed=read_grid, files="grid.json", change=change_json),
    Kind(name="grid-toml", make=make_grid, feed=read_toml, files="grid.toml"),
    Kind(name="model-json", make=make_run, feed=encode, files="model.json", change=change_json),
    Kind(name="model-weights", make=make_run, feed=encode, files="weights.safetensors"),
)
