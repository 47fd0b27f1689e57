"""The Ray executor on a cluster of two nodes of this machine, where Ray is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import UMML
from running import run_umml as run
from small_grid import N_RUNS, SMALL_GRID, prepare, written

pytest.importorskip("ray", reason="needs the extra umml-cli[ray]")

CLUSTER = """
import subprocess, sys, time
from pathlib import Path
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
grid = subprocess.Popen([*sys.argv[1:], "--executor", f"ray:{cluster.address}"])
try:
    while len(list(Path("umml-reproduce/runs").glob("*/result.json"))) < 2:
        assert grid.poll() is None, grid.returncode
        time.sleep(0.1)
    cluster.remove_node(second, allow_graceful=False)
    sys.exit(grid.wait(600))
finally:
    grid.kill()
    cluster.shutdown()
"""


def test_a_node_that_dies_in_mid_grid_costs_nothing(undisturbed, tmp_path):
    prepare(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", CLUSTER, str(UMML), *SMALL_GRID[:-2]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert written(tmp_path / "umml-reproduce") == written(undisturbed[0])
    again = run(tmp_path, *SMALL_GRID)
    assert f"{N_RUNS} of {N_RUNS} runs are complete already" in again.stdout


GIVING_UP = """
import sys
from pathlib import Path
from killing import Killer
from umml_cli.inputs.data_sources import open_sources
from umml_cli.grid.experiment import read_experiment
from umml_cli.grid.specify import specify
from umml_cli.grid.ray_executor import RETRIES, RayExecutor
from umml_cli.runs.store import RunStore
from umml_cli.grid.worker import GridSettings

sources = open_sources(["small=small.npz"])
experiment = read_experiment(Path("grid.toml")).model_copy(update={"cells": {"paired": (0.0,)}, "seeds": 1})
endless, *short = (
    next(specify(experiment, sources, overrides={"": {"epochs": epochs}})) for epochs in (10**6, 1, 2)
)
store = RunStore(Path("runs").resolve())
settings = GridSettings(root=str(store.root), locations={"small": sources["small"].location})
killer = Killer(endless, store.folder(endless).path)
RayExecutor(workers=1).run_all([endless, *short], settings, killer)
assert killer.kills == RETRIES + 1, killer.kills
assert list(killer.failed) == [endless.run_id], killer.failed
assert {*killer.finished} == {run.run_id for run in short}, killer.finished
print(store.folder(endless).failure.read_text())
"""


def test_only_the_run_whose_worker_always_dies_is_marked_as_failed(tmp_path):
    prepare(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", GIVING_UP]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        command, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its worker died 4 times" in done.stdout


def test_a_cluster_without_gpus_is_said_instead_of_waited_for(tmp_path):
    prepare(tmp_path)
    done = run(
        tmp_path, *SMALL_GRID, "--executor", "ray", "--device", "cuda", "--gpus-per-run", 99, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "A run asks for 99 GPUs, but the Ray cluster has" in done.stderr


SHARDS = """
import subprocess, sys
from pathlib import Path
import numpy as np
import ray
from cmh_metrics import DatabaseShard, RayMap, ShardedDatabase, evaluate, ranking_tables
from ray.cluster_utils import Cluster
from worker_maps import DeadlyRows

rng = np.random.default_rng(0)
codes, labels = rng.choice([-1, 1], (300, 16)), rng.integers(4, size=300)
for number, rows in enumerate((slice(0, 50), slice(50, 200), slice(200, 300))):
    np.save(f"codes-{number}.npy", codes[rows])
    np.save(f"labels-{number}.npy", labels[rows])
entry = '[[shard]]\\ncodes = "codes-{0}.npy"\\nlabels = "labels-{0}.npy"\\n'
Path("shards.toml").write_text(entry.format(1) + entry.format(2) + 'machine = "127.0.0.2"\\n')

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2")
try:
    queries = {"query_codes": codes[:50], "query_labels": labels[:50]}
    files = [(f"codes-{n}.npy", f"labels-{n}.npy") for n in (1, 2)]
    here = [Path(file).absolute() for file in files[1]]
    shards = [DatabaseShard(codes[50:200], labels[50:200]), DatabaseShard(*here, machine="127.0.0.2")]
    on_ray = RayMap(cluster.address)
    found = evaluate(**queries, database_codes=ShardedDatabase(shards, map=on_ray))
    expected = evaluate(**queries, database_codes=codes[50:], database_labels=labels[50:])
    assert found.to_json() == expected.to_json()
    by_row = evaluate(**queries, database_codes=ShardedDatabase(shards, map=on_ray), ties="index")
    whole = evaluate(**queries, database_codes=codes[50:], database_labels=labels[50:], ties="index")
    assert by_row.to_json() == whole.to_json()
    for shard in (
        DatabaseShard("none.npy", "none.npy"),
        DatabaseShard(codes, labels, machine="10.9.9.9"),
        DatabaseShard(DeadlyRows(), labels[:4]),
    ):
        try:
            ranking_tables(
                query_codes=codes[:1, : 8 if isinstance(shard.codes, DeadlyRows) else 16],
                query_labels=labels[:1],
                database_codes=ShardedDatabase([shard], map=on_ray),
            )
        except (ValueError, OSError, RuntimeError) as error:
            print(f"{type(error).__name__}: {error}")
    ray.shutdown()
    command = [sys.argv[1], "evaluate", "--query-codes", "codes-0.npy", "--query-labels", "labels-0.npy"]
    command += ["--shards", "shards.toml", "--executor", f"ray:{cluster.address}", "--out", "found.json"]
    subprocess.run(command, check=True)
    tasks = Path("found.json").read_text().split('"tasks"')[1]
    assert tasks == expected.to_json().split('"tasks"')[1]
    subprocess.run([*command, "--ties", "index"], check=True)
    tasks = Path("found.json").read_text().split('"tasks"')[1]
    assert tasks == whole.to_json().split('"tasks"')[1]
finally:
    cluster.shutdown()
"""


def test_shards_are_scored_on_the_machines_that_hold_them(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", SHARDS, str(UMML)]
    beside = Path(__file__).parents[2] / "packages" / "cmh-metrics" / "tests"
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(beside)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for sentence in (
        "FileNotFoundError: shard 0 (none.npy): there is no file none.npy on the machine",
        "ValueError: shard 0 lies on the machine 10.9.9.9, which must be one of the Ray cluster",
        "WorkerDied: the worker of shard 0 died 4 times (WorkerCrashedError)",
    ):
        assert sentence in done.stdout


def test_an_address_where_no_cluster_answers():
    from cmh_metrics import BackendUnavailable, DatabaseShard, RayMap, ShardedDatabase, ranking_tables

    database = ShardedDatabase([DatabaseShard([[1]], [[1]])], map=RayMap("127.0.0.1:1"))
    with pytest.raises(BackendUnavailable, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        ranking_tables(query_codes=[[1]], query_labels=[[1]], database_codes=database)
