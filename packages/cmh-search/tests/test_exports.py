"""Exports that need no engine: what stands in the files, and what is refused."""

import json
import sqlite3

import numpy as np
import pytest
from cmh_search import CodeIndex, CodeIndexError, IndexWriter, export_index
from conftest import random_items

FIRST_BITS = [1, -1, 1, -1, -1, -1, -1, -1, 1, -1]  # 10100000 10


@pytest.fixture
def two(tmp_path):
    CodeIndex.create(tmp_path / "two", bits=10, label_names=['a "b"', "c\\d"])
    with IndexWriter(tmp_path / "two") as writer:
        writer.add(
            ids=["gone", "tab\tline\nend\\", "ü"],
            image_codes=[FIRST_BITS] * 3,
            text_codes=[[-1] * 10] * 3,
            text_present=np.array([True, False, True]),
            labels=[[0, 0], [1, 1], [0, 0]],
            payload=[{}, {"text": "x\ty"}, {}],
        )
        writer.delete(["gone"])
    return CodeIndex(tmp_path / "two")


def test_postgres_rows_by_hand(two, tmp_path):
    names = export_index(two, tmp_path / "out", engine="postgres")
    assert names == ("README.txt", "codes.tsv", "load.sql", "pgvector.sql", "pgvector_query.sql", "query.sql")
    rows = (tmp_path / "out" / "codes.tsv").read_text().split("\n")
    assert rows[0].split("\t") == [
        "0", r"tab\tline\nend\\", "image", "1010000010", r'{"a \\"b\\"","c\\\\d"}', r'{"text": "x\\ty"}'
    ]  # fmt: skip
    assert [row.split("\t")[:4] for row in rows[1:3]] == [
        ["1", "ü", "image", "1010000010"],
        ["2", "ü", "text", "0000000000"],
    ]
    assert "code bit(10) NOT NULL" in (tmp_path / "out" / "load.sql").read_text()


def test_an_opensearch_bulk_follows_the_documented_mapping(two, tmp_path):
    export_index(two, tmp_path / "out", engine="opensearch")
    mapping = json.loads((tmp_path / "out" / "opensearch-mapping.json").read_text())
    code = mapping["mappings"]["properties"]["code"]
    assert (code["type"], code["data_type"], code["space_type"]) == ("knn_vector", "binary", "hamming")
    assert code["dimension"] == 16  # a multiple of 8, as documented
    assert mapping["settings"]["index"]["knn"] is True
    other = json.loads((tmp_path / "out" / "elasticsearch-mapping.json").read_text())
    assert other["mappings"]["properties"]["code"] == {
        "type": "dense_vector",
        "element_type": "bit",
        "dims": 16,
    }
    lines = [json.loads(line) for line in (tmp_path / "out" / "bulk.ndjson").read_text().splitlines()]
    assert lines[0::2] == [{"index": {"_id": str(number)}} for number in range(3)]
    assert lines[1]["code"] == [0b10100000 - 256, 0b10000000 - 256]  # signed bytes
    for document in lines[1::2]:
        assert len(document["code"]) * 8 == code["dimension"]
        assert all(-128 <= byte <= 127 for byte in document["code"])
        assert set(document) == set(mapping["mappings"]["properties"])


def test_milvus_rows_by_hand(two, tmp_path):
    export_index(two, tmp_path / "out", engine="milvus")
    rows = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert rows[0]["code"] == [0b10100000, 0b10000000]
    assert [(row["number"], row["id"], row["side"]) for row in rows[1:]] == [
        (1, "ü", "image"),
        (2, "ü", "text"),
    ]
    assert json.loads((tmp_path / "out" / "settings.json").read_text()) == {"dim": 16}


def test_a_sqlite_database_by_hand(two, tmp_path):
    export_index(two, tmp_path / "out", engine="sqlite-vec")
    database = sqlite3.connect(tmp_path / "out" / "codes.db")
    rows = database.execute("SELECT number, id, side, code, labels, payload FROM codes").fetchall()
    database.close()
    assert rows[0][3] == bytes([0b10100000, 0b10000000])
    assert json.loads(rows[0][4]) == ['a "b"', "c\\d"]
    assert [row[1:3] for row in rows[1:]] == [("ü", "image"), ("ü", "text")]
    assert "bit[16]" in (tmp_path / "out" / "vec0.sql").read_text()


def test_what_cannot_be_exported_is_said_and_leaves_nothing(two, tmp_path):
    with pytest.raises(CodeIndexError, match=r"engine must be faiss, postgres, .* but it is 'qdrant'"):
        export_index(two, tmp_path / "out", engine="qdrant")
    with pytest.raises(CodeIndexError, match="is there already"):
        export_index(two, tmp_path, engine="postgres")
    with pytest.raises(CodeIndexError, match="holds no items"):
        export_index(CodeIndex.create(tmp_path / "empty", bits=8), tmp_path / "out", engine="postgres")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_an_engine_that_is_not_installed_is_named(two, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(CodeIndexError, match=r"faiss is needed here, .*pip install 'cmh-search\[faiss\]'"):
        export_index(two, tmp_path / "out", engine="faiss")


def test_an_index_with_images_only_is_exported(tmp_path, rng):
    CodeIndex.create(tmp_path / "index", bits=16)
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(**random_items(rng, 5, 16, text_share=0.0, image_share=1.0)[2])
    export_index(CodeIndex(tmp_path / "index"), tmp_path / "out", engine="postgres")
    assert len((tmp_path / "out" / "codes.tsv").read_text().splitlines()) == 5
