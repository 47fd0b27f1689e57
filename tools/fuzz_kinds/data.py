"""What cmh-data reads: layouts, its own files, folder builds of every table, archives, label lists."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import cmh_data
import numpy as np
from fuzz import Kind, change_bytes, change_npz, register
from PIL import Image
from scipy.io import savemat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N = 24
LABELS = ["cat", "dog"]


def tables() -> dict[str, np.ndarray]:
    """A small complete data set with gaps."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(N, 8)).astype(np.float32),
        "text": rng.integers(0, 2, (N, 6)).astype(np.uint8),
        "labels": np.arange(N) % 3,
        "train": np.arange(16),
        "test_idx": np.arange(18, N),
        "text_present": np.arange(N) % 4 > 0,
    }


def make_plain(folder: Path) -> None:
    """The plain layout, words as a sparse table with values."""
    content = tables()
    words = content.pop("text")
    starts = np.concatenate([[0], np.cumsum(words.sum(axis=1, dtype=np.int64))])
    parts = {"data": np.full(int(words.sum()), 0.5), "indices": np.nonzero(words)[1], "indptr": starts}
    np.savez_compressed(
        folder / "in.npz", **content, **parts, shape=np.array(words.shape), format=np.array("csr")
    )


def make_sides(folder: Path) -> None:
    """Nine tables."""
    content = tables()
    rows = {"tr": slice(0, 10), "te": slice(18, N), "db": slice(0, 18)}
    views = {"I": "image", "T": "text", "L": "labels"}
    np.savez(
        folder / "in.npz",
        **{f"{view}_{side}": content[views[view]][rows[side]] for view in views for side in rows},
    )


def make_own(folder: Path) -> None:
    """This package's own format, pixels on disk."""
    pixels = np.random.default_rng(1).integers(0, 256, (N, 3, 4, 4), dtype=np.uint8)
    np.savez(folder / "made.npz", **tables() | {"image": pixels})
    cmh_data.save(cmh_data.load(folder / "made.npz"), folder / "in.h5")
    (folder / "made.npz").unlink()


def read(folder: Path) -> None:
    """Inspect, load and draw a split."""
    path = next(path for path in folder.iterdir() if path.is_file())
    cmh_data.inspect(path, missing="zero-rows").to_text()
    data = cmh_data.load(path, unlabelled="keep", missing="nan", split=cmh_data.DrawnSplit(n_query=3))
    data.compute_digest()


def rows() -> list[dict[str, object]]:
    """Items with gaps."""
    return [
        {
            "filename": f"p/{row}.png",
            "text": f"a red thing {row}" if row % 3 else None,
            "labels": ["cat", "dog"][: row % 3],
        }
        for row in range(8)
    ]


def pictures() -> dict[str, bytes]:
    """A few small pictures of several formats."""
    made = {}
    for row, kind in enumerate(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]):
        out = io.BytesIO()
        noise = np.random.default_rng(row).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        Image.fromarray(noise).save(out, kind)
        made[f"p/{row}.png"] = out.getvalue()
    return made


def make_folder(ending: str) -> Callable[[Path], None]:
    """A table and pictures; the table is what changes."""

    def make(folder: Path) -> None:
        listed = rows()
        for name, content in pictures().items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        if ending == "jsonl":
            (folder / "t.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in listed), encoding="utf-8"
            )
        elif ending == "csv":
            lines = [
                "filename;text;labels",
                *(f'{r["filename"]};"{r["text"]}";{"|".join(r["labels"])}' for r in listed),
            ]
            (folder / "t.csv").write_text("\n".join(lines), encoding="utf-8")
        else:
            import pyarrow as pa  # noqa: PLC0415 - only here
            from pyarrow import parquet  # noqa: PLC0415 - likewise

            parquet.write_table(pa.Table.from_pylist(listed), folder / "t.parquet")

    return make


def make_pictures(folder: Path) -> None:
    """A zip file whose pictures and table change."""
    with zipfile.ZipFile(folder / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in pictures().items():
            archive.writestr(name, content)
        archive.writestr("t.jsonl", "".join(json.dumps(row) + "\n" for row in rows()))


def change_zip(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a member inside and pack it again, or the bytes of the zip file."""
    if rng.integers(4) == 0:
        return change_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = sorted(members)[int(rng.integers(len(members)))]
    members[chosen] = change_bytes(members[chosen], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def make_shard(folder: Path) -> None:
    """A shard as webdataset writes them: members of one item share a name."""
    with tarfile.open(folder / "in.tar", "w") as shard:
        for name, content in pictures().items():
            stem = name.removesuffix(".png").rsplit("/", 1)[-1]
            for ending, data in (("png", content), ("txt", f"a red thing {stem}".encode())):
                member = tarfile.TarInfo(f"{stem}.{ending}")
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))


def make_lists(folder: Path) -> None:
    """The lists of CLIP-based programs beside their pictures."""
    make_folder("csv")(folder)
    (folder / "t.csv").unlink()
    paths = [f"/home/a/p/{row}.png" for row in range(6)]
    savemat(folder / "index.mat", {"index": np.array(paths)})
    savemat(folder / "caption.mat", {"caption": np.array([f"a red thing {row}" for row in range(6)])})
    savemat(folder / "label.mat", {"category": np.eye(2, dtype=np.uint8)[np.arange(6) % 2]})


VALUES = (None, True, -1, 1e300, "", "cat", "p/1.png", "../p/1.png", [], ["cat", 3], {"a": 1}, "é" * 300)


def change_lines(content: bytes, rng: np.random.Generator) -> bytes:
    """Change values, columns and order of a table of JSON lines, which stay JSON, or its bytes."""
    if rng.integers(3) == 0:
        return change_bytes(content, rng)
    listed = [json.loads(line) for line in content.splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        row = int(rng.integers(len(listed)))
        key = str(rng.choice(["filename", "text", "labels", "split"]))
        kind = int(rng.integers(5))
        if kind == 0:
            listed[row].pop(key, None)
        elif kind == 1:
            listed.append(dict(listed[row]))
        elif kind == 2:
            listed[row], listed[0] = listed[0], listed[row]
        else:
            listed[row][key] = VALUES[int(rng.integers(len(VALUES)))]
    return "".join(json.dumps(row) + "\n" for row in listed).encode()


def build(folder: Path) -> None:
    """Build from the folder or its zip file, with pixels, and split at random."""
    zipped = next(iter(folder.glob("*.zip")), None)
    built = cmh_data.build_folder(zipped or folder, least_count=1)
    built.dataset(built.pixels(4), n_query=1, keep_together="near-identical")


def build_tar(folder: Path) -> None:
    """Build from the shard, with pixels."""
    built = cmh_data.build_folder(folder / "in.tar", least_count=1)
    built.dataset(built.pixels(4), n_query=1)


register(Kind(name="data-plain", make=make_plain, feed=read, change=change_npz))
register(Kind(name="data-sides", make=make_sides, feed=read, change=change_npz))
register(Kind(name="data-own", make=make_own, feed=read))
register(Kind(name="folder-jsonl", make=make_folder("jsonl"), feed=build, files="t.*", change=change_lines))
for kind in ("csv", "parquet"):
    register(Kind(name=f"folder-{kind}", make=make_folder(kind), feed=build, files="t.*"))
register(Kind(name="folder-zip", make=make_pictures, feed=build, change=change_zip))
register(Kind(name="folder-shard", make=make_shard, feed=build_tar))
register(Kind(name="folder-lists", make=make_lists, feed=build, files="*.mat"))
