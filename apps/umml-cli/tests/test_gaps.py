"""Really missing partners: trained like simulated ones, and an evaluation that says what it leaves out."""

import json

import cmh_data
import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner
from umml_cli.main import app

N, TRAIN, QUERY = 190, np.arange(100), np.arange(150, 190)
RETRIEVAL = np.arange(100, 150)
UIT60 = ("--unpaired-images", "30", "--unpaired-text", "30")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    label = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, N)]
    return {
        "image": (label @ rng.normal(size=(3, 8)) + rng.normal(size=(N, 8))).astype(np.float32),
        "text": (rng.random((N, 12)) < 0.1 + 0.5 * (label @ rng.random((3, 12)))).astype(np.float32),
        "labels": label,
        "train": TRAIN,
        "query": QUERY,
        "retrieval": RETRIEVAL,
    }


def runs_of(path):
    """The only finished run beside a file."""
    (found,) = (path.parent / "runs" / path.stem).glob("*/result.json")
    return found.parent


def run(path, *arguments, method="jdsh", out=None):
    options = ["--preset", "small", "--epochs", "2", "--bits", "16", "--set", "batch_size=20"]
    out = path.parent / "runs" / (out or path.stem)
    done = CliRunner().invoke(
        app, ["train", str(path), "--method", method, *options, *arguments, "--out", str(out)]
    )
    if done.exit_code:
        return str(done.exception)
    (folder,) = (found.parent for found in out.glob("*/result.json"))
    return folder, json.loads((folder / "result.json").read_text()), done.output


def with_gaps(arrays, image_gaps, text_gaps, fill=np.nan):
    """The arrays without some items, whose rows hold `fill`."""
    image, text = arrays["image"].copy(), arrays["text"].copy()
    image[image_gaps], text[text_gaps] = fill, fill
    present = {
        "image_present": ~np.isin(np.arange(N), image_gaps),
        "text_present": ~np.isin(np.arange(N), text_gaps),
    }
    return {**arrays, **present, "image": image, "text": text}


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("jdsh", ["--set", "standardise=none"]),
        ("agah", []),
        ("dadh", ["--set", "standardise=training"]),  # nobody knows the mean of images that are not there
    ],
)
@pytest.mark.parametrize("fill", [0.0, 7.0])
def test_a_file_with_gaps_trains_like_the_complete_file_with_the_same_plan(
    arrays, tmp_path, method, options, fill
):
    np.savez(tmp_path / "whole.npz", **arrays)
    image_gaps, text_gaps = np.arange(70, 100), np.arange(30)  # the rows that UIT 60% removes
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, image_gaps, text_gaps, fill))
    simulated, real = (
        run(tmp_path / "whole.npz", *UIT60, *options, method=method),
        run(tmp_path / "gaps.npz", *options, method=method),
    )
    first, second = (load_file(folder / "weights.safetensors") for folder, *_ in (simulated, real))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert simulated[1]["map"] == real[1]["map"]
    pairs = {"rows": 100, "kept": 100, "paired": 40}
    assert simulated[1]["training_pairs"] == real[1]["training_pairs"] == pairs


def test_a_plan_adds_to_what_is_missing(arrays, tmp_path):
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, np.arange(50, 60), np.arange(5, 25), 0.0))
    _, result, _ = run(tmp_path / "gaps.npz", "--unpaired-images", "10")  # removes the texts of rows 0 to 9
    assert result["training_pairs"] == {"rows": 100, "kept": 100, "paired": 100 - 10 - 25}


def test_a_row_that_loses_its_only_side_is_not_kept(arrays, tmp_path):
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, np.arange(5), np.arange(90, 95), 0.0))
    _, result, _ = run(tmp_path / "gaps.npz", "--unpaired-images", "10")  # rows 0 to 4 have a text only
    assert result["training_pairs"] == {"rows": 100, "kept": 95, "paired": 85}


def test_queries_ask_with_the_side_they_have_and_items_are_ranked_by_theirs(arrays, tmp_path):
    """Held against a loop over the saved codes."""
    image_gaps, text_gaps = [100, 101, 150, 151, 152], [105, 106, 107, 150, 160]
    image_gaps, text_gaps = [*image_gaps, 110], [*text_gaps, 110]  # row 110 has neither
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, image_gaps, text_gaps, 0.0))
    folder, result, output = run(tmp_path / "gaps.npz")
    assert result["left_out"] == {
        "queries without an image": 3,
        "queries without a text": 2,
        "items ranked by their text alone": 2,
        "items ranked by their image alone": 3,
        "retrieval rows with neither": 1,
    }
    for name, count in result["left_out"].items():
        assert any(name in line and str(count) in line for line in output.splitlines())
    with np.load(folder / "codes.npz") as file:
        codes = dict(file)
    assert set(codes["retrieval_rows"]) == set(RETRIEVAL) - {110}
    for row in (100, 101):  # no image: ranked by the text
        place = list(codes["retrieval_rows"]).index(row)
        assert codes["retrieval_image"][place] == codes["retrieval_text"][place]
    with np.load(folder / "precision.npz") as file:
        left_out = np.isnan(file["last_i2t"])
        assert set(codes["query_rows"][left_out]) == {150, 151, 152}
        assert set(codes["query_rows"][np.isnan(file["last_t2i"])]) == {150, 160}
        assert np.nanmean(file["last_i2t"]) == pytest.approx(result["map"]["i2t"])
    out = tmp_path / "report.json"
    done = CliRunner().invoke(app, ["evaluate", str(folder), "--out", str(out)])
    assert done.exit_code == 0
    said = done.output + (done.stderr or "")
    assert "3 of 40 queries lack an image and are left out of image-to-text" in said
    assert "2 of 40 queries lack a text and are left out of text-to-image" in said
    report = json.loads(out.read_text())["tasks"]
    assert report["image-to-text"]["mean_average_precision"] == pytest.approx(result["map"]["i2t"])
    assert report["text-to-image"]["mean_average_precision"] == pytest.approx(result["map"]["t2i"])


def test_missing_items_may_hold_anything(arrays, tmp_path):
    gaps = [np.arange(95, 105), np.arange(120, 125)]
    maps = []
    for name, fill in (("zeros", 0.0), ("sevens", 7.0)):
        np.savez(tmp_path / f"{name}.npz", **with_gaps(arrays, *gaps, fill))
        maps.append(run(tmp_path / f"{name}.npz")[1]["map"])
    assert maps[0] == maps[1]


def test_tasks_without_a_query_are_refused(arrays, tmp_path):
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, QUERY, [], 0.0))
    assert "No query row of gaps has an image" in run(tmp_path / "gaps.npz")


def test_completion_takes_real_gaps_too(arrays, tmp_path):
    np.savez(tmp_path / "gaps.npz", **with_gaps(arrays, np.arange(20), np.arange(50, 80), 0.0))
    _, result, _ = run(tmp_path / "gaps.npz", "--complete", "neighbour")
    assert result["donors"]["image"]["missing"] == 20
    assert result["donors"]["text"]["missing"] == 30
    assert result["specification"]["cell"]["completed"]


def test_what_umml_unpair_wrote_is_trained_as_unpaired(arrays, tmp_path):
    data = tmp_path / "whole.npz"
    np.savez(data, **arrays)
    cmh_data.save(cmh_data.load(data), tmp_path / "whole.h5")
    done = CliRunner().invoke(
        app, ["unpair", str(tmp_path / "whole.h5"), str(tmp_path / "less.h5"), "--unpaired-images", "40"]
    )
    assert done.exit_code == 0, done.exception
    _, result, _ = run(tmp_path / "less.h5")
    assert result["training_pairs"] == {"rows": 100, "kept": 100, "paired": 60}


def test_using_incomplete_rows_is_compared_with_discarding_them(arrays, tmp_path):
    """Discarding gives what a file without these rows in its split gives, on the same queries."""
    gaps = with_gaps(arrays, np.arange(20), np.arange(30, 60), 0.0)
    np.savez(tmp_path / "gaps.npz", **gaps)
    _, used, _ = run(tmp_path / "gaps.npz")
    kept = runs_of(tmp_path / "gaps.npz")
    _, discarded, output = run(tmp_path / "gaps.npz", "--discard-incomplete", out="less")
    assert "50 training rows that lack an image or a text are left out" in output
    assert used["training_pairs"] == {"rows": 100, "kept": 100, "paired": 50}
    assert discarded["training_pairs"] == {"rows": 50, "kept": 50, "paired": 50}
    gaps["train"] = np.concatenate([np.arange(20, 30), np.arange(60, 100)])
    np.savez(tmp_path / "other.npz", **gaps)
    assert run(tmp_path / "other.npz")[1]["map"] == discarded["map"]
    less = runs_of(tmp_path / "less")
    done = CliRunner().invoke(app, ["evaluate", str(kept), "--versus", str(less)])
    assert done.exit_code == 0, done.exception
    np.savez(tmp_path / "none.npz", **with_gaps(arrays, np.arange(100), [], 0.0))
    assert "No training row of none has both" in run(tmp_path / "none.npz", "--discard-incomplete")
