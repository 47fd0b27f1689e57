"""Codes and labels that `umml evaluate` is given, and what cmh-metrics writes itself."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import h5py
import numpy as np
from cmh_metrics import (
    DatabaseShard,
    PackedCodes,
    RankingTables,
    RetrievalReport,
    ShardedDatabase,
    evaluate,
    pack_codes,
    ranking_tables,
)
from fuzz import Kind, change_json, change_npz, register
from umml_cli.commands.evaluate import evaluate_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTIONS = {"n_resample": 20, "threads": 1, "backend": "numpy"}
SIDES = (("query", 6), ("database", 20))


def arrays() -> dict[str, np.ndarray]:
    """Real outputs and one class an item."""
    rng = np.random.default_rng(0)
    codes = {f"{side}_codes": rng.normal(size=(n, 12)) for side, n in SIDES}
    return codes | {f"{side}_labels": rng.integers(0, 3, n) for side, n in SIDES}


def make_npy(folder: Path) -> None:
    """A file for each array."""
    for name, array in arrays().items():
        np.save(folder / f"{name}.npy", array)


def make_npz(folder: Path) -> None:
    """All in one file."""
    np.savez(folder / "in.npz", **arrays())


def make_hdf5(*, marks: bool) -> Callable[[Path], None]:
    """All in one HDF5 file, with MATLAB's marks or without."""

    def make(folder: Path) -> None:
        with h5py.File(folder / "in.h5", "w") as file:
            for name, array in arrays().items():
                file[name] = np.atleast_2d(array.T) if marks else array
                if marks:
                    file[name].attrs["MATLAB_class"] = np.bytes_("double")

    return make


def make_mat5(folder: Path) -> None:
    """All in one MATLAB 5 file."""
    import scipy.io  # noqa: PLC0415 - only makes good files

    scipy.io.savemat(folder / "in.mat", arrays())


def make_bytes(folder: Path) -> None:
    """Codes packed into bytes."""
    packed = {n: np.packbits(a > 0, axis=1) if "codes" in n else a for n, a in arrays().items()}
    np.savez(folder / "in.npz", **packed)


def make_packed(folder: Path) -> None:
    """Packed codes of ours for the queries."""
    make_npy(folder)
    pack_codes(arrays()["query_codes"]).save(folder / "query_codes.npy")


def score(folder: Path, *, packed: int | None = None) -> None:
    """Evaluate what the folder holds, as the command does."""
    places = {}
    for name in arrays():
        own = folder / f"{name}.npy"
        places[name] = str(own) if own.exists() else f"{next(folder.glob('in.*'))}:{name}"
    options = {**OPTIONS, "threshold": None}
    evaluate_files(places, packed=packed, bitorder="big", options=options).to_json()


def make_report(folder: Path) -> None:
    """A report with everything in it."""
    (folder / "report.json").write_text(evaluate(**arrays(), **OPTIONS, targets="rows").to_json())


def read_report(folder: Path) -> None:
    """Read a report and show it in every form."""
    report = RetrievalReport.from_json((folder / "report.json").read_text("utf-8", errors="replace"))
    report.rows()
    report.to_markdown()
    report.to_latex()
    report.to_json()


def make_own(folder: Path) -> None:
    """Packed codes and ranking tables as they are saved."""
    pack_codes(arrays()["query_codes"]).save(folder / "codes.npz")
    ranking_tables(**arrays(), backend="numpy").to_npz(folder / "tables.npz")


def read_own(folder: Path) -> None:
    """Read both."""
    codes = PackedCodes.load(folder / "codes.npz")
    codes.as_bytes()
    len(RankingTables.from_npz(folder / "tables.npz"))


def score_shards(folder: Path) -> None:
    """Rank a database of which one shard lies in the files of the folder, whatever they are called."""
    given = arrays()
    own = folder / "database_codes.npy"
    one = next(iter(folder.glob("in.*")), None)
    names = {} if one is None else {f"{name}_name": f"database_{name}" for name in ("codes", "labels")}
    shards = [
        DatabaseShard(given["database_codes"], given["database_labels"]),
        DatabaseShard(one or own, one or folder / "database_labels.npy", **names),
    ]
    queries = {name: values for name, values in given.items() if name.startswith("query")}
    ranking_tables(**queries, database_codes=ShardedDatabase(shards), backend="numpy", threads=1)


def change_npy(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the values of an array: other numbers, not a number, another type."""
    array = np.load(io.BytesIO(content)).astype(rng.choice(["f8", "f4", "i8", "i1", "u1", "?"]))
    for _ in range(int(rng.integers(1, 5))):
        array.flat[int(rng.integers(array.size))] = rng.choice([0, 1, 2, 127])
    if rng.integers(3) == 0 and array.dtype.kind == "f":
        array.flat[int(rng.integers(array.size))] = rng.choice([np.nan, np.inf, -np.inf])
    if rng.integers(3) == 0:
        array = (array.T, array.ravel(), array[:0], array[None], array[..., None])[int(rng.integers(5))]
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


evaluate(**arrays(), **OPTIONS)  # compiles kernels and keeps them, which is no doing of an input
register(
    Kind(name="codes-npy", make=make_npy, feed=score),
    Kind(name="codes-values", make=make_npy, feed=score, change=change_npy),
    Kind(name="codes-npz", make=make_npz, feed=score, change=change_npz),
    Kind(name="codes-hdf5", make=make_hdf5(marks=False), feed=score),
    Kind(name="codes-mat73", make=make_hdf5(marks=True), feed=score),
    Kind(name="codes-mat5", make=make_mat5, feed=score),
    Kind(name="codes-bytes", make=make_bytes, feed=lambda f: score(f, packed=12), change=change_npz),
    Kind(name="codes-packed", make=make_packed, feed=score, files="query_codes.npy", change=change_npz),
    Kind(name="shards-npy", make=make_npy, feed=score_shards, files="database*"),
    Kind(name="shards-values", make=make_npy, feed=score_shards, files="database*", change=change_npy),
    Kind(name="shards-npz", make=make_npz, feed=score_shards, change=change_npz),
    Kind(name="shards-hdf5", make=make_hdf5(marks=False), feed=score_shards),
    Kind(name="metrics-own", make=make_own, feed=read_own, change=change_npz),
    Kind(name="metrics-report", make=make_report, feed=read_report, change=change_json),
)
