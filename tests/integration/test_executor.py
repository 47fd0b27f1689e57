"""Workers that die: their runs go on, and one that kills every worker is given up alone."""

import multiprocessing

import pytest
from killing import Killer
from small_grid import prepare
from umml_cli.errors import UserError
from umml_cli.grid.experiment import read_experiment
from umml_cli.grid.local_executor import LocalExecutor
from umml_cli.grid.specify import specify
from umml_cli.grid.worker import GridSettings
from umml_cli.inputs.data_sources import open_sources
from umml_cli.runs.store import RunStore


@pytest.fixture
def grid(tmp_path):
    """A run without end, a long one, two short ones, and what they have in common."""
    prepare(tmp_path)
    sources = open_sources([f"small={tmp_path / 'small.npz'}"])
    experiment = read_experiment(tmp_path / "grid.toml").model_copy(
        update={"cells": {"paired": (0.0,)}, "seeds": 1}
    )
    runs = [
        next(specify(experiment, sources, overrides={"": {"epochs": epochs}}, evaluate_every=0))
        for epochs in (10**6, 40, 1, 2)
    ]
    settings = GridSettings(
        root=str(tmp_path / "runs"), locations={"small": sources["small"].location}, checkpoint_minutes=0
    )
    return runs, settings, RunStore(tmp_path / "runs")


def test_only_the_run_whose_worker_always_dies_is_marked_as_failed(grid, monkeypatch):
    monkeypatch.setattr(
        "umml_cli.grid.local_executor.MAX_LOST_WORKERS", 2
    )  # starting workers is what takes time here
    (endless, long, *short), settings, store = grid
    killer = Killer(endless, store.folder(endless).path, beside=[long.run_id])
    LocalExecutor(workers=2).run_all([endless, long, *short], settings, killer)
    assert killer.kills == 2
    assert killer.failed == {endless.run_id: "its worker process died 2 times; is there enough memory?"}
    assert {*killer.finished} == {run.run_id for run in (long, *short)}
    assert store.folder(endless).failure.read_text().startswith("its worker process died 2 times")
    assert all(store.folder(run).read_result() for run in (long, *short))
    assert not multiprocessing.active_children()


def test_workers_that_die_before_they_take_up_a_run_end_the_grid(grid, monkeypatch):
    (*_, run), settings, _ = grid
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that a worker for CUDA cannot even start
    with pytest.raises(UserError, match="died 3 times before they took up a run"):
        LocalExecutor(workers=1, device="cuda").run_all([run], settings, lambda _: None)
