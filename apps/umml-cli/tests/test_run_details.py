import numpy as np
import pytest
from rich.console import Console
from umml_cli.grid.planning import RunState
from umml_cli.report.run_details import _differing, compare_runs, locked_folder
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RunStore


def store_run(root, result, **changes):
    base = {
        "dataset": "mine", "data_digest": "0", "method": "dadh", "method_version": "1",
        "bits": 64, "epochs": 3, "batch_size": 8, "options": {}, "cell": {}, "seed": 0,
    }  # fmt: skip
    spec = RunSpecification.model_validate(base | changes)
    folder = RunStore(root).open(spec)
    values = np.linspace(0.2, 0.8, 40)
    both = {"i2t": values, "t2i": values[::-1]}
    RunPrecision.of(both, both, np.ones((40, 1), dtype=np.uint8)).save(folder.precision)
    folder.result.write_text(result(spec).model_dump_json())
    return folder


@pytest.fixture
def result():
    from umml_cli.runs.store import BestEpoch, RunResult

    def make(spec):
        maps = {"i2t": 0.5, "t2i": 0.5}
        return RunResult(
            specification=spec, map=maps, best=BestEpoch(epoch=1, map=maps), definition="all, ties expected",
            epochs=1,
            seconds={}, training_pairs={}, plan_digest="0", environment={},
        )  # fmt: skip

    return make


def printed(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_only_runs_on_the_same_data_are_paired(tmp_path, result):
    first = store_run(tmp_path, result)
    assert "+0.0000 (+0.0000 to +0.0000, not significant)" in printed(
        compare_runs(first, store_run(tmp_path, result, seed=1))
    )
    other = printed(compare_runs(first, store_run(tmp_path, result, data_digest="1")))
    assert "+0.0000 (other data)" in other
    assert "significant" not in other


def test_options_of_either_run_alone_are_shown():
    first, second = {"bits": 64, "epochs": 3, "old": 1}, {"bits": 64, "epochs": 4, "new": None}
    assert _differing(first, second) == ({"epochs": 3, "old": 1}, {"epochs": 4, "new": None})


def test_the_lock_of_a_grid_is_found_from_its_runs(tmp_path, monkeypatch):
    runs = tmp_path / "out" / "runs"
    runs.mkdir(parents=True)
    assert locked_folder(RunStore(runs)) == runs  # of `umml train --out runs`
    (tmp_path / "out" / "grid.json").touch()
    assert locked_folder(RunStore(runs)) == tmp_path / "out"
    monkeypatch.chdir(tmp_path / "out")
    assert locked_folder(RunStore(runs.relative_to(tmp_path / "out"))) == tmp_path / "out"


def test_a_cut_last_line_is_no_epoch(tmp_path, result):
    folder = store_run(tmp_path, result)
    folder.metrics.write_text('{"epoch": 0, "seconds": 2.0}\n{"epoch": 1, "sec')
    assert folder.read_metrics() == [{"epoch": 0, "seconds": 2.0}]
    state = RunState.of(folder.read_specification(), folder)
    assert (state.epochs, state.seconds) == (1, 2.0)


def test_a_file_that_vanishes_beside_a_live_grid_weighs_nothing(tmp_path, result):
    folder = store_run(tmp_path, result)
    size = RunState.of(folder.read_specification(), folder).size
    (folder.path / ".codes.host.7.tmp.npz").symlink_to(tmp_path / "renamed meanwhile")
    assert RunState.of(folder.read_specification(), folder).size == size > 0
