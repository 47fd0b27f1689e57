"""Lance: a table of uint8 vectors, which LanceDB searches by Hamming distance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cmh_search._exports.code_rows import code_rows
from cmh_search._exports.engine import needed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cmh_search._index import CodeIndex

_BATCH = 8192


def write(index: CodeIndex, folder: Path) -> None:
    """Write the database `lance` with the table `codes`."""
    lancedb = needed("lancedb", extra="lance")
    pyarrow = needed("pyarrow", extra="lance")
    width = -(-index.bits // 8)
    schema = pyarrow.schema(
        [
            ("number", pyarrow.int64()),
            ("id", pyarrow.string()),
            ("side", pyarrow.string()),
            ("code", pyarrow.list_(pyarrow.uint8(), width)),
            ("labels", pyarrow.list_(pyarrow.string())),
            ("payload", pyarrow.string()),
        ]
    )
    lancedb.connect(str(folder / "lance")).create_table(
        "codes", data=_batches(index, pyarrow, schema), schema=schema
    )


def _batches(index: CodeIndex, pyarrow: Any, schema: Any) -> Iterator[Any]:
    rows: list[dict[str, Any]] = []
    for row in code_rows(index):
        rows.append(
            {
                "number": row.number,
                "id": row.id,
                "side": row.side,
                "code": row.code.tolist(),
                "labels": list(row.labels),
                "payload": json.dumps(row.payload, ensure_ascii=False),
            }
        )
        if len(rows) == _BATCH:
            yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
            rows = []
    if rows:
        yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
