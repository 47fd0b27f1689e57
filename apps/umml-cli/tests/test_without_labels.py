"""Data without labels: unsupervised methods only, and whether a query finds its own item."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner
from umml_cli.main import app
from umml_cli.runs.own_items import pair_codes
from umml_cli.runs.run_codes import RunCodes

N, QUERY = 140, np.arange(100, 140)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(N, 6))
    return {
        "image": (hidden @ rng.normal(size=(6, 8))).astype(np.float32),
        "text": (hidden @ rng.normal(size=(6, 12)) > 0).astype(np.float32),
        "train": np.arange(100),
        "query": QUERY,
    }


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def train(path, *arguments, method="jdsh"):
    how = ["--preset", "small", "--epochs", 3, "--bits", 16, "--set", "batch_size=20"]
    return invoke("train", path, "--method", method, *how, *arguments, "--out", path.parent / "runs")


def finished(folder):
    (path,) = (found.parent for found in folder.glob("runs/*/result.json"))
    return path, json.loads((path / "result.json").read_text())


def places_by_hand(folder, task):
    """Of every complete query the places that its own item may have, from the bits of the saved codes."""
    queries, database = pair_codes(RunCodes.load(folder / "codes.npz"), task)
    distance = np.bitwise_count(queries.words[:, None] ^ database.words[None]).sum(axis=2)
    own = distance.diagonal()[:, None]
    return [
        np.arange(nearer + 1, nearer + tied + 1)
        for nearer, tied in zip((distance < own).sum(axis=1), (distance == own).sum(axis=1), strict=True)
    ]


def test_recall_and_rank_of_the_own_item_are_those_of_a_loop(arrays, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays)
    done = train(tmp_path / "mine.npz")
    assert done.exit_code == 0, done.exception
    folder, result = finished(tmp_path)
    for task in ("i2t", "t2i"):
        places = places_by_hand(folder, task)
        found = result["own_items"][task]
        assert found["items"] == 40
        for k in (1, 5, 10):
            assert found[f"recall@{k}"] == pytest.approx(np.mean([(one <= k).mean() for one in places]))
        assert found["median rank"] == np.median([one.mean() for one in places])
        assert result["map"][task] == pytest.approx(np.mean([(1 / one).mean() for one in places]))
    assert result["own_items"]["i2t"]["recall@10"] > 10 / 40  # it has learned something
    assert "recall@5, image → text" in done.output
    assert "own item is the only relevant one" in " ".join(done.output.split())


def test_a_run_without_labels_is_evaluated_by_the_own_item(arrays, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays)
    train(tmp_path / "mine.npz")
    folder, result = finished(tmp_path)
    done = invoke("evaluate", folder, "--out", tmp_path / "report.json")
    assert done.exit_code == 0, done.exception
    assert "own item is the only relevant one" in done.output
    report = json.loads((tmp_path / "report.json").read_text())
    for task, name in (("i2t", "image-to-text"), ("t2i", "text-to-image")):
        said = re.search(rf"median rank {result['own_items'][task]['median rank']:g} of 40", done.output)
        assert said
        stated = report["tasks"][name]
        assert stated["mean_average_precision"] == pytest.approx(result["map"][task])


def test_gaps_and_no_labels(arrays, tmp_path):
    present = {"image_present": np.ones(N, bool), "text_present": np.ones(N, bool)}
    present["image_present"][[0, 1, 100, 101]] = False
    present["text_present"][[10, 102]] = False
    np.savez(tmp_path / "mine.npz", **arrays, **present)
    assert train(tmp_path / "mine.npz").exit_code == 0
    folder, result = finished(tmp_path)
    assert result["left_out"] == {"queries without an item of their own": 3}
    assert result["own_items"]["t2i"]["items"] == 37
    assert "3 queries without one are left out" in invoke("evaluate", folder).output


@pytest.mark.parametrize("method", ["dadh", "agah"])
def test_methods_that_learn_from_labels_are_refused(arrays, tmp_path, method):
    np.savez(tmp_path / "mine.npz", **arrays)
    done = train(tmp_path / "mine.npz", method=method)
    message = str(done.exception)
    assert f"{method} learns from labels, but mine has none; choose a method that needs none" in message
    assert "jdsh" in message
    assert not (tmp_path / "runs").exists()


def test_without_labels_and_pairs_nothing_can_be_measured(arrays, tmp_path):
    half = np.arange(N) % 2 == 0
    np.savez(tmp_path / "mine.npz", **arrays, image_present=half, text_present=~half)
    message = str(train(tmp_path / "mine.npz").exception)
    assert "No query row of mine has both an image and a text, and there are no labels" in message


def test_images_and_texts_that_share_no_row_are_trained_and_ranked_by_labels(arrays, tmp_path):
    """Two collections of unequal size with labels: 90 images without text, 50 texts without image."""
    rng = np.random.default_rng(1)
    label = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, N)]
    arrays["image"] += 9 * label @ rng.normal(size=(3, 8)).astype(np.float32)
    arrays["text"] = np.maximum(arrays["text"], label @ rng.integers(0, 2, (3, 12)))
    image = rng.permutation(N) < 90
    np.savez(tmp_path / "mine.npz", **arrays, labels=label, image_present=image, text_present=~image)
    done = train(tmp_path / "mine.npz", method="dadh")
    assert done.exit_code == 0, done.exception
    folder, result = finished(tmp_path)
    assert result["training_pairs"]["paired"] == 0
    assert result["left_out"]["queries without a text"] == int(image[QUERY].sum())
    assert result["left_out"]["queries without an image"] == int((~image)[QUERY].sum())
    assert min(result["map"].values()) > 0.33
    out = tmp_path / "report.json"
    assert invoke("evaluate", folder, "--out", out).exit_code == 0
    tasks = json.loads(out.read_text())["tasks"]
    maps = [tasks[name]["mean_average_precision"] for name in ("image-to-text", "text-to-image")]
    assert maps == pytest.approx([result["map"]["i2t"], result["map"]["t2i"]])
