"""Training rows held out as queries: choices without the query set."""

import json

import cmh_data
import numpy as np
import pytest
from typer.testing import CliRunner
from umml_cli.main import app

N = 80


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(N, 8)).astype(np.float32),
        "text": rng.integers(0, 2, (N, 6)).astype(np.float32),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(N) % 3],
        "train": np.arange(60),
        "query": np.arange(60, N),
    }


def train(folder, arrays, *arguments):
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    fixed = ("--method", "jdsh", "--preset", "small", "--epochs", "2", "--bits", "16")
    given = [*fixed, "--set", "batch_size=20", "--out", folder / "runs", *arguments]
    return CliRunner().invoke(app, ["train", str(path), *map(str, given)])


def results(folder):
    return [json.loads(path.read_text()) for path in folder.glob("runs/*/result.json")]


def test_held_out_rows_are_the_queries_and_the_query_rows_are_not_used(tmp_path, arrays):
    other = dict(arrays)
    for key in ("text", "labels"):  # images also give the mean and deviation of all images
        other[key] = np.concatenate([arrays[key][:60], arrays[key][60:][::-1]])
    other["text"][60:] = 1 - other["text"][60:]
    found = []
    for name, values in (("a", arrays), ("b", other)):
        (tmp_path / name).mkdir()
        done = train(tmp_path / name, values, "--validation", 20, "--unpaired-images", 40)
        assert done.exit_code == 0, done.exception
        assert "20% of the training rows as queries" in done.stdout
        found += results(tmp_path / name)
    assert found[0]["map"] == found[1]["map"]
    assert found[0]["specification"]["data_digest"] != found[1]["specification"]["data_digest"]
    assert found[0]["training_pairs"]["rows"] == 48
    with np.load(next(tmp_path.glob("a/runs/*/codes.npz"))) as codes:
        assert set(codes["query_rows"]) < set(range(60))
        assert not set(codes["retrieval_rows"]) & ({*range(60, N)} | set(codes["query_rows"]))


def test_a_validation_run_is_another_run_than_the_final_one(tmp_path, arrays):
    for more in ((), ("--validation", 20), ("--validation", 25)):
        assert train(tmp_path, arrays, *more).exit_code == 0
    assert sorted(result["specification"]["validation"] for result in results(tmp_path)) == [0, 20, 25]


def test_a_grid_on_held_out_rows_says_so_and_shows_no_published_number(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    options = ["--method", "jdsh", "--epochs", "1", "--set", "batch_size=20", "--set", "bits=16"]
    given = ["reproduce", "table7", "--data", f"mirflickr25k={path}", *options, "--validation", "20"]
    done = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    assert {json.loads(run.read_text())["specification"]["validation"]
            for run in tmp_path.glob("out/runs/*/result.json")} == {20}  # fmt: skip
    assert "20% of the training rows as queries" in (tmp_path / "out/report.html").read_text()


def test_too_small_a_share_is_one_sentence(tmp_path, arrays):
    done = train(tmp_path, arrays, "--validation", 0.1)
    assert isinstance(done.exception, cmh_data.DataError)
    assert "0.1% of 60 training rows of mine is less than one row" in str(done.exception)
