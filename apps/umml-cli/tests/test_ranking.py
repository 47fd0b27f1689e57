"""Training samples ranked by their loss, and what is unpaired by it."""

import json

import cmh_data
import numpy as np
import pytest
from cmh_train import TrainingData, available_methods, build_method, fit, make_config, score_samples
from cmh_unpair import UnpairingPlan
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment
from umml_cli.grid.specify import specify as specify_grid
from umml_cli.inputs.data_sources import DataSource
from umml_cli.main import app
from umml_cli.runs.cells import Cell
from umml_cli.runs.perform import perform
from umml_cli.runs.ranking import check_can_rank, scores_of_run
from umml_cli.runs.sample_scores import SampleScores, ScoredBy
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RunStore
from umml_cli.terms import SCHEME_TITLES

OPTIONS = {"bits": 16, "epochs": 2, "batch_size": 10, "layer_widths": [8, 8, 8]}
SET = ("--bits", "16", "--set", "batch_size=10", "--set", "layer_widths=8,8,8", "--epochs", "2")
TERMS = [
    "triplet_image_to_text", "triplet_text_to_image", "quantisation", "adversarial_feature",
    "adversarial_code",
]  # fmt: skip


def invoke(*arguments, code=0):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(done.exception, Exception) and not isinstance(done.exception, SystemExit):
        assert code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.output


def made_with(dataset, **changes):
    return ScoredBy(
        data="tiny", data_digest=dataset.digest, method="dadh", method_version="1", options={}, seed=0, last=1
    ).model_copy(update=changes)


def scores_file(path, dataset, totals):
    rows = dataset.split.train
    SampleScores(np.asarray(rows), {"loss": np.asarray(totals, float)}, made_with(dataset)).save(path)
    return path


def test_rank_writes_the_terms_of_the_last_epochs_and_their_sum(file, tmp_path):
    out = tmp_path / "scores.csv"
    said = invoke("rank", file, *SET, "--last", 1, "--out", out)
    assert "30 training rows, mean of the last 1 of 2 epochs" in said
    about, head, *lines = out.read_text(encoding="utf-8").splitlines()
    assert json.loads(about[2:])["data_digest"] == cmh_data.load(file).digest
    assert head == ",".join(["row", *TERMS, "total"])
    table = np.array([line.split(",") for line in lines], float)
    assert table[:, 0].tolist() == list(range(5, 35))
    np.testing.assert_allclose(table[:, 1:-1].sum(axis=1), table[:, -1])

    dataset = cmh_data.load(file)  # the same by hand
    rows = dataset.split.train
    mean, std = dataset.image.mean(dtype=np.float64), dataset.image.std(dtype=np.float64)
    data = TrainingData.from_arrays(
        image=dataset.image[rows], text=dataset.text[rows], label=dataset.label[rows],
        image_mean=float(mean), image_std=float(std),
    )  # fmt: skip
    method = build_method("dadh", make_config("dadh", options=OPTIONS), data.spec, 0)
    epochs = []
    fit(
        method, data, epochs=2, batch_size=10,
        on_epoch_end=lambda _: epochs.append(score_samples(method, data, batch_size=10)),
    )  # fmt: skip
    np.testing.assert_allclose(table[:, 3], epochs[-1]["quantisation"], rtol=1e-4)
    npz = tmp_path / "scores.npz"
    invoke("rank", file, *SET, "--last", 9, "--out", npz)
    both = SampleScores.load(npz)
    assert both.made_with.last == 2
    expected = np.mean([one["quantisation"] for one in epochs], axis=0)
    np.testing.assert_allclose(both.terms["quantisation"], expected, rtol=1e-4)


def test_rank_refuses_what_it_cannot_do_before_it_trains(file, tmp_path):
    out = tmp_path / "scores.csv"
    said = invoke("rank", file, "--method", "dcmh", "--out", out, code=2)
    assert "dcmh gives no loss of a single training sample" in said
    assert "agah, dadh, jdsh" in said
    assert "must end with .csv or .npz" in invoke("rank", file, "--out", tmp_path / "scores.txt", code=2)
    out.write_text("mine")
    assert "exists; choose another name or pass --overwrite" in invoke("rank", file, "--out", out, code=2)
    assert out.read_text() == "mine"


def test_the_methods_that_rank_are_those_of_the_registry():
    able = [name for name, spec in available_methods().items() if spec.sample_losses]
    assert {"agah", "dadh", "jdsh"} <= set(able)
    for name in available_methods().keys() - able:
        with pytest.raises(UserError, match=", ".join(able)):
            check_can_rank(name)


def test_the_hardest_or_easiest_lose_their_partner(file, tmp_path):
    dataset = cmh_data.load(file)
    totals = np.arange(30.0)
    totals[[3, 17]] = 99, -1
    scores = scores_file(tmp_path / "scores.csv", dataset, totals)
    record = tmp_path / "plan.json"
    invoke(
        "unpair", file, tmp_path / "hard.h5", "--unpaired-images", 10, "--unpaired-text", 10,
        "--select", "hardest", "--scores", scores, "--plan-out", record,
    )  # fmt: skip
    plan = UnpairingPlan.from_json(record.read_bytes())
    assert sorted(np.flatnonzero(~plan.true_pair)) == [3, 25, 26, 27, 28, 29]
    assert (plan.counts.without_text, plan.counts.without_image) == (3, 3)
    hard = cmh_data.load(tmp_path / "hard.h5")
    assert sorted(np.flatnonzero(~(hard.image_present & hard.text_present))) == [8, 30, 31, 32, 33, 34]
    invoke(
        "unpair", file, tmp_path / "easy.h5", "--unpaired-images", 10,
        "--select", "easiest", "--scores", scores, "--plan-out", record,
    )  # fmt: skip
    assert np.flatnonzero(~UnpairingPlan.from_json(record.read_bytes()).text_present).tolist() == [0, 1, 17]


@settings(deadline=None, max_examples=15)
@given(
    totals=st.lists(st.floats(-1e6, 1e6), min_size=30, max_size=30), suffix=st.sampled_from([".csv", ".npz"])
)
def test_scores_come_back_as_they_were_and_follow_their_rows(file, tmp_path_factory, totals, suffix):
    dataset = cmh_data.load(file)
    path = scores_file(tmp_path_factory.mktemp("scores") / f"s{suffix}", dataset, totals)
    read = SampleScores.load(path)
    assert read.total.tolist() == totals
    assert read.made_with == made_with(dataset)
    backwards = dataset.split.train[::-1]
    assert read.of_rows(backwards, dataset, file).tolist() == totals[::-1]


def test_scores_of_other_data_or_other_rows_are_refused(file, tmp_path):
    dataset = cmh_data.load(file)
    scores = scores_file(tmp_path / "scores.csv", dataset, np.arange(30.0))
    other = tmp_path / "other.h5"
    changed = cmh_data.PairedDataset(
        image=dataset.image[:] + 1, text=dataset.text, label=dataset.label, split=dataset.split
    )
    cmh_data.save(changed, other)
    hardest = ("--unpaired-images", 10, "--select", "hardest", "--scores")
    target = tmp_path / "out.h5"
    assert "scores were made of tiny with digest" in invoke("unpair", other, target, *hardest, scores, code=2)
    said = invoke("unpair", file, target, *hardest, scores, "--train", "0:20", code=2)
    assert "scores are of 30 training rows, but 20 different ones" in said
    missing = tmp_path / "no.csv"
    assert "There is no file" in invoke("unpair", file, target, *hardest, missing, code=2)
    assert "needs scores" in invoke("unpair", file, target, "--select", "easiest", code=2)
    assert "--scores ranks rows for" in invoke("unpair", file, target, "--scores", scores, code=2)
    assert not target.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(",7.0,", ",nan,"), "a number of loss is missing, NaN or infinite"),
        (lambda text: text.replace(",7.0,", ",,"), "cannot be read"),
        (lambda text: text.replace("\n6,", "\n5,"), "rows must be whole numbers, each once"),
        (lambda text: text.replace("\n6,", "\n6.5,"), "rows must be whole numbers, each once"),
        (lambda text: text.replace("row,", "line,"), "needs the column row"),
        (lambda text: text.partition("\n")[2], "does not say what it was made of"),
        (lambda text: text.rstrip().rpartition(",")[0], "cannot be read"),
        (lambda _: "", "cannot be read"),
    ],
)
def test_a_damaged_file_of_scores_is_refused(file, tmp_path, change, said):
    path = scores_file(tmp_path / "scores.csv", cmh_data.load(file), np.arange(30.0))
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        SampleScores.load(path)
    damaged = tmp_path / "scores.npz"
    damaged.write_bytes(b"PK\x03\x04no")
    with pytest.raises(UserError, match="is not a file of umml rank"):
        SampleScores.load(damaged)


def test_cells_name_their_selection_and_leave_other_digests_alone():
    hardest = Cell.of("UIT hardest", 40)
    assert (hardest.title, hardest.scheme) == ("UIT 40%, hardest first", "UIT hardest")
    assert Cell.model_validate_json(hardest.model_dump_json()) == hardest
    assert "select" not in Cell.of("UIT", 40).model_dump()
    for scheme in ("UI", "UT", "UIT", "SD", "mixed"):
        assert {f"{scheme} hardest", f"{scheme} easiest"} <= SCHEME_TITLES.keys()
    plan = hardest.plan(10, scores=np.arange(10.0))
    assert np.flatnonzero(~plan.true_pair).tolist() == [6, 7, 8, 9]
    for wrong in ({"select": "hardest"}, {"select": "hardest", "unpaired_images": 10, "completed": True}):
        with pytest.raises(ValueError, match=r"no pair is changed|cannot be completed"):
            Cell.model_validate(wrong)


def grid(**changes):
    return Experiment.model_validate(
        {"title": "t", "data": ["tiny"], "methods": {"dadh": {"options": OPTIONS}}, "select": "ranked",
         "cells": {"paired": [0], "UIT": [40, 100]}, **changes}
    )  # fmt: skip


def test_a_ranked_experiment_has_the_hardest_and_easiest_beside_rows_in_order(file):
    titles = [cell.title for cell in grid().grid()]
    assert titles == ["paired", "UIT 40%", "UIT 40%, hardest first", "UIT 40%, easiest first", "UIT 100%"]
    sources = {"tiny": DataSource(str(file), cmh_data.load(file))}
    assert len(list(specify_grid(grid(seeds=2), sources))) == 10
    with pytest.raises(UserError, match="dcmh gives no loss of a single training sample"):
        list(specify_grid(grid(methods={"dcmh": {"options": {"batch_size": 10}}}), sources))
    with pytest.raises(ValueError, match="position"):
        grid(partial="position")


def test_runs_of_one_seed_share_one_ranking_and_change_those_rows(file, tmp_path):
    dataset, store = cmh_data.load(file), RunStore(tmp_path)
    plans = {}
    for select in ("hardest", "easiest"):
        spec = RunSpecification.of(
            "dadh", make_config("dadh", options=OPTIONS), method_version="1", dataset=dataset.name,
            data_digest=dataset.digest, cell=Cell.of(f"UIT {select}", 40), seed=0,
        )  # fmt: skip
        result = perform(spec, dataset, store=store, on_event=lambda _: None)
        (ranking,) = tmp_path.glob("ranking-*.npz")
        written = ranking.stat().st_mtime_ns
        scores = scores_of_run(spec, dataset, store)
        assert ranking.stat().st_mtime_ns == written
        plans[select] = spec.plan(30, scores)
        assert result.plan_digest == plans[select].digest
        assert result.training_pairs["paired"] == 18
    hard, easy = (set(np.flatnonzero(~plan.true_pair)) for plan in plans.values())
    assert len(hard) == len(easy) == 12
    assert not hard & easy
    assert scores[list(hard)].min() >= scores[list(easy)].max()
    assert len(list(store.folders())) == 2
