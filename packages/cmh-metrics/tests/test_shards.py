"""A database in shards is scored as the same rows in one array, wherever and however the shards are read."""

import itertools
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cmh_metrics
import h5py
import numpy as np
import pytest
from cmh_metrics import (
    BackendUnavailable,
    CodeValueError,
    DatabaseShard,
    RayMap,
    ShardedDatabase,
    WorkerDied,
    evaluate,
    hamming_topk,
    mean_average_precision,
    pack_codes,
    ranking_tables,
)
from cmh_metrics._inputs import ranking_inputs
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_maps import DeadlyRows, two_processes

CUTS = [0, 1, 1, 9, 40, 100]  # rows where shards begin and end; what is empty is left out


def in_shards(arrays, cuts=CUTS, **options):
    """The same arguments with the database in shards."""
    sent = dict(arrays)
    whole = {name: sent.pop(f"database_{name}", None) for name in ("codes", "labels", "ids")}
    parts = [
        DatabaseShard(**{name: None if rows is None else rows[a:b] for name, rows in whole.items()})
        for a, b in itertools.pairwise(cuts)
        if a < b
    ]
    return sent | {"database_codes": ShardedDatabase(parts, **options)}


def same_tables(found, expected):
    np.testing.assert_array_equal(found.retrieved, expected.retrieved)
    np.testing.assert_array_equal(found.relevant, expected.relevant)


def test_two_shards_by_hand():
    """Distances 0, 1 | 1, 2; relevant are the first and the last: precisions 1/1 and 2/4."""
    shards = [
        DatabaseShard([[1, 1], [1, -1]], [[1], [0]]),
        DatabaseShard([[-1, 1], [-1, -1]], [[0], [1]]),
    ]
    arguments = {
        "query_codes": [[1, 1]],
        "query_labels": [[1]],
        "database_codes": ShardedDatabase(shards),
    }
    tables = ranking_tables(**arguments)
    assert tables.retrieved.tolist() == [[1, 2, 1]]
    assert tables.relevant.tolist() == [[1, 0, 1]]
    assert mean_average_precision(**arguments) == 0.75
    distances, rows = hamming_topk(query_codes=[[1, 1]], database_codes=ShardedDatabase(shards), k=3)
    assert (distances.tolist(), rows.tolist()) == ([[0, 1, 1]], [[0, 1, 2]])


def signed_table(labels):
    return labels.astype(np.int8) * 2 - 1


def names(labels):
    return np.array(["dog", "cat", "owl", "eel"])[labels.argmax(axis=1)]


@pytest.mark.parametrize("kind", ["signs", "bits", "real", "packed"])
@pytest.mark.parametrize("labels", ["table", "signed", "numbers", "names"])
def test_a_report_is_that_of_one_array(make_arrays, kind, labels):
    arrays = make_arrays(7, 100, 20, 4)
    for side in ("query", "database"):
        codes = arrays[f"{side}_codes"]
        arrays[f"{side}_codes"] = {
            "signs": lambda codes: codes,
            "bits": lambda codes: codes > 0,
            "real": lambda codes: codes * np.linspace(0.1, 3, codes.shape[1]),
            "packed": pack_codes,
        }[kind](codes)
        table = arrays[f"{side}_labels"]
        arrays[f"{side}_labels"] = {
            "table": lambda table: table,
            "signed": signed_table,
            "numbers": lambda table: table.argmax(axis=1),
            "names": names,
        }[labels](table)
    for targets in (None, "rows", [[3, 99], [0, -1], [1, 5], [6, 2], [50, 51], [40, -1], [8, 9]]):
        found = evaluate(**in_shards(arrays), targets=targets)
        assert found.to_json() == evaluate(**arrays, targets=targets).to_json()


def test_both_tasks(make_arrays):
    arrays = make_arrays(4, 100, 16, 3)
    other = make_arrays(4, 100, 16, 3, seed=1)
    sharded, others = in_shards(arrays), in_shards(arrays | {"database_codes": other["database_codes"]})
    found = evaluate(
        query_codes={"image": arrays["query_codes"], "text": other["query_codes"]},
        query_labels=arrays["query_labels"],
        database_codes={"image": sharded["database_codes"], "text": others["database_codes"]},
    )
    expected = evaluate(
        query_codes={"image": arrays["query_codes"], "text": other["query_codes"]},
        query_labels=arrays["query_labels"],
        database_codes={"image": arrays["database_codes"], "text": other["database_codes"]},
        database_labels=arrays["database_labels"],
    )
    assert found.to_json() == expected.to_json()


@pytest.mark.parametrize("options", [{}, {"k": 5}, {"k": 2, "normalise": "first-relevant"}])
def test_a_report_with_ties_by_row_is_that_of_one_array(make_arrays, options):
    arrays = make_arrays(7, 100, 6, 4)
    options = {**options, "ties": "index", "targets": "rows"}
    found = evaluate(**in_shards(arrays), **options)
    assert found.to_json() == evaluate(**arrays, **options).to_json()
    assert found.to_json() != evaluate(**in_shards(arrays), **options | {"ties": "expected"}).to_json()


def test_ties_by_row_over_two_shards_by_hand():
    """All at one distance; relevant are rows 1 and 2, the last of one shard and the first of the next."""
    shards = [DatabaseShard([[1, 1], [1, 1]], [[0], [1]]), DatabaseShard([[1, 1], [1, 1]], [[1], [0]])]
    arguments = {"query_codes": [[1, 1]], "query_labels": [[1]], "ties": "index"}
    for order, expected, precisions in (
        (shards, (1 / 2 + 2 / 3) / 2, [0, 1 / 2, 2 / 3]),
        (shards[::-1], (1 / 1 + 2 / 4) / 2, [1, 1 / 2, 1 / 3]),
    ):
        assert mean_average_precision(**arguments, database_codes=ShardedDatabase(order)) == expected
        found = cmh_metrics.precision_at(**arguments, database_codes=ShardedDatabase(order), ks=[1, 2, 3])
        assert found.ravel().tolist() == precisions


BY_ROW = {
    "average_precision": [{}, {"k": 5}, {"k": 9, "normalise": "first-relevant"}],
    "map_by_class": [{}, {"relevance": "class"}],
    "precision_at": [{"ks": [1, 3, 99, 200]}],
    "recall_at": [{"ks": [2, 10]}],
}


@pytest.mark.parametrize(("name", "options"), [(name, one) for name, all_ in BY_ROW.items() for one in all_])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_each_measure_with_ties_by_row(make_arrays, name, options, ids, backend):
    arrays = make_arrays(7, 100, 5, 4)
    if ids:
        rng = np.random.default_rng(0)
        arrays |= {"query_ids": rng.integers(30, size=7), "database_ids": rng.integers(30, size=100)}
    measure = getattr(cmh_metrics, name)
    options = {**options, "ties": "index", "backend": backend}
    np.testing.assert_array_equal(measure(**in_shards(arrays), **options), measure(**arrays, **options))


MEASURES = {
    "average_precision": {"k": 5, "normalise": "retrieved"},
    "average_precision_within_radius": {"radius": 6},
    "map_by_class": {"relevance": "class"},
    "ndcg": {"k": 7, "gain": "linear"},
    "precision_at": {"ks": [1, 3]},
    "precision_within_radius": {"radius": 6},
    "r_precision": {},
    "recall_at": {"ks": [1, 3], "ties": "best"},
}


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("ids", [False, True])
def test_each_measure(make_arrays, name, ids):
    arrays = make_arrays(7, 100, 20, 4)
    if ids:
        rng = np.random.default_rng(0)
        arrays |= {"query_ids": rng.integers(30, size=7), "database_ids": rng.integers(30, size=100)}
    measure = getattr(cmh_metrics, name)
    np.testing.assert_array_equal(
        measure(**in_shards(arrays), **MEASURES[name]), measure(**arrays, **MEASURES[name])
    )


@pytest.mark.parametrize("measure", ["instance_recall_at", "instance_ranks"])
def test_instances(make_arrays, measure):
    arrays = {name: codes for name, codes in make_arrays(9, 100, 12, 1).items() if "codes" in name}
    recall = [{"ks": [1, 5, 20], "ties": ties} for ties in ("expected", "index")]
    for options in recall if measure == "instance_recall_at" else [{}]:
        for targets in (None, [[i * 11, i] for i in range(1, 10)]):
            found, expected = (
                getattr(cmh_metrics, measure)(**given, **options, targets=targets)
                for given in (in_shards(arrays), arrays)
            )
            np.testing.assert_array_equal(found, expected)


def test_query_ids_of_targets_are_found_in_shards(make_arrays):
    arrays = make_arrays(3, 100, 12, 2) | {"query_ids": [7, 8, 99], "database_ids": np.arange(100)}
    for given_arrays in (arrays, in_shards(arrays)):
        with pytest.raises(ValueError, match="one is left out as the query's own row"):
            evaluate(**given_arrays, targets=[1, 2, 99])
        evaluate(**given_arrays, targets=[1, 2, 98])


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 40),
    bits=st.integers(1, 70),
    n_label=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    k=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_any_split(n, bits, n_label, cuts, k, seed):
    rng = np.random.default_rng(seed)
    arrays = {
        "query_codes": rng.integers(2, size=(3, bits), dtype=np.uint8),
        "database_codes": rng.integers(2, size=(n, bits), dtype=np.uint8),
        "query_labels": rng.integers(2, size=(3, n_label)),
        "database_labels": rng.integers(2, size=(n, n_label)),
    }
    sharded = in_shards(arrays, sorted({0, n, *(cut for cut in cuts if cut < n)}))
    same_tables(ranking_tables(**sharded), ranking_tables(**arrays))
    found = hamming_topk(query_codes=arrays["query_codes"], database_codes=sharded["database_codes"], k=k)
    expected = hamming_topk(**{name: arrays[name] for name in ("query_codes", "database_codes")}, k=k)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 400),
    bits=st.sampled_from([1, 7, 8, 16, 32, 48, 64, 65, 96, 128, 256, 512]),
    n_label=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    k=st.none() | st.integers(1, 450),
    normalise=st.sampled_from(["min", "retrieved", "relevant", "first-relevant"]),
    n_code=st.integers(1, 400),
    slab_rows=st.integers(1, 400),
    seed=st.integers(0, 9999),
)
def test_any_split_with_ties_by_row(n, bits, n_label, cuts, k, normalise, n_code, slab_rows, seed):
    """To the last bit, with one-row shards, few different codes, and slabs within shards."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(2, size=(n_code, bits), dtype=np.uint8)
    arrays = {
        "query_codes": rng.integers(2, size=(3, bits), dtype=np.uint8),
        "database_codes": kinds[rng.integers(n_code, size=n)],
        "query_labels": rng.integers(2, size=(3, n_label)),
        "database_labels": rng.integers(2, size=(n, n_label)),
    }
    sharded = in_shards(arrays, sorted({0, n, *(cut for cut in cuts if cut < n)}))
    options = {"ties": "index", "k": k, "normalise": normalise, "no_relevant": "nan"}
    expected = cmh_metrics.average_precision(**arrays, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_inputs, "SLAB_ROWS", slab_rows)
        np.testing.assert_array_equal(cmh_metrics.average_precision(**sharded, **options), expected)
        cut = {"ties": "index", "ks": [1, k or 7]}
        np.testing.assert_array_equal(
            cmh_metrics.precision_at(**sharded, **cut), cmh_metrics.precision_at(**arrays, **cut)
        )


@pytest.mark.parametrize(("ties", "readings"), [("expected", 3), ("index", 5)])
def test_how_often_evaluate_reads_each_shard(make_arrays, ties, readings):
    """Tables and what warnings look at; grades; classes. By row, places for all and for classes, too."""
    passes = []

    def counted(function, tasks):
        passes.append(1)
        return map(function, tasks)

    evaluate(**in_shards(make_arrays(7, 100, 20, 4), map=counted), ties=ties)
    assert len(passes) == readings


def test_what_travels_with_a_shard_is_its_own(make_arrays):
    """Two tables for each shard on the second way, and those of the others do not come along."""
    sent = []

    def recorded(function, tasks):
        tasks = list(tasks)
        sent.append([task.given for task in tasks])
        return map(function, tasks)

    arrays = make_arrays(3, 100, 8, 2)
    mean_average_precision(**in_shards(arrays, map=recorded), ties="index")
    first, second = sent
    assert first == [None] * 4
    assert [[table.shape for table in tables] for tables in second] == [[(3, 9)] * 2] * 4
    retrieved = ranking_tables(**arrays).retrieved
    np.testing.assert_array_equal(second[0][0], retrieved.cumsum(axis=1) - retrieved)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_backends(make_arrays, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    arrays = make_arrays(3, 100, 20, 4)
    same_tables(ranking_tables(**in_shards(arrays), backend=backend), ranking_tables(**arrays))


# files


ROWS = slice(0, 70), slice(70, 100)


@pytest.fixture(params=["npy", "npz", "named npz", "h5", "named h5", "packed"])
def shard_files(request, make_arrays, tmp_path):
    """(the four arrays with ids, the same with shards that lie in files)"""
    arrays = make_arrays(5, 100, 20, 4)
    arrays |= {"query_ids": np.arange(5), "database_ids": np.arange(100) % 60}
    shards = []
    for number, rows in enumerate(ROWS):
        part = {name: arrays[f"database_{name}"][rows] for name in ("codes", "labels", "ids")}
        shards.append(write_shard(request.param, tmp_path, number, part))
    database = ShardedDatabase(shards)
    sent = {name: values for name, values in arrays.items() if name.startswith("query")}
    return arrays, sent | {"database_codes": database}


def write_shard(kind, folder, number, part):
    paths, keys = {}, {}
    for name, values in part.items():
        path = folder / f"{name}-{number}.bin"  # what a file is, its bytes say
        paths[name] = str(path) if number else path
        with path.open("wb") as file:
            if kind == "packed" and name == "codes":
                pack_codes(values).save(path)
            elif kind in ("npy", "packed"):
                np.save(file, values)
            elif kind == "npz":
                np.savez(file, some=values)
            elif kind == "named npz":
                np.savez_compressed(file, some=values, other=1)
                keys[f"{name}_name"] = "some"
            else:
                file.close()
                with h5py.File(path, "w") as store:
                    store["of/some" if kind == "named h5" else "some"] = values
                if kind == "named h5":
                    keys[f"{name}_name"] = "of/some"
    return DatabaseShard(**paths, **keys)


def test_files(shard_files):
    arrays, sharded = shard_files
    same_tables(ranking_tables(**sharded), ranking_tables(**arrays))


def test_codes_of_several_kinds(make_arrays, tmp_path):
    arrays = make_arrays(3, 100, 20, 4)
    codes, labels = arrays["database_codes"], arrays["database_labels"]
    pack_codes(codes[:30]).save(tmp_path / "packed.npz")
    shards = [
        DatabaseShard(tmp_path / "packed.npz", labels[:30]),
        DatabaseShard(codes[30:60] * 0.5, labels[30:60]),
        DatabaseShard(codes[60:], labels[60:]),
    ]
    report = evaluate(**arrays | {"database_codes": ShardedDatabase(shards), "database_labels": None})
    assert report["retrieval"].average_precision.tolist() == (
        evaluate(**arrays)["retrieval"].average_precision.tolist()
    )
    assert report["retrieval"].readings["database_codes"] == (
        "packed bits, real outputs, a zero counting as +1"
    )


# maps


@pytest.mark.parametrize("kind", ["npy", "packed"])
def test_threads_and_processes(kind, make_arrays, tmp_path):
    arrays = make_arrays(5, 100, 20, 4)
    if kind == "packed":
        arrays |= {"database_codes": pack_codes(arrays["database_codes"])}
    parts = [{name: arrays[f"database_{name}"][rows] for name in ("codes", "labels")} for rows in ROWS]
    shards = [write_shard(kind, tmp_path, number, part) for number, part in enumerate(parts)]
    sharded = {name: values for name, values in arrays.items() if name.startswith("query")}
    expected = evaluate(**arrays).to_json()
    with ThreadPoolExecutor(2) as threads, two_processes() as processes:
        for pool in (threads, processes):
            database = ShardedDatabase(shards, map=pool.map)
            assert evaluate(**sharded | {"database_codes": database}).to_json() == expected
            by_row = evaluate(**sharded | {"database_codes": database}, ties="index").to_json()
            assert by_row == evaluate(**arrays, ties="index").to_json()
            found = hamming_topk(query_codes=arrays["query_codes"], database_codes=database, k=90)
            topk = hamming_topk(
                query_codes=arrays["query_codes"], database_codes=arrays["database_codes"], k=90
            )
            for one, other in zip(found, topk, strict=True):
                np.testing.assert_array_equal(one, other)


def another_map(function, shards):
    return map(function, shards)


def test_threads_of_a_shard(make_arrays, monkeypatch):
    """All of them one shard after the other, one where others may be beside it, and what a caller says."""
    from cmh_metrics._backends import backends

    used = []
    tables_of_part = backends.tables_of_part

    def recorded(inputs, compute):
        used.append(compute.threads)
        return tables_of_part(inputs, compute)

    monkeypatch.setattr(backends, "tables_of_part", recorded)
    monkeypatch.setattr("cmh_metrics._inputs.compute.available_threads", lambda: 3)
    arrays = make_arrays(3, 100, 8, 1)
    for options, threads, expected in (
        ({}, None, 3),
        ({}, 2, 2),
        ({"map": another_map}, None, 1),
        ({"map": another_map}, 2, 2),
    ):
        used.clear()
        ranking_tables(**in_shards(arrays, **options), threads=threads)
        assert set(used) == {expected}


def test_a_worker_that_dies():
    shards = [DatabaseShard([[1] * 8] * 4, [[1]] * 4), DatabaseShard(DeadlyRows(), [[1]] * 4)]
    with (
        two_processes() as pool,
        pytest.raises(WorkerDied, match=r"a worker died before shard [01]"),
    ):
        ranking_tables(
            query_codes=[[1] * 8],
            query_labels=[[1]],
            database_codes=ShardedDatabase(shards, map=pool.map),
        )


def test_an_error_comes_back_from_another_process(tmp_path):
    """Whatever its kind: an error that can't be rebuilt would end the pool."""
    np.save(tmp_path / "c.npy", [[0.25, 0.25], [0.75, 0.75]])
    np.save(tmp_path / "l.npy", np.ones((2, 1)))
    shards = [DatabaseShard(tmp_path / "c.npy", tmp_path / "l.npy")]
    with two_processes() as pool:
        database = ShardedDatabase(shards, map=pool.map)
        with pytest.raises(CodeValueError, match=r"shard 0 \(.*c\.npy\): database_codes must") as caught:
            ranking_tables(query_codes=[[1, -1]], query_labels=[[1]], database_codes=database)
    assert caught.value.cure == "threshold"


def test_a_shard_can_be_sent(tmp_path):
    shard = DatabaseShard(tmp_path / "c.npy", "l.h5", labels_name="labels", machine="10.0.0.6")
    sent = pickle.loads(pickle.dumps(shard))  # noqa: S301 - our own
    assert vars(sent) == vars(shard)


# bad input

QUERY = {"query_codes": [[1, -1], [-1, 1]], "query_labels": [[1, 0], [0, 1]]}
GOOD = DatabaseShard([[1, -1], [-1, 0]], [[1, 0], [1, 1]])


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        (
            DatabaseShard([[1, -1, 1]], [[1, 0]]),
            "shard 1: .* must have the same number of bits, but they have 2 and 3",
        ),
        (
            DatabaseShard([[1, -1]], [[1, 0, 0]]),
            "shard 1: query_labels and database_labels must have the same",
        ),
        (DatabaseShard([[1, -1]], [3]), "shard 1: database_labels must be a table of labels"),
        (DatabaseShard([[1, -1]], [[1, 0], [1, 0]]), "shard 1: database_labels must have one row per row"),
        (DatabaseShard([[1, -1]]), "shard 1: labels must be given for this measure, but they are None"),
        (
            DatabaseShard(np.ones((0, 2)), np.ones((0, 2))),
            "shard 1: database_codes must have at least one row",
        ),
        (
            DatabaseShard([["a", "b"]], [[1, 0]]),
            "shard 1: database_codes must hold booleans, integers or real",
        ),
        (DatabaseShard(np.ones((1, 2), complex), [[1, 0]]), "shard 1: .* but its dtype is complex128"),
        (DatabaseShard([[1, np.nan]], [[1, 0]]), "shard 1: database_codes must not contain NaN"),
        (DatabaseShard([[1, -1]], [[1, 2]]), "shard 1: database_labels must contain only 0 and 1"),
        (
            DatabaseShard([[1, 0]], [[1, 0]]),
            "shard 1 must mean the same by a zero as the others, .* and shard 0 holds signs .* code_values=",
        ),
        (
            DatabaseShard("none.npy", "l.npy"),
            r"shard 1 \(none.npy\): there is no file none.npy on the machine",
        ),
        (DatabaseShard([[1, -1]], "none.npy"), r"shard 1: there is no file none.npy on the machine"),
        (DatabaseShard(".", [[1, 0]]), r"shard 1 \(\.\): .*: Is a directory"),
        (DatabaseShard("text", [[1, 0]]), "text must be an .npy, .npz or HDF5 file"),
        (DatabaseShard("object.npy", [[1, 0]]), "object.npy must be an .npy file of numbers or texts"),
        (DatabaseShard("cut.npy", [[1, 0]]), "cut.npy must be an .npy file of numbers or texts"),
        (
            DatabaseShard("one.npy", [[1, 0]], codes_name="a"),
            "one.npy is an .npy file, which holds one array",
        ),
        (
            DatabaseShard("two.npz", [[1, 0]]),
            "two.npz holds 2 arrays, so that one must be named, .* 'a', 'b'",
        ),
        (
            DatabaseShard("two.npz", [[1, 0]], codes_name="c"),
            "two.npz must hold the array 'c', but it holds 'a'",
        ),
        (DatabaseShard("cut.npz", [[1, 0]]), "cut.npz must be an .npz file"),
        (DatabaseShard("two.h5", [[1, 0]]), "two.h5 holds 2 arrays, so that one must be named"),
        (
            DatabaseShard("two.h5", [[1, 0]], codes_name="g"),
            "two.h5 must hold 'g' as a data set, but it is a",
        ),
        (
            DatabaseShard("two.h5", [[1, 0]], codes_name="x"),
            "two.h5 must hold the array 'x', but it holds 'a'",
        ),
        (DatabaseShard("cut.h5", [[1, 0]]), "cut.h5 must be an HDF5 file"),
    ],
)
def test_a_shard_that_is_not_right(shard, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("codes")
    np.save("one.npy", np.ones((1, 2)))
    np.save("object.npy", np.array([[1, None]]))
    Path("cut.npy").write_bytes(Path("one.npy").read_bytes()[:-8])
    np.savez("two.npz", a=np.ones((1, 2)), b=np.ones((1, 2)))
    Path("cut.npz").write_bytes(Path("two.npz").read_bytes()[:-40])
    with h5py.File("two.h5", "w") as file:
        file["a"] = file["b"] = np.ones((1, 2))
        file.create_group("g")
    Path("cut.h5").write_bytes(Path("two.h5").read_bytes()[:100])
    with pytest.raises((ValueError, OSError), match=message):
        ranking_tables(**QUERY, database_codes=ShardedDatabase([GOOD, shard]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_codes": [[1, np.nan]] * 2}, "^query_codes must not contain NaN"),
        ({"query_labels": [[1, 2], [1, 0]]}, "^query_labels must contain only 0 and 1"),
        ({"query_labels": [[1, 0]]}, "^query_labels must have one row per row of query_codes"),
        ({"query_labels": None}, "^query_labels must be given"),
        ({"database_labels": [[1, 0]]}, "^database_labels must be left out with a ShardedDatabase"),
        ({"query_ids": [1, 2], "database_ids": [1]}, "^database_ids must be left out with a ShardedDatabase"),
        ({"query_ids": [1, 2]}, "^shard 0: ids must be given where query_ids are"),
        ({"exclude_self": True}, "^exclude_self must be left out with a ShardedDatabase; give query_ids"),
        ({"query_codes": ShardedDatabase([GOOD])}, "^query_codes must be an array"),
        ({"database_codes": None}, "^database_codes must be given"),
    ],
)
def test_what_comes_with_shards(change, message):
    with pytest.raises(ValueError, match=message):
        ranking_tables(**{**QUERY, "database_codes": ShardedDatabase([GOOD]), **change})


def test_labels_of_two_kinds():
    signed = DatabaseShard([[1, -1]], [[1, -1]])
    with pytest.raises(ValueError, match="shard 1 must have labels as shard 0 has, which are 0 and 1"):
        ranking_tables(
            query_codes=[[1, -1]], query_labels=[[1, 1]], database_codes=ShardedDatabase([GOOD, signed])
        )
    with pytest.raises(ValueError, match="class numbers from 0 on"):
        ranking_tables(
            query_codes=[[1]],
            query_labels=[1],
            database_codes=ShardedDatabase([DatabaseShard([[1]], [-1]), DatabaseShard([[1]], [0])]),
        )


def test_zeros_of_two_kinds_in_a_search():
    database = ShardedDatabase([DatabaseShard([[1, 0]]), DatabaseShard([[1, -1]])])
    with pytest.raises(CodeValueError, match="shard 0 must mean the same by a zero as the others"):
        hamming_topk(query_codes=[[1, -1]], database_codes=database, k=1)
    distances, _ = hamming_topk(query_codes=[[1, -1]], database_codes=database, k=2, code_values="signed")
    assert distances.tolist() == [[0, 1]]


def test_ones_alone_are_signs_too():
    database = ShardedDatabase([DatabaseShard([[1, 1]], [[1]]), DatabaseShard([[0.5, -1]], [[1]])])
    report = evaluate(query_codes=[[1, -1]], query_labels=[[1]], database_codes=database)
    assert report["retrieval"].readings["database_codes"] == "real outputs, a zero counting as +1"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda function, shards: list(map(function, shards))[:1], "each of 2 shards, but it returned 1"),
        (lambda function, shards: [*map(function, shards)] * 2, "each of 2 shards, but it returned more"),
        (lambda function, shards: [*map(function, shards)][::-1], "in the order of the shards"),
        (lambda *_: [1, 2], "map must return what the function returned"),
        (lambda *_: None, "map must return an iterable, but it returned NoneType"),
    ],
)
def test_a_map_that_is_none(answer, message):
    with pytest.raises(ValueError, match=message):
        ranking_tables(**QUERY, database_codes=ShardedDatabase([GOOD, GOOD], map=answer))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShardedDatabase([]), "shards must be at least one DatabaseShard, but there is none"),
        (
            lambda: ShardedDatabase([GOOD, [[1]]]),
            "shards must be at least one DatabaseShard, but one is list",
        ),
        (lambda: ShardedDatabase([GOOD], map=2), "map must be called as the builtin map is"),
        (lambda: DatabaseShard(None), "codes must be an array or the path of a file"),
        (
            lambda: DatabaseShard([[1]], [[1]], labels_name="l"),
            "labels_name must come with the path of a file",
        ),
        (lambda: RayMap(cpus=0), "cpus must be a number above 0"),
    ],
)
def test_a_description_that_is_not_right(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_shard_that_changes(tmp_path):
    path = tmp_path / "c.npy"
    np.save(path, np.array([[1, -1], [-1, 1], [1, 1]]))
    shards = [GOOD, DatabaseShard(path, np.ones((3, 2)))]
    passes = []

    def meanwhile(function, numbered):
        passes.append(1)
        if len(passes) == 2:
            np.save(path, np.array([[1, -1], [-1, 1]]))
            shards[1].labels.resize((2, 2), refcheck=False)
        return map(function, numbered)

    message = r"shard 1 \(.*c.npy\) must stay as it is while it is scored, but it had 3 rows and now has 2"
    with pytest.raises(ValueError, match=message):
        evaluate(**QUERY, database_codes=ShardedDatabase(shards, map=meanwhile))


def test_a_matrix_of_distances_takes_no_shards():
    with pytest.raises(ValueError, match="hamming_topk takes shards"):
        cmh_metrics.hamming_distances(query_codes=[[1, 1]], database_codes=ShardedDatabase([GOOD]))


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    database = ShardedDatabase([GOOD], map=RayMap())
    with pytest.raises(BackendUnavailable, match=r"pip install 'cmh-metrics\[ray\]'"):
        ranking_tables(**QUERY, database_codes=database)


def test_without_h5py(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["codes"] = np.ones((2, 2))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"pip install 'cmh-metrics\[hdf5\]'"):
        hamming_topk(
            query_codes=[[1, 1]], database_codes=ShardedDatabase([DatabaseShard(tmp_path / "c.h5")]), k=1
        )
