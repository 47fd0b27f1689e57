"""Files that want to harm: links out of the file, bombs, pickles, and bytes changed at random."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io

# Changed copies per container; the variable is for longer runs by hand. HDF5 costs a process for each.
FUZZ_INPUTS = {".npz": 40, ".h5": 4, ".mat": 40, ".compressed.mat": 40}
if "CMH_DATA_FUZZ" in os.environ:
    FUZZ_INPUTS = dict.fromkeys(FUZZ_INPUTS, int(os.environ["CMH_DATA_FUZZ"]))


def good(folder, suffix):
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.normal(size=(12, 8)).astype(np.float32),
        "text": rng.integers(0, 2, (12, 6)).astype(np.uint8),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(12) % 3],
        "train": np.arange(8),
        "query": np.arange(8, 12),
    }
    path = folder / f"good{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, **arrays)
    elif suffix == ".h5":
        np.savez(folder / "a.npz", **arrays)
        cmh_data.save(cmh_data.load(folder / "a.npz"), path)
    else:
        tables = {"images": arrays["image"], "YAll": arrays["text"], "LAll": arrays["labels"]}
        scipy.io.savemat(path, tables, do_compression=suffix == ".compressed.mat")
    return path


def external_link(path):
    with h5py.File(path, "r+") as file:
        del file["text"]
        file["text"] = h5py.ExternalLink("/etc/hosts.h5", "/text")


def soft_link(path):
    with h5py.File(path, "r+") as file:
        file["also"] = h5py.SoftLink("/image")


def virtual(path):
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout(shape=(12, 8), dtype="f4")
        layout[:] = h5py.VirtualSource("other.h5", "image", shape=(12, 8))
        del file["image"]
        file.create_virtual_dataset("image", layout)


def external_storage(path):
    with h5py.File(path, "r+") as file:
        del file["image"]
        file.create_dataset("image", (12, 8), "f4", external=[("secret.bin", 0, h5py.h5f.UNLIMITED)])


def references(path):
    with h5py.File(path, "r+") as file:
        target = file["image"].ref
        del file["text"]
        file.create_dataset("text", data=np.array([target] * 12, dtype=h5py.ref_dtype))


def bomb(path):
    with h5py.File(path, "r+") as file:
        del file["image"]
        file.create_dataset("image", (1_000_000, 100_000), "f4", chunks=(1000, 1000))


def deep(path):
    with h5py.File(path, "r+") as file:
        file.create_group("/".join("abcdefghijk"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (external_link, "holds an external link at /text, which may reach outside the file"),
        (soft_link, "holds a soft link at /also"),
        (virtual, "holds the virtual data set /image, which reads other files"),
        (external_storage, "stores /image in another file"),
        (references, "stores text as object references, which are followed only from MATLAB cell arrays"),
        (bomb, "declares 400000000000 bytes for /image but stores 0"),
        (deep, "nests groups deeper than 8 levels"),
    ],
)
@pytest.mark.parametrize("call", [cmh_data.load, cmh_data.inspect])
def test_hdf5_that_reaches_out_is_refused(tmp_path, harm, message, call):
    path = good(tmp_path, ".h5")
    harm(path)
    with pytest.raises(cmh_data.DataError, match=message):
        call(path)


def npy_header(shape):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return out.getvalue()


def test_npz_that_declares_too_much(tmp_path):
    path = tmp_path / "a.npz"
    for shape, message in (
        ((1 << 20, 1 << 20), "that is not a real array"),
        ((1 << 10, 1 << 10), "is truncated"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("image.npy", npy_header(shape) + b"1234")
        with pytest.raises(cmh_data.DataError, match=message):
            cmh_data.load(path)


def test_zip_bomb(tmp_path):
    path = tmp_path / "a.npz"
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("image.npy", "w", force_zip64=True) as out:
        out.write(npy_header((5 << 10, 1 << 18)))
        zeros = bytes(1 << 20)
        for _ in range(64):
            out.write(zeros)
    with pytest.raises(cmh_data.DataError, match="that is not a real array, so it is not read"):
        cmh_data.load(path)


def test_pickled_npy(tmp_path):
    np.save(tmp_path / "index.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(cmh_data.DataError, match=r"holds Python objects \(pickle\)"):
        cmh_data.inspect(tmp_path / "index.npy")


def test_mat_that_declares_too_much(tmp_path):
    path = good(tmp_path, ".mat")
    content = bytearray(path.read_bytes())
    # The dimensions stand in the first array's second subelement: tag, flags (8), tag, rows, columns.
    assert content[128 + 24 : 128 + 28] == (5).to_bytes(4, "little")
    content[128 + 32 : 128 + 40] = (1 << 20).to_bytes(4, "little") * 2
    path.write_bytes(content)
    with pytest.raises(cmh_data.DataError, match=r"that is not a real array|damaged or truncated"):
        cmh_data.load(path)


FUZZ = """
import json, sys, warnings
from pathlib import Path
import numpy as np
import cmh_data

path, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content, rng, tally = path.read_bytes(), np.random.default_rng(seed), {"refused": 0, "read": 0}
target = path.with_name("changed" + path.suffix)
warnings.simplefilter("error")
for number in range(count):
    changed = bytearray(content)
    if number % 4 == 0:
        del changed[int(rng.integers(len(changed))):]
    for _ in range(int(rng.integers(1, 12)) if changed else 0):
        place = int(rng.integers(len(changed)))
        flipped = changed[place] ^ (1 << int(rng.integers(8)))
        changed[place] = int(rng.integers(256)) if number % 2 else flipped
    target.write_bytes(changed)
    try:
        cmh_data.inspect(target)
        tally["read"] += 1
    except cmh_data.DataError:
        tally["refused"] += 1
    except BaseException as error:
        sys.exit(f"input {number} of seed {seed}: {type(error).__name__}: {error}")
print(json.dumps(tally))
"""


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".mat", ".compressed.mat"])
def test_changed_bytes_end_in_our_error_or_in_data(tmp_path, suffix):
    """In its own process, so that a crash of a library would be seen as such."""
    command = [sys.executable, "-c", FUZZ, str(good(tmp_path, suffix)), "1", str(FUZZ_INPUTS[suffix])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    tally = json.loads(done.stdout.splitlines()[-1])
    assert tally["read"] + tally["refused"] == FUZZ_INPUTS[suffix]
    assert tally["refused"] > 0


def test_nothing_is_written_beside_the_file(tmp_path):
    path = good(tmp_path, ".mat")
    before = sorted(tmp_path.iterdir())
    cmh_data.inspect(path)
    assert sorted(Path(tmp_path).iterdir()) == before
