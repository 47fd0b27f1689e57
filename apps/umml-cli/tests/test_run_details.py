import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner
from umml_cli.grid.experiment import find_experiments
from umml_cli.grid.planning import RunState
from umml_cli.grid.reproduction import Reproduction
from umml_cli.inputs.data_sources import open_sources
from umml_cli.main import app
from umml_cli.report.run_details import compare_runs, describe_run, locked_folder
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


@pytest.mark.parametrize("change", [{"data_digest": "1"}, {"validation": 20}])
def test_only_runs_on_the_same_queries_are_paired(tmp_path, result, change):
    first = store_run(tmp_path, result)
    assert "+0.0000 (+0.0000 to +0.0000, not significant)" in printed(
        compare_runs(first, store_run(tmp_path, result, seed=1))
    )
    other = printed(compare_runs(first, store_run(tmp_path, result, **change)))
    assert "+0.0000 (other queries)" in other
    assert "significant" not in other


def test_options_of_either_run_alone_are_shown(tmp_path, result):
    first = store_run(tmp_path, result, options={"margin": 0.5, "old": [1, 2]})
    second = store_run(tmp_path, result, options={"margin": 0.25, "new": None}, cell={"unpaired_images": 20})
    lines = printed(compare_runs(first, second)).splitlines()
    rows = {
        line.split("│")[1].strip(): [part.strip() for part in line.split("│")[2:4]]
        for line in lines
        if "│" in line
    }
    assert rows["margin"] == ["0.5", "0.25"]
    assert rows["old"] == ["1, 2", ""]
    assert rows["new"] == ["", "-"]
    assert rows["training pairs"] == ["paired", "UI 20%"]
    assert "bits" not in rows


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


def invoke(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def test_a_list_of_runs_fits_80_columns_and_says_what_differs(tmp_path, result):
    for bits in (16, 32):
        for cell in ({}, {"unpaired_images": 30, "unpaired_text": 30}):
            store_run(tmp_path, result, bits=bits, cell=cell, dataset="wikipedia", options={"margin": 0.4})
    store_run(tmp_path, result, bits=16, dataset="wikipedia", options={"margin": 0.5})
    listed = invoke("runs", "list", "--out", tmp_path)
    assert max(map(len, listed.splitlines())) <= 80
    assert "All: method dadh, data set wikipedia, seed 0" in listed
    assert "…" not in listed
    assert listed.count("done") == 5
    rows = [line.split() for line in listed.splitlines() if "done" in line]
    assert sorted(row[1] for row in rows) == ["16", "16", "16", "32", "32"]
    assert sum("UIT 60%" in line for line in listed.splitlines()) == 2
    assert [line for line in listed.splitlines() if "margin 0.5" in line] != []
    assert sum("margin 0.4" in line for line in listed.splitlines()) == 1  # of the one with the same name


def test_a_run_is_shown_as_tables_without_python_dictionaries(tmp_path, result):
    options = {"layer_widths": [64, 32], "image_widths": None, "fine": True, "margin": 0.4}
    folder = store_run(tmp_path, result, options=options, cell={"unpaired_images": 20})
    shown = invoke("runs", "show", folder.path.name[:6], "--out", tmp_path)
    assert not set("{}[]'") & set(shown)
    for line in ("layer_widths 64, 32", "image_widths -", "fine yes", "training pairs UI 20%", "bits 64"):
        assert line in " ".join(shown.split())
    assert "best evaluated epoch 1: image → text 0.5000, text → image 0.5000" in " ".join(shown.split())


def test_an_incomplete_run_says_so_and_why(tmp_path, result):
    folder = store_run(tmp_path, result)
    folder.result.unlink()
    folder.failure.write_text("out of luck")
    shown = " ".join(printed(describe_run(folder)).split())
    assert "state not complete" in shown
    assert "failed out of luck" in shown


@pytest.mark.parametrize(
    "option", ["--selection paper", "--spread sd", "--latex-width page", "--figure bits"]
)
def test_what_a_single_run_cannot_show_is_refused(tmp_path, result, option):
    folder = store_run(tmp_path / "runs", result).path
    done = CliRunner().invoke(app, ["report", str(folder), *option.split()])
    said = f"{option.split()[0]} shows several runs, but {folder} is the folder of a single run; give the"
    assert said in str(done.exception)


def test_a_grid_without_a_complete_run_says_so(tmp_path):
    grid = "title = 'mine'\ndata = ['emoji']\n[methods.dadh]\n[cells]\npaired = [0]\n"
    (tmp_path / "mine.toml").write_text(grid)
    experiments = find_experiments([str(tmp_path / "mine.toml")])
    Reproduction.of(experiments, open_sources(["emoji"])).save(tmp_path)
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert f"No run of {tmp_path} is complete yet" in str(done.exception)
    assert not (tmp_path / "report.html").exists()


def test_what_train_wrote_is_found_from_beside_it(tmp_path, result, monkeypatch):
    store_run(tmp_path / "runs", result)
    monkeypatch.chdir(tmp_path)
    assert "done" in invoke("runs", "list")


def test_methods_fit_80_columns_and_take_any_case():
    shown = invoke("methods", "DADH")
    assert max(map(len, shown.splitlines())) <= 110  # its title is one line
    table = shown[shown.index("option") :]
    assert max(map(len, table.splitlines())) <= 80
    assert "small: 512, 256, 128" in " ".join(table.split())
    done = CliRunner().invoke(app, ["methods", "dahd"])
    assert "did you mean 'dadh'?" in str(done.exception)


def test_a_long_plan_names_conditions_and_a_short_one_every_run(tmp_path):
    def planned(*arguments):
        return invoke(
            "reproduce", "table3", "--data", "emoji", "--plan", "--out", tmp_path / "none", *arguments
        )

    short = planned("--method", "DADH")
    assert short.count("to do") == 6
    both = planned("--method", "dadh", "--bits", 16, "--bits", 32)
    assert both.count("· 32 bits  to do") == 6
    long = planned("--seeds", 3)
    assert "to do" not in long
    said = " ".join(long.split())
    assert "Training pairs: paired; UI 20%; UI 40%; UI 60%; UI 80%; UI 100%. Seeds 0 to 2." in said
    assert "54 runs, 0 done" in said
    assert "known after the first epochs" in said
    assert not (tmp_path / "none").exists()
