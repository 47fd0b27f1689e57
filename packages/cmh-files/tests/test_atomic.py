"""Files appear whole or not at all, whatever becomes of the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from cmh_files import atomic_write, remove_leftovers


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_the_block_ends(tmp_path):
    with atomic_write(tmp_path / "a.npz") as temporary:
        np.savez(temporary, a=np.arange(3))  # which would add the ending .npz to another name
        assert names(tmp_path) == [temporary.name]
    assert names(tmp_path) == ["a.npz"]


def test_a_failure_keeps_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new \udc00", encoding="utf-8")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot stop a process with SIGKILL")
@pytest.mark.parametrize("name", ["a.txt", "a[1]*.txt", "plain"])
def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path, name):
    code = f"""if True:
        import time
        from cmh_files import atomic_write
        with atomic_write({str(tmp_path / name)!r}) as temporary:
            temporary.write_text("half")
            print("writing", flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        with atomic_write(tmp_path / name) as temporary:
            temporary.write_text("whole")
        assert len(names(tmp_path)) == 2  # the other process is alive: its file stays
        process.send_signal(signal.SIGKILL)
    (tmp_path / ".other.tmp.txt").write_text("not ours")
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("again")
    assert names(tmp_path) == sorted([".other.tmp.txt", name])


def test_leftovers_of_a_folder(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("mine")
        dead = temporary.name.replace(f".{os.getpid()}.", f".{ended.pid}.")
        (tmp_path / dead).write_text("half")
        remove_leftovers(tmp_path)
        assert names(tmp_path) == [temporary.name]
