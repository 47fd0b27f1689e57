"""What cmh-files and cmh-unpair read and rewrite."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from cmh_files import attributes, container, variables
from cmh_files.hdf5 import child
from cmh_files.hdf5 import open as hdf5_open
from cmh_unpair import UnpairingPlan, plan_unpairing, unpair_file
from fuzz import Kind, change_bytes, change_json, change_npz, register

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N = 24
PLAN = plan_unpairing(16, unpaired_images=30, unpaired_text=20, block=8)


def arrays() -> dict[str, np.ndarray]:
    """Small tables of images, texts and labels."""
    rng = np.random.default_rng(0)
    return {
        "XAll": rng.normal(size=(N, 8)).astype(np.float32),
        "YAll": rng.integers(0, 2, (N, 6)).astype(np.uint8),
        "LAll": np.eye(3, dtype=np.uint8)[np.arange(N) % 3],
    }


def make_hdf5(folder: Path) -> None:
    """Chunks, filters, groups and strings."""
    with h5py.File(folder / "in.h5", "w") as file:
        file.create_dataset("XAll", data=arrays()["XAll"], chunks=(5, 8), compression="gzip", shuffle=True)
        file.create_dataset("YAll", data=arrays()["YAll"], chunks=(1, 6))
        file["LAll"] = arrays()["LAll"]
        file["param/indexQuery"] = np.arange(1.0, 9.0)
        file["names"] = ["one", "two"]
        file.attrs["digest"] = "0123"


def make_user_block(folder: Path) -> None:
    """The same behind a block of 1,024 bytes."""
    with h5py.File(folder / "in.h5", "w", userblock_size=1024) as file:
        for key, array in arrays().items():
            file.create_dataset(key, data=array, fletcher32=key == "YAll")


def make_mat73(folder: Path) -> None:
    """MATLAB 7.3: rows last, a sparse table, cells of text, pixels."""
    with h5py.File(folder / "in.mat", "w", userblock_size=512) as file:
        pixels = np.random.default_rng(1).integers(0, 256, (N, 3, 6, 6), dtype=np.uint8)
        file.create_dataset("IAll", data=pixels, chunks=(1, 3, 6, 6))
        file.create_dataset("XAll", data=arrays()["XAll"].T, compression="gzip", shuffle=True)
        group = file.create_group("YAll")
        group.attrs["MATLAB_sparse"] = np.uint64(N)
        words = arrays()["YAll"]
        rows = np.concatenate([np.flatnonzero(column) for column in words.T])
        group["data"], group["ir"] = np.ones(len(rows)), rows.astype(np.uint64)
        group["jc"] = np.concatenate([[0], np.cumsum(words.sum(axis=0, dtype=np.int64))]).astype(np.uint64)
        names = [
            file.create_dataset(f"#refs#/{n}", data=np.array([[105], [109]], np.uint16)) for n in range(N)
        ]
        cells = file.create_dataset(
            "ids", data=np.array([[name.ref for name in names]], dtype=h5py.ref_dtype)
        )
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with (folder / "in.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def mat5(*, compressed: bool) -> Callable[[Path], None]:
    """MATLAB 5: tables, a sparse table, a struct, cells of text."""

    def make(folder: Path) -> None:
        import scipy.io  # noqa: PLC0415 - only makes good files
        import scipy.sparse  # noqa: PLC0415 - as above

        content: dict[str, Any] = {"XAll": arrays()["XAll"], "LAll": arrays()["LAll"]}
        content["YAll"] = scipy.sparse.csc_array(arrays()["YAll"].astype(float))
        content["param"] = {"X1": np.eye(N), "words": "text", "rows": np.arange(5)}
        content["ids"] = np.array(["a", "long word", "é"], dtype=object)
        scipy.io.savemat(folder / "in.mat", content, do_compression=compressed)

    return make


def make_npz(folder: Path) -> None:
    """Tables in both orders and a sparse table of words."""
    words = arrays()["YAll"]
    starts = np.concatenate([[0], np.cumsum(words.sum(axis=1, dtype=np.int64))])
    table = {"indptr": starts, "indices": np.nonzero(words)[1], "shape": np.array(words.shape)}
    np.savez_compressed(
        folder / "in.npz",
        XAll=arrays()["XAll"],
        FAll=np.asfortranarray(arrays()["XAll"]),
        LAll=arrays()["LAll"],
        **table,
    )


def change_mat5(content: bytes, rng: np.random.Generator) -> bytes:
    """Change an element inside and pack it again."""
    if rng.integers(4) == 0:
        return change_bytes(content, rng)
    parts, start = [content[:128]], 128
    while start + 8 <= len(content):
        _, size = struct.unpack_from("<II", content, start)
        parts.append(content[start : start + 8 + size])
        start += 8 + size
    chosen = int(rng.integers(1, len(parts)))
    packed = zlib.compress(change_bytes(zlib.decompress(parts[chosen][8:]), rng))
    parts[chosen] = struct.pack("<II", 15, len(packed)) + packed
    return b"".join(parts)


def unpair(folder: Path) -> None:
    """Empty rows of the one file, with digests."""
    (path,) = folder.glob("in.*")
    unpair_file(path, folder / "out", PLAN, rows=range(2, 18), digests=True)


def unpair_with_mean(folder: Path) -> None:
    """Fill with the mean, and add a marker to the texts where they are no sparse table."""
    (path,) = folder.glob("in.*")
    unpair_file(path, folder / "out", PLAN, rows=range(2, 18), fill="mean", text_key="LAll", marker="text")


def read_all(folder: Path) -> None:
    """Read every variable that can be read."""
    (path,) = folder.glob("in.*")
    for variable in variables(path):
        if variable.dtype != object:
            variable.read()
            if variable.rows is not None and len(variable.rows):
                variable.rows[: min(3, len(variable.rows))]
                variable.rows.close()
    if container(path) == "hdf5":
        attributes(path)


def here(work: Callable[[Path], None]) -> Callable[[Path], None]:
    """The same work without child processes."""

    def ask(_helper: child.Helper, path: Path, request: dict[str, Any], given: dict[str, Any]) -> Any:
        content = io.BytesIO()
        text = json.dumps(request | {"path": str(path)})
        np.savez(content, **{**given, "request": np.frombuffer(text.encode(), np.uint8)})
        return child.perform(content.getvalue())

    def quick(folder: Path) -> None:
        real_ask, real_probe = child.Helper.ask, hdf5_open._probe  # noqa: SLF001 - to do without it
        child.Helper.ask, hdf5_open._probe = ask, lambda _path: None  # noqa: SLF001 - as above
        try:
            work(folder)
        finally:
            child.Helper.ask, hdf5_open._probe = real_ask, real_probe  # noqa: SLF001 - as above

    return quick


def make_plan(folder: Path) -> None:
    """A plan with everything in it."""
    plan = plan_unpairing(40, unpaired_images=20, unpaired_text=10, shuffle=20, discard=5, seed=0)
    present = np.arange(40) % 7 != 0
    (folder / "plan.json").write_text(
        plan.with_missing(image_present=present, text_present=present[::-1]).to_json()
    )


def read_plan(folder: Path) -> None:
    """Read a plan and use it."""
    plan = UnpairingPlan.from_json((folder / "plan.json").read_bytes())
    plan.summary()
    plan.apply(np.ones((len(plan), 2)), np.ones((len(plan), 3)))


HDF5 = {"hdf5": make_hdf5, "user-block": make_user_block, "mat73": make_mat73}
for name, make in HDF5.items():
    register(
        Kind(name=f"read-{name}", make=make, feed=read_all, quick=here(read_all)),
        Kind(name=f"unpair-{name}", make=make, feed=unpair, quick=here(unpair), outputs=("out",)),
    )
register(
    Kind(
        name="mean-hdf5",
        make=make_hdf5,
        feed=unpair_with_mean,
        quick=here(unpair_with_mean),
        outputs=("out",),
    ),
    Kind(name="read-mat5", make=mat5(compressed=False), feed=read_all),
    Kind(name="read-mat5-compressed", make=mat5(compressed=True), feed=read_all, change=change_mat5),
    Kind(name="unpair-mat5", make=mat5(compressed=False), feed=unpair, outputs=("out",)),
    Kind(
        name="unpair-mat5-compressed",
        make=mat5(compressed=True),
        feed=unpair,
        change=change_mat5,
        outputs=("out",),
    ),
    Kind(name="mean-mat5", make=mat5(compressed=False), feed=unpair_with_mean, outputs=("out",)),
    Kind(name="read-npz", make=make_npz, feed=read_all, change=change_npz),
    Kind(name="unpair-npz", make=make_npz, feed=unpair, change=change_npz, outputs=("out",)),
    Kind(name="mean-npz", make=make_npz, feed=unpair_with_mean, change=change_npz, outputs=("out",)),
    Kind(name="plan", make=make_plan, feed=read_plan, change=change_json),
)
