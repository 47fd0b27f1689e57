"""`umml reproduce` on a small grid: what it writes, and that nothing which happens on the way changes it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from running import UMML
from running import run_umml as run
from small_grid import GRID, N_RUNS, SMALL_GRID, make_arrays, prepare, read_rows, written
from umml_cli.runs.files import folder_lock


def test_tables_numbers_and_report_are_written(undisturbed):
    out, printed = undisturbed
    assert f"[{N_RUNS}/{N_RUNS}]" in printed
    table = (out / "tables" / "grid.md").read_text()
    assert "| image → text | DADH | mAP |" in table
    assert "mean over 2 seeds ± standard deviation." in table
    assert re.search(r"^DADH +\d\.\d{3} ±\d\.\d{3}", printed, re.MULTILINE)
    assert sorted(path.suffix for path in (out / "tables").iterdir()) == [".csv", ".md", ".tex"]
    rows = read_rows(out / "runs.csv")
    assert len(rows) == N_RUNS
    for row in rows:
        best = float(row["best_i2t"]) + float(row["best_t2i"])
        assert best >= float(row["last_i2t"]) + float(row["last_t2i"])
    assert {row["best_epoch"] for row in rows} <= {"0", "1", "2", "3"}
    assert "A small grid" in (out / "report.html").read_text()


def test_weights_are_left_out_and_nothing_is_left_over(undisturbed):
    out, _ = undisturbed
    for folder in (out / "runs").iterdir():
        names = {path.name for path in folder.iterdir()} - {".lock", "best-codes.npz"}
        assert names - {"metrics.jsonl"} == {
            "specification.json",
            "codes.npz",
            "precision.npz",
            "result.json",
        }


def test_the_best_epoch_is_chosen_by_name_only(undisturbed, small):
    out, _ = undisturbed
    shutil.copytree(out, small / "umml-reproduce")
    run(small, "report", "umml-reproduce", "--selection", "paper")
    best = read_rows(small / "umml-reproduce" / "summary.csv")
    last = read_rows(out / "summary.csv")
    runs = read_rows(out / "runs.csv")
    for row, before in zip(best, last, strict=True):
        for table_row, column in ((row, "best"), (before, "last")):
            behind = [
                float(one[f"{column}_{row['task']}"])
                for one in runs
                if (one["scheme"], one["percent"]) == (row["scheme"], row["percent"])
            ]
            assert float(table_row["map"]) == pytest.approx(np.mean(behind), abs=2e-6)
    assert "best evaluated epoch" in (small / "umml-reproduce" / "tables" / "grid.md").read_text()


def test_metrics_hold_the_map_of_every_evaluated_epoch(undisturbed):
    out, _ = undisturbed
    for folder in (out / "runs").iterdir():
        result = json.loads((folder / "result.json").read_text())
        if result["epochs"]:
            lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            assert [line["epoch"] for line in lines] == [0, 1, 2]
            maps = [line["map_i2t"] + line["map_t2i"] for line in lines]
            assert result["best"]["epoch"] == int(np.argmax(maps)) + 1
            assert result["map"]["t2i"] == lines[-1]["map_t2i"]


def test_a_second_experiment_reuses_the_runs_of_the_first(undisturbed, small):
    out, _ = undisturbed
    shutil.copytree(out, small / "umml-reproduce")
    (small / "other.toml").write_text(
        GRID.replace("SD = [40]\n", "").replace('table = "cells"', 'figure = "curves"')
    )
    done = run(small, "reproduce", "grid.toml", "other.toml", "--data", "small=small.npz")
    assert f"{N_RUNS} of {N_RUNS} runs are complete already" in done.stdout
    assert (small / "umml-reproduce" / "figures" / "other.svg").exists()


TWO = """
title = "Margin {margin}"
data = ["small"]
table = "cells"
[methods.dadh]
options = {{ bits = 16, layer_widths = [8, 8, 8], epochs = 1, batch_size = 20, margin = {margin} }}
[cells]
paired = [0]
UI = [40]
"""


def test_experiments_of_one_folder_keep_their_own_options_and_runs(umml, tmp_path):
    prepare(tmp_path)
    for name, margin in (("first", 0.1), ("second", 0.9)):
        (tmp_path / f"{name}.toml").write_text(TWO.format(margin=margin))
    data, out = ("--data", "small=small.npz", "--workers", "1"), tmp_path / "umml-reproduce"
    umml("reproduce", "first.toml", *data, "--selection", "paper")
    alone = (out / "tables" / "first.md").read_bytes()
    umml("reproduce", "second.toml", *data)
    assert (out / "tables" / "first.md").read_bytes() == alone
    assert b"1 seed." in alone
    assert b"best evaluated epoch" in alone
    rows = read_rows(out / "summary.csv")
    assert {(row["variant"], row["seeds"], row["selection"]) for row in rows} == {
        ("margin 0.1", "1", "paper"), ("margin 0.9", "1", "paper"),
    }  # fmt: skip
    assert len(read_rows(out / "runs.csv")) == 4
    report = (out / "report.html").read_text()
    assert all(f"<h2>Margin {margin}: mAP in every condition</h2>" in report for margin in (0.1, 0.9))
    assert "DADH on small, 16 bits (margin 0.9)</h2>" in report
    assert report.count('<td class="text">dadh (margin 0.9)</td>') == 2
    before = written(out)
    assert "4 of 4 runs are complete already" in umml("reproduce", "first.toml", "second.toml", *data).stdout
    umml("report", out)
    assert written(out) == before


def test_cleaning_waits_for_the_grid_whose_runs_it_is_pointed_at(undisturbed, small, umml):
    shutil.copytree(undisturbed[0], small / "umml-reproduce")
    with folder_lock(small / "umml-reproduce"):
        done = umml("runs", "clean", "--out", "umml-reproduce/runs", "--yes", check=False)
    assert done.returncode == 2
    assert f"process {os.getpid()}) works in {small / 'umml-reproduce'}" in done.stderr


def test_the_plan_lists_runs_time_and_disk_and_runs_nothing(undisturbed, small):
    plan = run(small, *SMALL_GRID, "--plan").stdout
    assert plan.count("to do") == N_RUNS
    assert "not measured yet" in plan
    assert not (small / "umml-reproduce").exists()
    shutil.copytree(undisturbed[0], small / "umml-reproduce")
    for folder in list((small / "umml-reproduce" / "runs").iterdir())[:3]:
        shutil.rmtree(folder)
    plan = run(small, *SMALL_GRID, "--plan").stdout
    assert plan.count("to do") == 3
    assert "MB more needed" in plan
    assert "not measured" not in plan


def test_runs_can_be_listed_shown_compared_and_cleaned(undisturbed, small):
    shutil.copytree(undisturbed[0], small / "umml-reproduce")
    folders = sorted((small / "umml-reproduce" / "runs").iterdir())
    assert run(small, "runs", "list").stdout.count("done") == N_RUNS
    shown = run(small, "runs", "show", folders[0].name[:8]).stdout
    assert "data_digest" in shown
    assert "environment" in shown
    compared = run(small, "runs", "compare", folders[0].name, folders[1].name).stdout
    assert "image → text" in compared
    (folders[0] / "result.json").unlink()
    (folders[1] / ".codes.77.tmp.npz").touch()
    assert run(small, "runs", "list").stdout.count("done") == N_RUNS - 1
    assert "Would remove" in run(small, "runs", "clean").stdout
    assert run(small, "runs", "clean", "--yes").stdout.count("Removed") == 2
    assert "nothing to remove" in run(small, "runs", "clean").stdout
    assert len(list((small / "umml-reproduce" / "runs").iterdir())) == N_RUNS - 1
    assert "0 runs in" in run(small, "runs", "show", "zz", check=False).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("table2",), "no experiment 'table2'"),
        (("table3",), "--data mirflickr25k=PATH"),
        (("none.toml", "--data", "emoji"), "There is no experiment file none.toml"),
        (("grid.toml", "--data", "small=missing.npz"), "missing.npz"),
        (("grid.toml", "--data", "a/b"), "--data takes NAME=PATH"),
        (("grid.toml", "--data", "small=small.npz", "--methods", "cmfh"), "there is no method 'cmfh'"),
        (
            ("grid.toml", "--data", "small=small.npz", "--selection", "first"),
            "'first' is not one of 'last', 'paper'",
        ),
        (("grid.toml", "--data", "small=small.npz", "--executor", "slurm"), "--executor is local, ray"),
        (("grid.toml", "--data", "small=small.npz", "--set", "dadh.colour=1"), "colour"),
        (("grid.toml", "--data", "small=small.npz", "--set", "dadhh.ridge=1"), "did you mean 'dadh'"),
        (
            ("grid.toml", "--data", "small=small.npz", "--methods", "dadh,typo"),
            "there is no method 'typo'",
        ),
        (("grid.toml", "--data", "small=small.npz", "--data", "emoji"), "shows emoji beside small"),
        (("grid.toml", "--data", "small=small.npz", "--data", "small=small.npz"), "names small twice"),
        (("grid.toml", "./grid.toml", "--data", "small=small.npz"), "are both called 'grid'"),
        (("grid.toml", "--data", "small=small.npz", "--set", "batch_size=41"), "has only 40 training rows"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_written(small, arguments, said):
    done = run(small, "reproduce", *arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (small / "umml-reproduce").exists()


def test_the_grid_in_the_documentation_is_one(tmp_path):
    from umml_cli.grid.experiment import read_experiment

    page = (Path(__file__).parents[2] / "docs" / "reproduce.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "grid.toml").write_text(text)
    experiment = read_experiment(tmp_path / "grid.toml")
    assert experiment.bits == (16, 32, 64)
    assert [cell.title for cell in experiment.grid()][-1] == "untrained"


def processes(group):
    """Processes of a group, without reading more of the machine than their status."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def reproduce_under_fire(folder, generator, n_kills, longest):
    """Run the grid again and again, and kill one of its processes at a random moment each time."""
    kills = 0
    while kills < n_kills:
        process = subprocess.Popen(
            [UMML, *SMALL_GRID],
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with process:
            time.sleep(generator.uniform(0, longest))
            while kills < n_kills and process.poll() is None:
                victims = processes(process.pid)
                if victims:
                    victim = int(generator.choice(victims))
                    try:
                        os.kill(victim, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    kills += 1
                time.sleep(generator.uniform(0, longest / 3))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.stderr.read()
        end = time.monotonic() + 30
        while processes(process.pid) and time.monotonic() < end:  # workers leave when their parent is gone
            time.sleep(0.05)
        assert not processes(process.pid)


def check_undisturbed(folder, undisturbed):
    done = run(folder, *SMALL_GRID)
    assert written(folder / "umml-reproduce") == written(undisturbed[0])
    runs = [path for path in (folder / "umml-reproduce" / "runs").iterdir() if path.is_dir()]
    assert len(runs) == N_RUNS  # nothing counted twice
    return done


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_tables(undisturbed, small):
    reproduce_under_fire(small, np.random.default_rng(5), n_kills=4, longest=6)
    check_undisturbed(small, undisturbed)


@pytest.mark.slow
def test_killed_fifty_times_it_ends_with_the_same_tables(undisturbed, small):
    reproduce_under_fire(small, np.random.default_rng(1), n_kills=60, longest=12)
    check_undisturbed(small, undisturbed)


@pytest.mark.slow
def test_two_at_once_on_one_folder(undisturbed, small):
    first = subprocess.Popen(
        [UMML, *SMALL_GRID], cwd=small, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with first:
        end = time.monotonic() + 60
        while not list(small.glob("umml-reproduce/runs/*")):
            assert first.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        second = run(small, *SMALL_GRID, check=False)
        assert second.returncode == 2
        assert f"Another umml (process {first.pid}) works in umml-reproduce" in second.stderr
        assert second.stderr.count("\n") == 1
        first.communicate()
    assert first.returncode == 0
    assert written(small / "umml-reproduce") == written(undisturbed[0])


def retrievals(out):
    """Queries that the pages of all runs show, and sections with retrieval examples."""
    text = (out / "report.html").read_text()
    pages = json.loads(re.search(r'id="pages">(.*?)</script>', text, re.DOTALL)[1])
    shown = sum(len(found) for run in pages["runs"] for found in run["retrievals"].values())
    return shown, text.count('<div class="examples"')


def test_a_data_file_that_changes_makes_new_runs(undisturbed, small, umml):
    shutil.copytree(undisturbed[0], small / "umml-reproduce")
    assert min(retrievals(small / "umml-reproduce")) > 0
    changed = make_arrays()
    changed["text"] += 1
    np.savez(small / "small.npz", **changed)
    plan = umml(*SMALL_GRID, "--plan").stdout
    assert plan.count("to do") == N_RUNS
    assert f"Note: the data of small have changed: {N_RUNS} older runs no longer count." in plan
    grid = json.loads((small / "umml-reproduce" / "grid.json").read_text())
    grid["locations"]["small"] = str(small / "small.npz")
    (small / "umml-reproduce" / "grid.json").write_text(json.dumps(grid))
    said = umml("report").stdout
    assert (
        f"Note: {N_RUNS} runs in the tables were trained on small before {small / 'small.npz'} changed"
        in said
    )
    assert retrievals(small / "umml-reproduce") == (0, 0)
    assert written(small / "umml-reproduce") == written(undisturbed[0])
    prepare(small)
    plan = umml(*SMALL_GRID, "--plan").stdout
    assert plan.count("done") >= N_RUNS
    assert "no longer count" not in plan


def test_a_run_that_raises_leaves_the_others_alone(undisturbed, small):
    (small / "grid.toml").write_text(
        f"{GRID}[methods.jdsh]\noptions = {{ bits = 16, epochs = 3, image_learning_rate = 1e300 }}\n"
    )
    done = run(small, *SMALL_GRID, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "12 of 28 runs failed: jdsh · small · paired · seed 0: " in done.stderr
    assert "the same command tries the others again" in done.stderr
    listed = run(small, "runs", "list").stdout
    assert listed.count("failed") == 12
    assert listed.count("done") == 16
    assert (
        "nan"
        in run(
            small,
            "runs",
            "show",
            next(iter((small / "umml-reproduce" / "runs").glob("*/failure.txt"))).parent.name,
        ).stdout.lower()
    )
    prepare(small)
    run(small, *SMALL_GRID)
    assert written(small / "umml-reproduce") == written(undisturbed[0])


def test_a_grid_whose_runs_all_fail_says_why(small):
    trained = GRID.replace("untrained = [0]\n", "")
    (small / "grid.toml").write_text(trained.replace("epochs = 3", "epochs = 3, learning_rate = 1e300"))
    done = run(small, *SMALL_GRID, "--seeds", 1, check=False)
    assert done.returncode == 1
    assert "runs failed: dadh · small · paired · seed 0: " in done.stderr


UNSHARE = shutil.which("unshare")


def can_mount():
    return (
        UNSHARE and subprocess.run([UNSHARE, "-rm", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs user namespaces to mount a small tmpfs")
def test_a_full_disk_is_said_in_a_sentence_and_costs_nothing(undisturbed, small):
    (small / "full").mkdir()
    (small / "kept").mkdir()
    script = (
        f"mount -t tmpfs -o size=160k tmpfs full && {UMML} {' '.join(SMALL_GRID)} --out full/out;"
        " status=$?; cp -r full/out kept/umml-reproduce; exit $status"
    )
    done = subprocess.run(
        [UNSHARE, "-rm", "sh", "-c", script], cwd=small, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    shutil.move(small / "kept" / "umml-reproduce", small / "umml-reproduce")
    check_undisturbed(small, undisturbed)
