"""Indexes of codes: their manifest and segments, read and written on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from cmh_search import CodeIndex, IndexWriter
from fuzz import Kind, change_bytes, change_json, register


def codes(n: int) -> np.ndarray:
    """Real outputs."""
    return np.random.default_rng(n).normal(size=(n, 16))


def make(folder: Path) -> None:
    """Two segments, one item deleted."""
    CodeIndex.create(folder / "in", bits=16, label_names=["cat", "dog"])
    with IndexWriter(folder / "in") as writer:
        ids = [f"a{row}" for row in range(6)]
        writer.add(
            ids=ids, image_codes=codes(6), text_codes=codes(6), labels=np.eye(2, dtype=np.uint8)[[0, 1] * 3]
        )
    with IndexWriter(folder / "in") as writer:
        writer.add(ids=["b0", "b1"], text_codes=codes(2), labels=np.eye(2, dtype=np.uint8))
        writer.delete(["a1"])


def ask(folder: Path) -> None:
    """Search, filter and read items."""
    index = CodeIndex(folder / "in")
    for combine in ("nearest", "mean"):
        index.search(codes(2), k=3, combine=combine)
    index.search(codes(1), k=2, labels=["cat"])
    index.within(codes(1), radius=4)


def add(folder: Path) -> None:
    """Add an item."""
    with IndexWriter(folder / "in") as writer:
        writer.add(ids=["c0"], image_codes=codes(1))


def delete(folder: Path) -> None:
    """Delete an item of each segment."""
    with IndexWriter(folder / "in") as writer:
        writer.delete(["a0", "b1"])


def change_data(content: bytes, rng: np.random.Generator) -> bytes:
    """Mostly leave NumPy's header, which is most of a small file."""
    head = 128 if len(content) > 128 and rng.integers(8) else 0
    return content[:head] + change_bytes(content[head:], rng)


with tempfile.TemporaryDirectory() as warm:  # compiles kernels and keeps them, which is no doing of an input
    make(Path(warm))
    ask(Path(warm))
register(
    Kind(name="index-search", make=make, feed=ask, files="*.npy", change=change_data),
    Kind(name="index-manifest", make=make, feed=ask, files="index.json", change=change_json),
    Kind(name="index-add", make=make, feed=add, change=change_data, outputs=("in",)),
    Kind(name="index-delete", make=make, feed=delete, change=change_data, outputs=("in",)),
)
