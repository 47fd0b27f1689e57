"""Own data without a split: trained on one that the command draws."""

import json

import cmh_data
import numpy as np
import pytest
from typer.testing import CliRunner
from umml_cli.main import app

N = 60


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": np.repeat(rng.normal(size=(N // 2, 8)), 2, axis=0).astype(np.float32),  # each image twice
        "text": rng.integers(0, 2, (N, 6)).astype(np.float32),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(N) // 2 % 3],
    }


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def train(path, *arguments):
    fixed = ("--method", "jdsh", "--preset", "small", "--epochs", "1", "--bits", "16")
    batch = ("--set", "batch_size=20", "--out", path.parent / "runs")
    return invoke("train", path, *fixed, *batch, *arguments)


def test_data_without_a_split_train_on_a_drawn_one(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    assert "--split-seed 0" in str(train(path).exception)
    done = train(path, "--split-seed", 3, "--queries", 6, "--stratified")
    assert done.exit_code == 0, done.exception
    (result,) = (json.loads(found.read_text()) for found in tmp_path.glob("runs/*/result.json"))
    split = cmh_data.DrawnSplit(n_query=6, seed=3, stratified=True)
    expected = cmh_data.load(path, split=split)
    assert expected.digest in json.dumps(result)
    assert len(expected.split.query) == 12  # six images with both of their rows
    assert expected.label[expected.split.query].sum(axis=0).tolist() == [4, 4, 4]
    images = [set(map(bytes, expected.image[rows])) for rows in (expected.split.query, expected.split.train)]
    assert not images[0] & images[1]


def test_another_split_seed_is_another_run(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    for seed in (0, 1, 1):
        assert train(path, "--split-seed", seed).exit_code == 0
    assert len(list(tmp_path.glob("runs/*/result.json"))) == 2


def test_the_size_of_a_split_that_is_not_drawn_is_refused(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays, train=np.arange(40), query=np.arange(40, N))
    assert "give --split-seed too" in str(train(path, "--queries", 5).exception)
    assert not (tmp_path / "runs").exists()


def test_the_first_row_is_given_to_inspect_and_train(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays, train=np.arange(1, 41), query=np.arange(41, 59))
    assert "--first-row 1" in invoke("data", "inspect", path).output
    told = invoke("data", "inspect", path, "--first-row", 1).output
    assert "row numbers counted from 1 were shifted to 0" in told
    assert "--first-row" not in told
    done = train(path, "--first-row", 1)
    assert done.exit_code == 0, done.exception
    (result,) = (found.read_text() for found in tmp_path.glob("runs/*/result.json"))
    assert cmh_data.load(path, first_row=1).digest in result
