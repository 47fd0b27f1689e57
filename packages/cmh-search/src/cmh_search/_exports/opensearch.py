"""OpenSearch and Elasticsearch: mappings and one bulk file, whose codes are signed bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_search._exports.code_rows import code_rows, padded_bits

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search._index import CodeIndex

_FIELDS: dict[str, Any] = {
    "id": {"type": "keyword"},
    "side": {"type": "keyword"},
    "labels": {"type": "keyword"},
    "payload": {"type": "object", "enabled": False},
}


def write(index: CodeIndex, folder: Path) -> None:
    """Write both mappings, the bulk file, and exact queries."""
    bits = padded_bits(index)
    opensearch = {
        "settings": {"index": {"knn": True}},
        "mappings": {
            "properties": {
                **_FIELDS,
                "code": {
                    "type": "knn_vector",
                    "dimension": bits,
                    "data_type": "binary",
                    "space_type": "hamming",
                    "method": {"name": "hnsw", "engine": "faiss"},
                },
            }
        },
    }
    elasticsearch = {
        "mappings": {
            "properties": {**_FIELDS, "code": {"type": "dense_vector", "element_type": "bit", "dims": bits}}
        }
    }
    for name, content in (("opensearch", opensearch), ("elasticsearch", elasticsearch)):
        (folder / f"{name}-mapping.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with (folder / "bulk.ndjson").open("w", encoding="utf-8") as file:
        for row in code_rows(index):
            document = {
                "id": row.id,
                "side": row.side,
                "code": row.code.view(np.int8).tolist(),
                "labels": list(row.labels),
                "payload": row.payload,
            }
            file.write(json.dumps({"index": {"_id": str(row.number)}}) + "\n")
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
