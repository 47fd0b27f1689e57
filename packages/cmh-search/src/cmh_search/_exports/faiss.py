"""FAISS: an `IndexBinaryFlat` for each modality, and the items in the order of its rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cmh_search._exports.code_rows import packed_bytes, padded_bits, sides_present
from cmh_search._exports.engine import needed

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search._index import CodeIndex


def write(index: CodeIndex, folder: Path) -> None:
    """Write `image.index`, `text.index`, and beside each its items."""
    faiss = needed("faiss", extra="faiss")
    for side in sides_present(index):
        codes, rows = packed_bytes(index, side)
        flat = faiss.IndexBinaryFlat(padded_bits(index))
        flat.add(codes)
        faiss.write_index_binary(flat, str(folder / f"{side}.index"))
        with (folder / f"{side}.items.jsonl").open("w", encoding="utf-8") as file:
            for row in map(int, rows):
                item = {"id": index.id(row), "labels": index.labels(row), "payload": index.payload(row)}
                file.write(json.dumps(item, ensure_ascii=False) + "\n")
