"""Write docs/data-layouts.md: what `inspect` says of one file of every layout.

    uv run tools/describe_layouts.py [--shared ../shared]

Real files come from the folder `data` of the shared folder; where none is at hand, a miniature is made by the
builders of `packages/cmh-data/tests/test_layouts.py`, which write the same keys, axes and containers.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cmh_data
import h5py
import numpy as np
import scipy.io

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
N = 60
INTRODUCTION = """\
# Data layouts

What `umml data inspect` says of one file of every layout that `cmh-data` reads. The layout is found from the
bytes; names do not matter. Real files are public ones of the field; where none was at hand, a miniature of
60 rows with the same keys, axes and container stands in, so its sizes are small and it is no known data set.

A row "problem" or "note" is one sentence about this very file. `rows aligned` is a permutation test:
p = 0.010 means that none of 99 shuffles agreed as well as the file's rows do. `umml data convert FILE out.h5
[--protocol NAME]` writes what was read to one HDF5 file. The page is made by `tools/describe_layouts.py`.

"""
REAL = {
    "Wikipedia, original release with its lists": "files/wikipedia_original",
    "`wikiData.mat` of MTFH, one-hot labels": "files/wikipedia_mtfh/wikiData.mat",
    "`wikiData.mat` of RFDH, class numbers": "files/wikipedia_rfdh/wikiData.mat",
    "`wiki.mat` of RoPH, items in columns": "files/wikipedia_roph/wiki.mat",
    "Pascal Sentence of DSCMR, one file missing": "files/pascal_dscmr",
    "MIR-Flickr25K text lists": "files/mirflickr_lists",
    "Sparse words without images, `.npz`": "mirflickr25k_text_labels.npz",
    "Chinese web news, features and word counts, `.npz`": "webnews.npz",
    "A file that fits no layout": "files/pascal_dscmr/test_img.mat",
}
MINIATURES = {
    "dcmh_triple": "DCMH cut in three files",
    "tc10_triple": "NUS-WIDE TC10 in three files, the text in MATLAB 7.3",
    "vgg_features": "VGG features `XAll`, sparse words",
    "merged_by_matlab": "`FLICKR-25K.mat` merged by MATLAB (DCMH, SSAH)",
    "merged_by_python": "`FLICKR-25K.mat` merged by Python (AGAH)",
    "dadh_flickr": "`FLICKR-25K.mat` of DADH, another file of that name",
    "dadh_nus": "`NUS-WIDE-TC21.mat` of DADH",
    "coco_bow": "`COCO.mat` with `param` and `COCO_BoW.npy`",
    "ucch_coco": "`MSCOCO_deep_doc2vec_data_rand.h5py` of UCCH",
    "sparse_v73": "MATLAB 7.3 with a sparse table",
}


def test_builders() -> ModuleType:
    """The module whose functions write miniatures."""
    path = ROOT / "packages/cmh-data/tests/test_layouts.py"
    spec = importlib.util.spec_from_file_location("test_layouts", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.N = N
    return module


def make_truth() -> dict[str, np.ndarray]:
    """Sixty items whose image and text carry their four labels."""
    rng = np.random.default_rng(7)
    classes = np.arange(N) % 4
    labels = np.eye(4, dtype=np.uint8)[classes]
    labels[::7, 0] = 1
    directions = rng.normal(size=(4, 16))
    brightness = 40 * (labels @ rng.integers(0, 3, (4, 1)))[:, :, None, None]
    return {
        "pixels": (rng.integers(0, 90, (N, 3, 5, 7)) + brightness).astype(np.uint8),
        "features": labels @ directions + 0.4 * rng.normal(size=(N, 16)),
        "words": (rng.random((N, 10)) < 0.1 + 0.6 * labels[:, np.arange(10) % 4]).astype(np.uint8),
        "labels": labels,
        "classes": classes,
    }


def section(title: str, path: Path, folder: Path, *, real: bool) -> str:
    """What `inspect` says of a path, as seen from its folder."""
    os.chdir(folder)
    shown = path.relative_to(folder)
    try:
        text = cmh_data.inspect(shown).to_text()
    except cmh_data.DataError as error:
        text = f"Error: {error}"
    kind = "A real file." if real else "A miniature."
    return f"## {title}\n\n{kind}\n\n```\n$ umml data inspect {shown}\n{text}\n```\n"


def write_iapr(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """The tables of UCCH."""
    parts = {"Database": slice(0, 50), "Test": slice(50, N)}
    tables = {}
    for side, rows in parts.items():
        tables |= {f"V{side}": truth["features"][rows], f"Y{side}": truth["words"][rows]}
        tables[f"{side.lower()}L"] = truth["labels"][rows]
    scipy.io.savemat(folder / "iapr-tc12-rand.mat", tables)
    return folder / "iapr-tc12-rand.mat"


def write_digits(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """Three views and class numbers from 1."""
    views = {"I": truth["features"], "T": truth["words"].astype(float), "P": truth["features"][:, :5]}
    views["L"] = truth["classes"][:, None] + 1
    parts = {"tr": slice(0, 45), "te": slice(45, N)}
    tables = {f"{view}_{side}": table[rows] for view, table in views.items() for side, rows in parts.items()}
    scipy.io.savemat(folder / "uci_all.mat", tables)
    return folder / "uci_all.mat"


def write_captions(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """Three MATLAB 5 files."""
    scipy.io.savemat(folder / "index.mat", {"index": np.array([f"im{row}.jpg" for row in range(N)])})
    captions = np.array(["a cat", "the long dog"] * (N // 2), dtype=object)
    scipy.io.savemat(folder / "caption.mat", {"caption": captions})
    scipy.io.savemat(folder / "label.mat", {"category": truth["labels"].astype(float)})
    return folder


def write_cells(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """Texts as object references."""
    builders = test_builders()
    path = builders.matlab73(folder / "all.mat", {"category": truth["labels"]})
    with h5py.File(path, "r+") as file:
        builders.cells(file, "index", [f"im{row}.jpg" for row in range(N)])
        builders.cells(file, "caption", ["a cat", "the long dog"] * (N // 2))
    return path


def write_deephash(folder: Path, truth: dict[str, np.ndarray], ending: str = ".jpg") -> Path:
    """Training rows that overlap the database by half."""
    sides = {"train": range(20), "database": range(10, 50), "test": range(50, N)}
    for side, rows in sides.items():
        lines = (f"x/im{row}{ending} {' '.join(map(str, truth['labels'][row]))}\n" for row in rows)
        (folder / f"{side}.txt").write_text("".join(lines))
    return folder


def write_deephash_nus(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """Twenty-one label columns, most of them empty."""
    labels = np.pad(truth["labels"], ((0, 0), (0, 17)))  # 21 columns
    return write_deephash(folder, {"labels": labels}, "_m.jpg")


def write_ugach(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """Two lists for each side."""
    for side, rows in (("train", range(40)), ("test", range(40, N))):
        (folder / f"{side}_img.txt").write_text("".join(f"im{row}.jpg\n" for row in rows))
        lines = (" ".join(map(str, truth["labels"][row])) + "\n" for row in rows)
        (folder / f"{side}_label.txt").write_text("".join(lines))
    return folder


def write_own(folder: Path, truth: dict[str, np.ndarray]) -> Path:
    """The plain layout."""
    np.savez(
        folder / "mine.npz", image=truth["features"].astype(np.float32), text=truth["words"],
        labels=truth["labels"], train=np.arange(40), query=np.arange(40, N),
    )  # fmt: skip
    return folder / "mine.npz"


OTHERS = {
    "IAPR TC-12 of UCCH, split already": ("iapr", write_iapr),
    "UCI digits of FSH, three views": ("digits", write_digits),
    "Paths, captions and labels (MITH, DCHMT, DSPH)": ("captions", write_captions),
    "The same as cell arrays of MATLAB 7.3": ("cells", write_cells),
    "Split lists of DeepHash and HashNet": ("deephash", write_deephash),
    "Split lists of DeepHash for NUS-WIDE, names with `_m`": ("deephash-nus", write_deephash_nus),
    "Lists of names and of labels (UGACH)": ("ugach", write_ugach),
    "Your own data, `.npz`": ("mine", write_own),
}


def main() -> None:
    """Describe every file and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    data = parser.parse_args().shared.resolve() / "data"
    sections = [
        section(title, data / name, data / name.split("/")[0] if "/" in name else data, real=True)
        for title, name in REAL.items()
    ]
    builders, truth = test_builders(), make_truth()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name, title in MINIATURES.items():
            folder = root / name.replace("_", "-")
            folder.mkdir()
            sections.append(section(title, getattr(builders, name)(folder, truth)[0], root, real=False))
        for title, (name, write) in OTHERS.items():
            folder = root / name
            folder.mkdir()
            sections.append(section(title, write(folder, truth), root, real=False))
        cmh_data.save(cmh_data.sample(), root / "emoji.h5")
        sections.append(
            section("This project's own format: the emoji data set", root / "emoji.h5", root, real=True)
        )
        os.chdir(ROOT)
    (ROOT / "docs/data-layouts.md").write_text(INTRODUCTION + "\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
