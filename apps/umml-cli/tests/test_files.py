import contextlib
import errno
import os
import platform
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from cmh_files import remove_leftovers
from umml_cli.errors import UserError, describe_os_error
from umml_cli.runs.files import folder_lock, read_json, replacing, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"map": 1})
    with contextlib.suppress(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert read_json(path) == {"map": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_machines_that_share_a_folder_write_under_names_of_their_own(tmp_path, monkeypatch):
    names = []
    for machine in ("one", "other"):
        monkeypatch.setattr(platform, "node", lambda machine=machine: machine)
        with replacing(tmp_path / "result.json") as temporary:
            temporary.touch()
            names.append(temporary.name)
    assert len(set(names)) == 2
    assert all(fnmatch(name, ".*.tmp*") for name in names)  # what `umml runs clean` looks for


def test_temporary_files_go_when_their_process_has_gone(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = platform.node()
    names = [
        f".grid.{here}.{ended.pid}.tmp.csv",
        f".grid.{here}.{os.getpid()}.tmp.csv",
        ".grid.other.1.tmp.csv",
    ]
    for name in (*names, "grid.csv"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"grid.csv", *names[1:]}


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "result.json"
    path.write_text('{"map": ')
    with pytest.raises(UserError, match=r"result\.json is not readable JSON"):
        read_json(path)


HOLD = """
import sys
from pathlib import Path
from umml_cli.runs.files import folder_lock

with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"process {other.pid}\) works in"), folder_lock(tmp_path):
            pass
        other.kill()
    with folder_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "No permission"), (errno.EIO, "Input/output")],
)
def test_refusals_of_the_operating_system_are_one_sentence(number, said):
    sentence = describe_os_error(OSError(number, os.strerror(number), "codes.npz"))
    assert said in sentence
    assert "codes.npz" in sentence
