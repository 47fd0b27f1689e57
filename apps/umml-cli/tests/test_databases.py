"""Methods that can rank learned codes: both databases, named wherever a number stands."""

import json

import numpy as np
import pytest
from cmh_data import load
from cmh_metrics import pack_codes
from cmh_train import HashingMethod
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment, built_in_experiment, selects
from umml_cli.inputs.data_sources import DataSource
from umml_cli.inputs.method_options import labelled_options, named_label
from umml_cli.main import app
from umml_cli.runs.cells import Cell
from umml_cli.runs.perform import rank_learned_codes
from umml_cli.runs.run_codes import RunCodes
from umml_cli.terms import method_label, method_title, split_label


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    label = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 140)]
    return {
        "image": (label @ rng.normal(size=(3, 8)) + rng.normal(size=(140, 8))).astype(np.float32),
        "text": (label @ rng.normal(size=(3, 6)) + rng.normal(size=(140, 6))).astype(np.float32),
        "labels": label,
        "train": np.arange(100),
        "query": np.arange(100, 140),
    }


@pytest.fixture
def data(arrays, tmp_path):
    np.savez(tmp_path / "tiny.npz", **arrays)
    return tmp_path / "tiny.npz"


def umml(*arguments):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    return str(done.exception) if done.exit_code else done.output


def train(data, *arguments, method="amsh"):
    options = ["--bits", 16, "--epochs", 2, "--set", "anchors=30", "--out", data.parent / "runs"]
    return umml("train", data, "--method", method, *options, *arguments)


def results(folder):
    read = (json.loads(path.read_text()) for path in folder.glob("**/result.json"))
    return {
        method_label(one["specification"]["method"], one["specification"]["options"]): one for one in read
    }


def test_a_label_names_the_method_and_its_database():
    assert method_label("amsh", {"database": "learned"}) == "amsh-learned"
    assert method_label("dadh", {"margin": 1}) == "dadh"
    assert split_label("amsh-encoded") == ("amsh", "encoded")
    assert split_label("close-pairs") == ("close-pairs", "")
    assert method_title("amsh-learned") == "AMSH (learned database)"
    assert method_title("cfrh") == "CFRH (reconstructed)"


def test_a_label_is_read_as_the_method_with_that_option():
    assert named_label("AMSH-Learned") == "amsh-learned"
    assert labelled_options("amsh-learned") == ("amsh", {"database": "learned"})
    assert labelled_options("dadh") == ("dadh", {})
    with pytest.raises(UserError, match="dadh has no option database; leave -learned out"):
        named_label("dadh-learned")
    with pytest.raises(UserError, match="amsh"):
        named_label("amhs-learned")


def test_a_method_selects_both_of_its_databases():
    assert selects(["amsh"], "amsh-learned")
    assert selects(["amsh-learned"], "amsh-learned")
    assert not selects(["amsh-learned"], "amsh-encoded")


def test_each_database_is_a_run_of_its_own_and_its_output_says_which(data):
    assert "amsh (encoded database)" in train(data)
    output = train(data, method="amsh-learned")
    assert "amsh (learned database)" in output
    assert "ranked images with a learned code │ 100 of 100" in output
    found = results(data.parent)
    assert set(found) == {"amsh-encoded", "amsh-learned"}
    counts = {"learned": 100, "encoded": 0}
    assert found["amsh-learned"]["database"] == {"image": counts, "text": counts}
    assert found["amsh-encoded"]["database"] is None
    listed = umml("runs", "list", "--out", data.parent / "runs")
    assert "amsh-l" in listed


def test_an_option_says_the_same_as_the_label(data):
    train(data, method="amsh-learned")
    train(data, "--set", "database=learned")
    assert len(results(data.parent)) == 1


def test_items_that_training_lacked_are_encoded_and_counted(data):
    train(data, "--unpaired-images", 50, "--unpaired-text", 50, method="amsh-learned")
    (found,) = results(data.parent).values()
    counts = {"learned": 50, "encoded": 50}
    assert found["database"] == {"image": counts, "text": counts}


def test_rows_outside_the_training_set_are_not_ranked_by_learned_codes(arrays, data):
    np.savez(data, **{**arrays, "train": np.arange(80), "retrieval": np.arange(100)})
    message = train(data, method="amsh-learned")
    assert "20 of the 100 rows of the retrieval set of tiny are not training rows" in message
    assert "take database=encoded" in message
    assert not list(data.parent.glob("runs/*/*"))


class Learned(HashingMethod):
    """Has learned the code of row i: i in binary."""

    def learned_codes(self, modality):
        import torch

        bits = (torch.arange(3)[:, None] >> torch.arange(8)) % 2
        return 2.0 * bits - 1 if modality == "image" else 1.0 - 2 * bits


def test_learned_codes_take_the_places_of_their_rows():
    """Ranked are rows 7, 5, 9; training saw rows 5, 6, 7 in this order, and no text of row 7."""
    encoded = pack_codes(np.full((3, 8), 1.0), code_values="signed")
    rows, there = np.array([7, 5, 9]), np.ones(3, bool)
    labels = np.zeros((3, 1), np.uint8)
    codes = RunCodes(
        query_image=encoded, query_text=encoded, retrieval_image=encoded, retrieval_text=encoded,
        query_rows=rows, retrieval_rows=rows, query_image_present=there, query_text_present=there,
        retrieval_image_present=there, retrieval_text_present=np.array([True, True, False]),
        query_labels=labels, retrieval_labels=labels,
    )  # fmt: skip

    class Data:
        image_present, text_present = np.ones(3, bool), np.array([True, True, False])

    ranked, counts = rank_learned_codes(codes, Learned(), Data(), np.array([5, 6, 7]))
    # Image codes: of rows 7 and 5 those learned at places 2 and 0, of row 9 the encoded one.
    assert ranked.retrieval_image.words.ravel().tolist() == [2, 0, 255]
    # Texts: row 7's was no training item; row 5's is learned; row 9 has none, and keeps what stands there.
    assert ranked.retrieval_text.words.ravel().tolist() == [255, 255, 255]
    assert counts == {"image": {"learned": 2, "encoded": 1}, "text": {"learned": 1, "encoded": 2}}


def test_table_8_trains_the_methods_for_such_data_with_both_databases(data):
    assert {"dadh", "agah", "jdsh", "amsh-encoded", "amsh-learned"} <= set(
        built_in_experiment("table8").methods
    )
    out = data.parent / "grid"
    output = umml(
        "reproduce", "table8", "--data", f"tiny={data}", "--methods", "amsh", "--bits", 16,
        "--epochs", 2, "--set", "amsh.anchors=30", "--out", out,
    )  # fmt: skip
    assert "Tables" in output
    table = (out / "tables" / "table8.md").read_text()
    for said in (
        "| AMSH (encoded database) |", "| AMSH (learned database) |", "no program of them is public",
        "from the ranked items' own labels", "50 of 100 images",
    ):  # fmt: skip
        assert said in table
    assert "AMSH (encoded database) + UMML" not in table
    assert {line.split(",")[2] for line in (out / "runs.csv").read_text().splitlines()[1:]} == {
        "amsh-encoded", "amsh-learned"
    }  # fmt: skip


def test_a_grid_leaves_learned_codes_out_where_they_cannot_be_ranked(arrays, data):
    np.savez(data, **{**arrays, "train": np.arange(80), "retrieval": np.arange(100)})
    output = umml("reproduce", "table8", "--data", f"tiny={data}", "--methods", "amsh", "--plan")
    assert "amsh-learned is left out on tiny: 20 of its 100 ranked rows are not training rows" in output
    assert "amsh (encoded database)" in output
    alone = umml("reproduce", "table8", "--data", f"tiny={data}", "--methods", "amsh-learned", "--plan")
    assert alone.startswith("amsh-learned is left out on tiny")


def test_completion_is_refused_for_a_method_that_needs_no_pairs(data):
    message = train(data, "--unpaired-images", 50, "--complete", "label")
    assert "would change nothing: amsh trains on each modality's own rows" in message


def test_methods_says_which_need_pairs():
    assert "needs pairs" in " ".join(umml("methods").split())


def test_more_methods_stand_beside_those_of_the_base(tmp_path):
    from umml_cli.grid.experiment import read_experiment

    path = tmp_path / "own.toml"
    path.write_text('extends = "table8"\ntitle = "Own"\n[more_methods.cagan]\npreset = "small"\n')
    assert set(read_experiment(path).methods) == {*built_in_experiment("table8").methods, "cagan"}
    assert isinstance(read_experiment(path), Experiment)


def test_shown_series_are_those_of_the_named_database(data):
    source = DataSource(str(data), load(data))
    from umml_cli.grid.specify import specify

    experiment = built_in_experiment("table8").choose(methods=["amsh-learned"])
    (run,) = specify(experiment, {"tiny": source}, overrides={"amsh": {"bits": 16}})
    assert (run.label, run.bits, run.cell) == ("amsh-learned", 16, Cell.of("UIT", 100))


@pytest.mark.parametrize("database", ["encoded", "learned"])
def test_images_and_texts_are_ranked_in_spaces_of_their_own_lengths(data, database):
    output = train(data, "--set", "text_bits=24", method=f"mtfh-{database}")
    assert f"mtfh ({database} database)" in output
    (path,) = data.parent.glob("runs/*/codes.npz")
    codes = RunCodes.load(path)
    assert {name: getattr(codes, name).bits for name in ("query_text", "retrieval_image")} == {
        "query_text": 16, "retrieval_image": 16,
    }  # fmt: skip
    assert codes.query_image.bits == codes.retrieval_text.bits == 24
    scored = umml("evaluate", path.parent)
    (found,) = results(data.parent).values()
    assert f"{found['map']['i2t']:.4f}" in scored


def test_a_missing_side_is_ranked_by_its_code_in_that_sides_space(arrays, data):
    """A text-only item stands among the images with the code of a text query, which lies in their space."""
    present = np.arange(140) % 4 > 0
    np.savez(data, **{**arrays, "image_present": present, "text_present": np.ones(140, bool)})
    train(data, "--set", "text_bits=24", method="mtfh")
    (path,) = data.parent.glob("runs/*/codes.npz")
    codes = RunCodes.load(path)
    assert codes.retrieval_image.bits == 16
    assert not codes.retrieval_image_present.all()


def test_a_model_without_one_space_is_not_indexed(data):
    train(data, method="mtfh")
    (folder,) = (path.parent for path in data.parent.glob("runs/*/result.json"))
    for command in (["index", folder, data], ["encode", folder, data, "--out", data.parent / "codes.h5"]):
        assert "mtfh ranks images and texts in code spaces of their own" in umml(*command)
