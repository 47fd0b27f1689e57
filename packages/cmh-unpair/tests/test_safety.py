"""Hostile and damaged HDF5 files: the work is done in a child process, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import h5py
import numpy as np
import pytest
from cmh_files import CopyError, DataError
from cmh_files.hdf5 import child
from cmh_unpair import plan_unpairing, unpair_file

PLAN = plan_unpairing(20, unpaired_images=20, unpaired_text=20, block=10)


def write(path, block=0):
    with h5py.File(path, "w", userblock_size=block) as file:
        file.create_dataset("XAll", data=np.arange(200.0).reshape(20, 10), chunks=(3, 10), compression="gzip")
        file["YAll"] = np.ones((20, 4), np.uint8)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("block", [0, 512, 1024, 4096])
def test_a_user_block_of_any_size(tmp_path, block):
    report = unpair_file(write(tmp_path / "in.h5", block), tmp_path / "out.h5", PLAN, digests=True)
    assert report.verified
    assert all(array.digests for array in report.arrays)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file.userblock_size == block
        expected = np.arange(200.0).reshape(20, 10)
        expected[~PLAN.image_present] = 0
        np.testing.assert_array_equal(file["XAll"][()], expected)
        np.testing.assert_array_equal(file["YAll"][:, 0], PLAN.text_present)


def external_link(file):
    file["labels"] = h5py.ExternalLink("other.h5", "/labels")


def soft_link(file):
    file["also"] = h5py.SoftLink("/XAll")


def bomb(file):
    file.create_dataset("labels", (1_000_000, 100_000), "f4", chunks=(1000, 1000))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (external_link, "holds an external link at /labels"),
        (soft_link, "holds a soft link"),
        (bomb, "declares"),
    ],
)
def test_a_file_that_reaches_out_or_lies_is_refused(tmp_path, harm, message):
    with h5py.File(write(tmp_path / "in.h5"), "r+") as file:
        harm(file)
    with pytest.raises(DataError, match=message):
        unpair_file(tmp_path / "in.h5", tmp_path / "out.h5", PLAN)
    assert names(tmp_path) == ["in.h5"]


def test_a_damaged_chunk_leaves_nothing_behind(tmp_path):
    path = write(tmp_path / "in.h5")
    with h5py.File(path) as file:
        start = file["XAll"].id.get_chunk_info(2).byte_offset
    content = bytearray(path.read_bytes())
    content[start + 4 : start + 12] = b"damaged!"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"in\.h5 is a damaged or truncated (HDF5 )?file \(.*\); fetch"):
        unpair_file(path, tmp_path / "out.h5", PLAN)
    assert names(tmp_path) == ["in.h5"]


def test_a_crash_and_an_endless_child_become_our_error(tmp_path, monkeypatch):
    path = write(tmp_path / "in.h5")
    monkeypatch.setattr(child.sys, "executable", str(tmp_path / "python"))
    for script, message in (
        ("kill -SEGV $$", "crashes the HDF5 library"),
        ("sleep 60", "busy for more than 1 s"),
    ):
        (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setattr(child, "LEAST_SECONDS", 1)
        with pytest.raises(DataError, match=message):
            unpair_file(path, tmp_path / "out.h5", PLAN)
    assert not (tmp_path / "out.h5").exists()


def test_the_child_tells_damage_from_a_full_disk_and_from_a_bad_copy(tmp_path, monkeypatch):
    from cmh_files.hdf5 import rewrite

    write(tmp_path / "in.h5")
    for error, expected in (
        (
            OSError("Can't synchronously write data (errno = 28, error message = 'No space left on device')"),
            OSError,
        ),
        (OSError("Unable to synchronously read data (filter returned failure during read)"), DataError),
        (RuntimeError("Unable to get link info (addr overflow)"), DataError),
        (CopyError("differs"), CopyError),
    ):
        monkeypatch.setattr(
            rewrite, "copy_edited", lambda *_args, error=error, **_options: (_ for _ in ()).throw(error)
        )
        monkeypatch.setattr(child.Helper, "ask", ask_here)
        with pytest.raises(expected) as met:
            unpair_file(tmp_path / "in.h5", tmp_path / "out.h5", PLAN)
        assert type(met.value) is expected


def ask_here(_helper, path, request, arrays):
    import json
    from io import BytesIO

    content = BytesIO()
    np.savez(
        content, request=np.frombuffer(json.dumps(request | {"path": str(path)}).encode(), np.uint8), **arrays
    )
    return child.perform(content.getvalue())


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot stop a process with SIGKILL")
def test_the_child_ends_with_its_parent(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it waits for a writer who never comes
    code = f"""
        import subprocess, sys
        from pathlib import Path
        from cmh_files.hdf5 import child
        started = subprocess.Popen
        def tell(*arguments, **options):
            process = started(*arguments, **options)
            print(process.pid, flush=True)
            return process
        subprocess.Popen = tell
        Path.is_file = lambda path: True
        child.LEAST_SECONDS = 2
        child.Helper().list_arrays(Path({str(tmp_path / "pipe")!r}))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE) as parent:
        number = int(parent.stdout.readline())
        time.sleep(1)
        parent.send_signal(signal.SIGKILL)
    for _ in range(200):
        if not os.path.exists(f"/proc/{number}") or is_ended(number):  # noqa: PTH110 - a process, not a file
            return
        time.sleep(0.1)
    raise AssertionError("the child outlived its parent")


def is_ended(number):
    with open(f"/proc/{number}/stat") as file:  # noqa: PTH123 - as above
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
