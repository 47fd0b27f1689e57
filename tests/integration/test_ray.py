"""The Ray executor on a cluster of two nodes of this machine, where Ray is installed."""

import subprocess
import sys

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
