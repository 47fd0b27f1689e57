"""PostgreSQL: a table of `bit(n)`, for plain PostgreSQL 14 or newer, and one statement more for pgvector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from cmh_search._exports.code_rows import code_rows

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search._index import CodeIndex

_LOAD = """\
-- psql DATABASE -f load.sql, in this folder. Bit strings read from left to right: first bit first.
CREATE TABLE codes (
    number bigint PRIMARY KEY,
    id text NOT NULL,
    side text NOT NULL CHECK (side IN ('image', 'text')),
    code bit({bits}) NOT NULL,
    labels text[] NOT NULL,
    payload jsonb NOT NULL
);
\\copy codes FROM 'codes.tsv'
"""
_PLAIN = """\
-- psql DATABASE -v code=0101... -v k=10 -f query.sql: exact, and needs no extension.
SELECT id, side, bit_count(code # B:'code') AS distance FROM codes ORDER BY distance, number LIMIT :k;
"""
_PGVECTOR = """\
-- psql DATABASE -f pgvector.sql, after load.sql: an approximate index; needs pgvector 0.7 or newer.
CREATE EXTENSION IF NOT EXISTS vector;
CREATE INDEX codes_by_distance ON codes USING hnsw (code bit_hamming_ops);
"""
_PGVECTOR_QUERY = """\
-- psql DATABASE -v code=0101... -v k=10 -f pgvector_query.sql: exact where there is no HNSW index.
SELECT id, side, (code <~> B:'code')::int AS distance FROM codes ORDER BY code <~> B:'code' LIMIT :k;
"""


def write(index: CodeIndex, folder: Path) -> None:
    """Write the rows for COPY, and the statements that load and query them."""
    with (folder / "codes.tsv").open("w", encoding="utf-8", newline="\n") as file:
        for row in code_rows(index):
            bits = "".join(map(str, np.unpackbits(row.code, count=index.bits).tolist()))
            fields = (
                str(row.number), row.id, row.side, bits, _array(row.labels),
                json.dumps(row.payload, ensure_ascii=False),
            )  # fmt: skip
            file.write("\t".join(map(_escaped, fields)) + "\n")
    for name, text in (
        ("load.sql", _LOAD.format(bits=index.bits)),
        ("query.sql", _PLAIN),
        ("pgvector.sql", _PGVECTOR),
        ("pgvector_query.sql", _PGVECTOR_QUERY),
    ):
        (folder / name).write_text(text, encoding="utf-8")


def _escaped(field: str) -> str:
    """A field of COPY's text format."""
    field = field.replace("\x00", "")  # PostgreSQL has no such character
    for character, stands in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        field = field.replace(character, stands)
    return field


def _array(names: tuple[str, ...]) -> str:
    """An array literal."""
    quoted = ('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    return "{" + ",".join(quoted) + "}"
