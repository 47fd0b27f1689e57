import pytest
from umml_cli.errors import UserError
from umml_cli.experiment import built_in_experiment, read_experiment
from umml_cli.methods import parse_options
from umml_cli.specification import RunSpecification

GOOD = """
title = "small"
data = ["emoji"]
[methods.dadh]
preset = "small"
[cells]
paired = [0]
UI = [20, 60]
"""


def write(tmp_path, text):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return path


def test_the_quickstart_has_the_cells_that_it_promises():
    cells = [cell.title for cell in built_in_experiment("quickstart").grid()]
    assert cells == [
        "paired", "UI 20 %", "UI 60 %", "UI 100 %", "UT 20 %", "UT 60 %", "UT 100 %",
        "UIT 20 %", "UIT 60 %", "UIT 100 %", "SD 20 %", "SD 60 %", "SD 80 %", "untrained",
    ]  # fmt: skip


def test_an_experiment_file_is_read(tmp_path):
    experiment = read_experiment(write(tmp_path, GOOD))
    assert [cell.title for cell in experiment.grid()] == ["paired", "UI 20 %", "UI 60 %"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not TOML"),
        (GOOD + "XX = [1]", r"cells\.XX"),
        (GOOD.replace('title = "small"', ""), "title: Field required"),
        ("seeds = 0\n" + GOOD, "seeds: Input should be greater than or equal to 1"),
        ("colour = 1\n" + GOOD, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_experiment_file_is_named_with_its_fault(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_experiment(write(tmp_path, text))


def test_a_missing_experiment_file_is_said(tmp_path):
    with pytest.raises(UserError, match="There is no experiment file"):
        read_experiment(tmp_path / "none.toml")


def test_option_assignments():
    assert parse_options(["epochs=5", "layer_widths=[4, 2]", "variant=clean"]) == {
        "epochs": 5,
        "layer_widths": [4, 2],
        "variant": "clean",
    }
    with pytest.raises(UserError, match="NAME=VALUE, got 'epochs'"):
        parse_options(["epochs"])


def make(**changes):
    base = {
        "dataset": "emoji", "data_digest": "0", "method": "dadh", "method_version": "1",
        "options": {"bits": 64, "epochs": 2}, "cell": {"unpaired_images": 20}, "seed": 0,
    }  # fmt: skip
    return RunSpecification.model_validate(base | changes)


def test_a_run_is_named_by_all_that_decides_its_numbers():
    names = {
        make(**change).run_id
        for change in (
            {}, {"seed": 1}, {"data_digest": "1"}, {"method_version": "2"}, {"precision": "bf16"},
            {"options": {"bits": 32, "epochs": 2}}, {"cell": {"unpaired_text": 20}},
        )
    }  # fmt: skip
    assert len(names) == 7
    assert make().run_id == make(options={"epochs": 2, "bits": 64}).run_id
