"""Milvus: rows in the JSON form of its bulk import, and a script that makes the collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cmh_search._exports.code_rows import code_rows, padded_bits

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search._index import CodeIndex


def write(index: CodeIndex, folder: Path) -> None:
    """Write `rows.json`, a list of rows whose codes are bytes, and the settings of the collection."""
    with (folder / "rows.json").open("w", encoding="utf-8") as file:
        file.write("[")
        for row in code_rows(index):
            content = {
                "number": row.number,
                "id": row.id,
                "side": row.side,
                "code": row.code.tolist(),
                "labels": list(row.labels),
                "payload": row.payload,
            }
            file.write(",\n" if row.number else "\n")
            json.dump(content, file, ensure_ascii=False)
        file.write("\n]\n")
    (folder / "settings.json").write_text(json.dumps({"dim": padded_bits(index)}) + "\n", encoding="utf-8")
