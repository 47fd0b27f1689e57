"""SQLite with sqlite-vec: a database whose codes are blobs that `vec_bit` and `vec0` take."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING

from cmh_search._exports.code_rows import code_rows, padded_bits

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search._index import CodeIndex

_TABLE = """CREATE TABLE codes (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, side TEXT NOT NULL, code BLOB NOT NULL,
    labels TEXT NOT NULL, payload TEXT NOT NULL
)"""
_VIRTUAL = """\
-- sqlite3 codes.db < vec0.sql, with the extension loaded: the same codes as a table of sqlite-vec.
CREATE VIRTUAL TABLE code_vectors USING vec0(code bit[{bits}]);
INSERT INTO code_vectors (rowid, code) SELECT number, vec_bit(code) FROM codes;
-- SELECT id, side, distance FROM code_vectors JOIN codes ON number = code_vectors.rowid
--   WHERE code_vectors.code MATCH vec_bit(X'...') AND k = 10 ORDER BY distance;
"""


def write(index: CodeIndex, folder: Path) -> None:
    """Write `codes.db`, which needs no extension to be made, and the statements for a `vec0` table."""
    with contextlib.closing(sqlite3.connect(folder / "codes.db")) as database, database:
        database.execute(_TABLE)
        database.executemany(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    row.number, row.id, row.side, row.code.tobytes(),
                    json.dumps(row.labels, ensure_ascii=False), json.dumps(row.payload, ensure_ascii=False),
                )
                for row in code_rows(index)
            ),
        )  # fmt: skip
    (folder / "vec0.sql").write_text(_VIRTUAL.format(bits=padded_bits(index)), encoding="utf-8")
