import signal
import subprocess
import sys
from functools import partial

import pytest
from running import UMML, run_umml
from small_grid import SMALL_GRID, make_arrays, prepare
from umml_cli.main import main


@pytest.fixture
def umml(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder, inside this process: starting torch anew takes seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, check=True):
        monkeypatch.setattr(sys, "argv", ["umml", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        printed, errors = capfd.readouterr()
        status = end.value.code or 0
        if check:
            assert status == 0, errors
        return subprocess.CompletedProcess(arguments, status, printed, errors)

    return run


@pytest.fixture
def start_umml(tmp_path):
    """Start the command in a process group of its own; whatever is left of it ends with the test."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [UMML, *map(str, arguments)],
            cwd=tmp_path,
            start_new_session=True,
            # a shell's background jobs, and so their children, ignore Ctrl-C
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def arrays():
    return make_arrays()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The output folder of a small grid that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(folder)
    done = run_umml(
        folder, *SMALL_GRID[:-2]
    )  # two workers where there are two cores; the tests below have one
    return folder / "umml-reproduce", done.stdout


@pytest.fixture
def small(tmp_path):
    prepare(tmp_path)
    return tmp_path
