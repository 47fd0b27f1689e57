import json

import numpy as np
import pytest
from cmh_train import find_method
from pydantic import ValidationError
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment, built_in_experiment
from umml_cli.grid.specify import specify
from umml_cli.inputs.data_sources import open_sources
from umml_cli.main import app
from umml_cli.runs.cells import Cell
from umml_cli.runs.completion import choose_completion
from umml_cli.runs.specification import RunSpecification


@pytest.fixture
def gaps(tmp_path):
    """A small data set, as a file."""
    rng = np.random.default_rng(0)
    label = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 150)]
    image = (label @ rng.normal(size=(3, 8)) + rng.normal(size=(150, 8))).astype(np.float32)
    text = (rng.random((150, 12)) < 0.1 + 0.5 * (label @ rng.random((3, 12)))).astype(np.float32)
    path = tmp_path / "small.npz"
    np.savez(path, image=image, text=text, labels=label, train=np.arange(100), query=np.arange(120, 150))
    return path


def train(path, *arguments):
    options = ["--preset", "small", "--epochs", "2", "--bits", "16", "--set", "batch_size=20"]
    return CliRunner().invoke(app, ["train", str(path), *options, *arguments])


@pytest.mark.parametrize(
    ("choice", "method", "has_labels", "n_pairs", "chosen"),
    [
        ("none", "agah", True, 5, "none"),
        ("auto", "agah", True, 0, "label"),
        ("auto", "jdsh", True, 5, "neighbour"),
        ("auto", "jdsh", False, 5, "neighbour"),
        ("label", "jdsh", True, 0, "label"),
        ("neighbour", "agah", True, 5, "neighbour"),
    ],
)
def test_auto_takes_what_the_method_is_made_for(choice, method, has_labels, n_pairs, chosen):
    spec = find_method(method)
    assert choose_completion(choice, spec, has_labels=has_labels, n_pairs=n_pairs) == chosen


@pytest.mark.parametrize(
    ("choice", "has_labels", "n_pairs", "says"),
    [
        ("auto", True, 0, "jdsh learns without labels: nothing tells which image goes with which text"),
        ("auto", False, 0, "there are no labels: nothing tells"),
        ("label", False, 5, "the data have no labels"),
        ("neighbour", True, 0, "none is left"),
    ],
)
def test_what_the_data_cannot_give_is_refused(choice, has_labels, n_pairs, says):
    with pytest.raises(UserError, match=says):
        choose_completion(choice, find_method("jdsh"), has_labels=has_labels, n_pairs=n_pairs)


def test_a_completed_cell_has_a_name_of_its_own():
    cell = Cell.of("UIT completed", 60)
    assert (cell.title, cell.scheme, cell.percent) == ("UIT 60%, completed", "UIT completed", 60)
    assert cell != Cell.of("UIT", 60)
    assert cell.plan(100) == Cell.of("UIT", 60).plan(100)
    with pytest.raises(ValidationError, match="nothing to complete"):
        Cell(trained=False, completed=True)


def test_a_grid_shows_completed_cells_beside_the_others(gaps):
    experiment = Experiment(
        title="t", data=("small",), methods={"jdsh": {"preset": "small", "options": {"batch_size": 20}}},
        cells={"paired": (0,), "UI": (60,), "UIT": (60, 100), "SD": (60,)},
    )  # fmt: skip
    assert experiment.completed("none") == experiment
    completed = experiment.completed("auto")
    assert list(completed.cells) == ["paired", "UI", "UI completed", "UIT", "UIT completed", "SD"]
    runs = list(specify(completed, open_sources([f"small={gaps}"])))
    done = {run.cell.title: run.completion for run in runs if run.completion != "none"}
    assert done == {"UI 60%, completed": "neighbour", "UIT 60%, completed": "neighbour"}  # UIT 100: no pair
    assert "UIT 100%" in {run.cell.title for run in runs}
    assert len({run.setting_id for run in runs}) == 1


def test_every_experiment_of_the_paper_can_be_completed():
    for name in ("table3", "table7", "figure5"):
        experiment = built_in_experiment(name)
        assert set(experiment.cells) < set(experiment.completed("auto").cells)


def test_a_completed_training_is_written_down_and_continued(gaps, tmp_path):
    shares = ["--unpaired-images", "30", "--unpaired-text", "30"]
    results = {}
    for complete in ("none", "label", "neighbour"):
        out = tmp_path / complete
        done = train(gaps, "--method", "jdsh", *shares, "--complete", complete, "--out", str(out))
        assert done.exit_code == 0, done.output
        results[complete] = json.loads(next(out.glob("*/result.json")).read_text())
    assert results["none"]["donors"] is None
    assert results["label"]["donors"]["text"] == {
        "missing": 30, "without_donor": 0, "exact": 30, "median_donors": pytest.approx(24, abs=12)
    }  # fmt: skip
    assert results["neighbour"]["donors"]["image"]["median_donors"] == 5
    assert results["neighbour"]["training_pairs"] == results["none"]["training_pairs"]
    assert len({json.dumps(result["map"]) for result in results.values()}) == 3


def test_the_number_of_neighbours_is_chosen_and_written_down(gaps, tmp_path):
    given = ["--method", "jdsh", "--unpaired-images", "30", "--out", str(tmp_path), "--neighbours", "2"]
    done = train(gaps, *given, "--complete", "neighbour")
    assert done.exit_code == 0, done.output
    result = json.loads(next(tmp_path.glob("*/result.json")).read_text())
    assert result["specification"]["neighbours"] == 2
    assert result["donors"]["text"]["median_donors"] == 2
    refused = train(gaps, *given, "--complete", "label")
    assert "--neighbours 2 would change nothing" in str(refused.exception)


def test_what_cannot_be_completed_is_one_sentence(gaps, tmp_path):
    done = train(
        gaps, "--method", "jdsh", "--unpaired-images", "50", "--unpaired-text", "50", "--complete", "auto",
        "--out", str(tmp_path / "runs"),
    )  # fmt: skip
    assert done.exit_code != 0
    assert "nothing tells which image goes with which text" in str(done.exception)
    assert not (tmp_path / "runs").exists()


def test_a_run_without_a_number_of_neighbours_keeps_the_name_that_it_had():
    known = {
        "dataset": "d", "data_digest": "x", "method": "jdsh", "method_version": "1", "bits": 8, "epochs": 1,
        "batch_size": 8, "options": {}, "seed": 0, "cell": Cell.of("UI completed", 20),
        "completion": "neighbour",
    }  # fmt: skip
    assert RunSpecification(**known).run_id == "b0a2114694b6c1db"
    assert RunSpecification(**known, neighbours=5).run_id != "b0a2114694b6c1db"
    with pytest.raises(ValidationError, match="neighbours must be None for completion 'label'"):
        RunSpecification(**{**known, "completion": "label"}, neighbours=5)


def test_completion_and_cell_must_agree():
    with pytest.raises(ValidationError, match="does not go with completion"):
        RunSpecification(
            dataset="d", data_digest="x", method="jdsh", method_version="1",
            bits=8, epochs=1, batch_size=8, options={}, seed=0,
            cell=Cell.of("UI", 20), completion="label",
        )  # fmt: skip
