"""`umml evaluate --shards`: the same numbers as from one file, and one sentence for what does not fit."""

import json
import sys

import h5py
import numpy as np
import pytest
from umml_cli.inputs.database_shards import read_shards
from umml_cli.main import main

QUERIES = ("--query-codes", "q.npy", "--query-labels", "ql.npy")
DATABASE = ("--database-codes", "d.npy", "--database-labels", "dl.npy")


@pytest.fixture
def umml(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder; returns (status, what it printed, its error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["umml", "evaluate", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capfd.readouterr()

    return run


@pytest.fixture(autouse=True)
def files(tmp_path):
    """Queries and a database as a whole, and in three shards: npz, HDF5, and npy in a folder with a list."""
    rng = np.random.default_rng(0)
    codes, labels = rng.choice([-1, 1], (70, 12)), rng.random((70, 3)) < 0.4
    np.save(tmp_path / "q.npy", codes[:10])
    np.save(tmp_path / "ql.npy", labels[:10])
    np.save(tmp_path / "ids.npy", np.arange(10))
    codes, labels, ids = codes[10:], labels[10:], np.arange(60) % 25
    np.save(tmp_path / "d.npy", codes)
    np.save(tmp_path / "dl.npy", labels)
    np.savez(tmp_path / "part-0.npz", codes=codes[:20], labels=labels[:20], ids=ids[:20])
    with h5py.File(tmp_path / "part-1.h5", "w") as file:
        file["codes"], file["labels"], file["ids"] = codes[20:50], labels[20:50], ids[20:50]
    (tmp_path / "more").mkdir()
    np.save(tmp_path / "more" / "c.npy", codes[50:])
    np.savez(tmp_path / "more" / "rest.npz", labels=labels[50:], ids=ids[50:])
    (tmp_path / "more" / "list.toml").write_text(
        '[[shard]]\ncodes = "c.npy"\nlabels = "rest.npz:labels"\nids = "rest.npz:ids"\n'
    )


SHARDS = ("--shards", "part-*", "--shards", "more/list.toml")


def report(text):
    found = json.loads(text)
    found.pop("provenance")
    return found


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("ties", ["expected", "index"])
def test_scores_are_those_of_one_file(umml, workers, ties):
    options = ("--format", "json", "--definition", "min@20", "--ties", ties, "--instance-recall")
    status, printed, _ = umml(*QUERIES, *SHARDS, "--workers", workers, *options, "--out", "report.json")
    assert status == 0
    _, expected, _ = umml(*QUERIES, *DATABASE, *options)
    assert report(printed) == report(expected)
    assert json.loads(printed)["provenance"]["shards"] == "3"


def test_a_query_is_left_out_by_its_id(umml):
    status, printed, _ = umml(*QUERIES, *SHARDS, "--query-ids", "ids.npy", "--workers", 1, "--format", "json")
    assert status == 0
    _, without, _ = umml(*QUERIES, *DATABASE, "--format", "json")
    assert report(printed) != report(without)


def test_figures(umml, tmp_path):
    assert umml(*QUERIES, *SHARDS, "--workers", 1, "--figures", "curves")[0] == 0
    assert {path.suffix for path in (tmp_path / "curves").iterdir()} == {".png", ".svg", ".pdf"}


def test_the_tenth_shard_of_a_pattern_comes_after_the_second(tmp_path):
    names = [f"{folder}/part-{number}.npz" for folder in ("a2", "a10") for number in ("1", "2", "10", "x")]
    for name in reversed(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [shard.codes for shard in read_shards([f"{tmp_path}/a*/part-*.npz"])]
    assert found == [tmp_path / name for name in names]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*QUERIES, "--shards", "part-0.npz", "part-1.h5"), "part-1.h5 is given beside --shards"),
        ((*QUERIES, *SHARDS, *DATABASE), "--database-codes does not go with --shards"),
        ((*QUERIES, *SHARDS, "--packed", 12), "--packed does not go with --shards"),
        ((*QUERIES, *SHARDS, "--exclude-self"), "--exclude-self does not go with --shards"),
        ((*QUERIES[:2], *SHARDS), "give --query-codes and --query-labels too"),
        ((*QUERIES, *DATABASE, "--workers", 2), "--workers is for a database in shards"),
        ((*QUERIES, *SHARDS, "--workers", 0), "--workers"),
        ((*QUERIES, *SHARDS, "--executor", "slurm"), "--executor is local, ray or"),
        ((*QUERIES, *SHARDS, "--executor", "ray", "--workers", 2), "--workers is for processes"),
        ((*QUERIES, *SHARDS, "--bitorder", "big"), "--bitorder is the order in packed codes"),
        ((*QUERIES, *SHARDS, "--shards", "./part-1.h5"), "part-1.h5 2 times, and so would its rows count"),
        ((*QUERIES, *SHARDS, "--shards", "more/list.toml"), "c.npy 2 times, and so would its rows count"),
        ((*QUERIES, "--shards", "none-*.npz"), "--shards none-*.npz matches no file"),
        ((*QUERIES, "--shards", "none.npz"), "shard 0 (none.npz): there is no file none.npz on the machine"),
        ((*QUERIES, "--shards", "list.toml"), "(list.toml)"),
        ((*QUERIES, "--shards", "q.npy"), "shard 0 (q.npy): q.npy is an .npy file, which holds one array"),
        ((*QUERIES, "--shards", "empty.toml"), "empty.toml: shard: Field required"),
        ((*QUERIES, "--shards", "other.toml"), "shard.0.labels: Field required; shard.0.lables: there is"),
        ((*QUERIES, "--shards", "text.toml"), "text.toml is not TOML"),
        ((*QUERIES, "--shards", "short.npz"), "shard 0 (short.npz): query_codes and database_codes must"),
        ((*QUERIES, "--shards", "bytes.npz"), "write packed codes with cmh_metrics.PackedCodes.save"),
        ((*QUERIES, "--shards", "sigmoid.npz"), "give --threshold 0.5 for sigmoid outputs"),
        (("--query-codes", "q.npy", "--query-labels", "short.npz:labels", *SHARDS), "no number of rows"),
    ],
)  # fmt: skip
def test_what_does_not_fit(umml, tmp_path, arguments, message):
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "other.toml").write_text('[[shard]]\ncodes = "a"\nlables = "b"\n')
    (tmp_path / "text.toml").write_text("codes")
    labels = np.ones((4, 3))
    np.savez(tmp_path / "short.npz", codes=np.tile([1, -1, 1, -1, 1], (4, 1)), labels=labels)
    np.savez(tmp_path / "bytes.npz", codes=np.arange(48, dtype=np.uint8).reshape(4, 12), labels=labels)
    np.savez(tmp_path / "sigmoid.npz", codes=np.linspace(0.1, 0.9, 48).reshape(4, 12), labels=labels)
    status, _, error = umml(*arguments)
    assert status in {1, 2}
    assert message in " ".join(error.split())
    assert error.startswith("Error: ")
    assert "Traceback" not in error
