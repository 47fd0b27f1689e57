"""`--precision auto`: one choice for a setting, kept beside its runs, which are those that name it."""

import json

import cmh_data
import pytest
from cmh_train import PrecisionTrial
from typer.testing import CliRunner
from umml_cli.main import app
from umml_cli.runs.precision import PrecisionChoice
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RunStore

SMALL = ("--bits", "16", "--set", "batch_size=10", "--set", "layer_widths=8,8,8", "--epochs", "1")
FASTER = {
    "precision": "bf16",
    "seconds": {"float32": 0.5, "bf16": 0.25},
    "reason": "a step takes 0.5 s in float32, 0.25 s in bf16",
}


@pytest.fixture
def tried(monkeypatch):
    """Let a trial find bf16 twice as fast; a list of what was asked."""
    asked = []

    def choose(method, config, data, **others):
        asked.append((method, config.bits, data.spec.n_train, others))
        return PrecisionTrial(**FASTER)

    monkeypatch.setattr("cmh_train.choose_precision", choose)
    return asked


def invoke(*arguments, code=0):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(done.exception, Exception) and not isinstance(done.exception, SystemExit):
        assert code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.output


def run_folders(root):
    return {path.parent.name: path.parent for path in root.glob("*/result.json")}


def test_a_chosen_run_is_the_run_that_names_it(file, tmp_path, tried):
    chosen, named = tmp_path / "chosen", tmp_path / "named"
    said = invoke("train", file, *SMALL, "--precision", "auto", "--out", chosen)
    assert f"dadh on unnamed is trained in bf16: {FASTER['reason']}." in said
    assert tried == [("dadh", 16, 30, {"batch_size": 10, "device": "cpu"})]
    invoke("train", file, *SMALL, "--precision", "bf16", "--out", named)
    ((name, ours),) = run_folders(chosen).items()
    theirs = run_folders(named)[name]
    assert (ours / "weights.safetensors").read_bytes() == (theirs / "weights.safetensors").read_bytes()
    results = [json.loads((folder / "result.json").read_text()) for folder in (ours, theirs)]
    assert [one["precision_trial"] for one in results] == [FASTER, None]
    assert results[0]["specification"]["precision"] == "bf16"
    assert FASTER["reason"] in invoke("runs", "show", name, "--out", chosen)


def test_the_recorded_choice_stays(file, tmp_path, tried, monkeypatch):
    invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path)
    monkeypatch.setattr("cmh_train.choose_precision", lambda *_, **__: pytest.fail("tried again"))
    for seed in (0, 1):
        said = invoke("train", file, *SMALL, "--precision", "auto", "--seed", seed, "--out", tmp_path)
        assert "is trained in bf16" in said
        assert "(tried before)" in said
    invoke("train", file, *SMALL, "--precision", "auto", "--unpaired-text", 50, "--out", tmp_path)
    assert len(run_folders(tmp_path)) == 3
    assert len(list(tmp_path.glob("precision-*.json"))) == 1
    assert len(tried) == 1


def test_a_run_that_names_another_precision_has_no_trial(file, tmp_path, tried):
    invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path)
    invoke("train", file, *SMALL, "--precision", "float32", "--out", tmp_path)
    trials = {
        found["specification"]["precision"]: found["precision_trial"]
        for folder in run_folders(tmp_path).values()
        for found in [json.loads((folder / "result.json").read_text())]
    }
    assert trials == {"bf16": FASTER, "float32": None}
    assert len(tried) == 1


def test_other_options_are_tried_by_themselves(file, tmp_path, tried):
    invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path)
    invoke("train", file, *SMALL, "--precision", "auto", "--set", "margin=1", "--out", tmp_path)
    assert len(tried) == 2


def test_a_real_trial_chooses_one_of_both(file, tmp_path):
    invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path)
    ((_, folder),) = run_folders(tmp_path).items()
    found = json.loads((folder / "result.json").read_text())
    assert found["precision_trial"]["precision"] == found["specification"]["precision"]


def test_a_damaged_choice_is_named(file, tmp_path, tried):
    invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path)
    (path,) = tmp_path.glob("precision-*.json")
    for content in ("{", '{"precision": "float64", "seconds": {}, "reason": ""}'):
        path.write_text(content)
        said = invoke("train", file, *SMALL, "--precision", "auto", "--out", tmp_path, code=2)
        assert str(path) in said
    assert len(tried) == 1


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_tried(file, tmp_path, tried):
    given = ("--set", "batch_size=31", "--precision", "auto")
    said = invoke("train", file, *given, "--out", tmp_path, code=2)
    assert "has only 30 training rows" in said
    assert not tried


def test_a_grid_tries_each_setting_once_for_all_cells_and_seeds(file, tmp_path, tried):
    grid = tmp_path / "grid.toml"
    grid.write_text(
        """
        title = "Small"
        data = ["tiny"]
        seeds = 2

        [methods.dadh]
        options = {bits = 16, batch_size = 10, layer_widths = [8, 8, 8], epochs = 1}

        [cells]
        paired = [0]
        UT = [50]
        """
    )
    given = ("reproduce", grid, "--data", f"tiny={file}", "--precision", "auto", "--out", tmp_path / "out")
    said = invoke(*given, "--plan")
    assert "is trained in bf16" in said
    assert not (tmp_path / "out").exists()
    assert len(tried) == 1
    said = invoke(*given, "--workers", 1)
    assert said.count("is trained in bf16") == 1
    assert len(tried) == 2
    found = [
        json.loads((one / "result.json").read_text()) for one in run_folders(tmp_path / "out/runs").values()
    ]
    assert len(found) == 4
    assert all(one["precision_trial"] == FASTER for one in found)
    assert all(one["specification"]["precision"] == "bf16" for one in found)


def test_workers_take_the_threads_that_a_trial_had(file, tmp_path, monkeypatch):
    import torch

    before, seen = torch.get_num_threads(), []

    def choose(*_, **__):
        seen.append(torch.get_num_threads())
        return PrecisionTrial(**FASTER)

    monkeypatch.setattr("cmh_train.choose_precision", choose)
    dataset = cmh_data.load(file)
    from cmh_train import make_config

    spec = RunSpecification.of(
        "dadh", make_config("dadh", options={"batch_size": 10}), method_version="1", dataset="tiny",
        data_digest=dataset.digest, cell={"discard": 0}, seed=0,
    )  # fmt: skip
    choice = PrecisionChoice(RunStore(tmp_path), {"tiny": dataset}, say=lambda _: None, threads=1, keep=False)
    assert [choice(spec), choice(spec)] == ["bf16", "bf16"]
    assert seen == [1]
    assert torch.get_num_threads() == before
