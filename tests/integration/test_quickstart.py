import csv
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from running import SMALL, run_umml
from safetensors.numpy import load_file

N_RUNS = 14


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The output folder of a quickstart that nothing disturbed, and its summary."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run_umml(folder, "quickstart", "--out", "out", *SMALL)
    return folder / "out", done.stdout


def test_summary_has_every_cell_and_task(undisturbed):
    out, _ = undisturbed
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert len(rows) == 2 * N_RUNS
    assert {(row["scheme"], row["percent"]) for row in rows} >= {
        ("paired", "0"),
        ("UIT", "60"),
        ("SD", "80"),
        ("untrained", "0"),
    }
    assert all(0 < float(row["map"]) < 1 and row["map_sd"] == "" and row["seeds"] == "1" for row in rows)
    assert {row["task"] for row in rows} == {"i2t", "t2i"}


def test_a_run_folder_holds_what_it_promises(undisturbed):
    out, _ = undisturbed
    folders = sorted((out / "runs").iterdir())
    assert len(folders) == N_RUNS
    for folder in folders:
        specification = json.loads((folder / "specification.json").read_text())
        result = json.loads((folder / "result.json").read_text())
        assert result["specification"] == specification
        codes = np.load(folder / "codes.npz", allow_pickle=False)
        assert codes["query_image"].dtype == np.uint64
        assert len(codes["query_image"]) == len(codes["query_labels"])
        assert load_file(folder / "weights.safetensors")
        assert not (folder / "checkpoint.safetensors").exists()
        if specification["cell"]["trained"]:
            lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            assert [line["epoch"] for line in lines] == [0, 1, 2, 3]


def test_plain_lines_and_table_in_a_pipe(undisturbed):
    _, printed = undisturbed
    assert f"[{N_RUNS}/{N_RUNS}] dadh · emoji" in printed
    assert "\x1b[" not in printed
    assert re.search(r"UIT 60%\s+│", printed)
    assert "unpaired +" in printed or "discarded -" in printed


def test_figures_and_report_stand_alone(undisturbed):
    out, _ = undisturbed
    assert sorted(path.suffix for path in (out / "figures").iterdir()) == [".pdf", ".png", ".svg"]
    report = (out / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["']?https?:|url\(["']?https?:|@import""", report)
    pages = json.loads(re.search(r'id="pages">(.*?)</script>', report, re.DOTALL)[1])
    assert [len(found) for run in pages["runs"] for found in run["retrievals"].values()] == [6] * 2 * N_RUNS
    trained = [run for run in pages["runs"] if len(run["curves"].get("total", ())) > 1]
    assert len(trained) == N_RUNS - 1  # but the untrained network
    assert "data:image/png;base64," in report
    assert "UIT 60%" in report


def test_started_again_it_shows_the_same_without_training(undisturbed, umml):
    out, printed = undisturbed
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")}
    again = umml("quickstart", "--out", out, *SMALL).stdout
    assert f"{N_RUNS} of {N_RUNS} runs are complete already" in again
    assert (
        again[again.index("training pairs") :].splitlines()[:20]
        == printed[printed.index("training pairs") :].splitlines()[:20]
    )
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*")} == before


def living_members(group):
    """Processes of a group that have not ended; one that nobody has waited for yet has."""
    fields = (path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat"))
    return [state for state, _, member_of, *_ in fields if int(member_of) == group and state not in "ZX"]


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_at_three_moments_it_ends_with_the_same_table(undisturbed, start_umml, umml, tmp_path):
    runs = tmp_path / "out" / "runs"
    moments = [
        lambda: any(runs.glob("*/specification.json")),
        lambda: len(list(runs.glob("*/result.json"))) >= 3,
        lambda: len(list(runs.glob("*/result.json"))) >= 8,
    ]
    for whole_group, moment in zip((False, True, False), moments, strict=True):
        process = start_umml("quickstart", "--out", "out", *SMALL)
        wait_for(moment, process)
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
    umml("quickstart", "--out", "out", *SMALL)
    expected, _ = undisturbed
    assert (tmp_path / "out" / "summary.csv").read_bytes() == (expected / "summary.csv").read_bytes()


def children(pid):
    """Processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_worker_costs_only_its_own_run(undisturbed, start_umml, tmp_path):
    runs = tmp_path / "out" / "runs"
    process = start_umml("quickstart", "--out", "out", *SMALL)
    wait_for(lambda: len(list(runs.glob("*/result.json"))) >= 2, process)
    server = next(
        pid for pid in children(process.pid) if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(children(server)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    expected, _ = undisturbed
    assert (tmp_path / "out" / "summary.csv").read_bytes() == (expected / "summary.csv").read_bytes()


def test_ctrl_c_is_one_sentence_and_leaves_no_process(start_umml, tmp_path):
    process = start_umml("quickstart", "--out", "out", *SMALL)
    wait_for(lambda: any((tmp_path / "out" / "runs").glob("*/specification.json")), process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "Stopped. What is complete is kept; run the same command again to continue.\n"
    wait_until(lambda: not living_members(process.pid))
