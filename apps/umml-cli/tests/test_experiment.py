from pathlib import Path

import pytest
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.grid.experiment import built_in_experiment, find_experiments, read_experiment
from umml_cli.grid.specify import refuse_unused, specify, unite
from umml_cli.inputs.data_sources import open_sources
from umml_cli.inputs.method_options import parse_method_options, parse_options
from umml_cli.main import app
from umml_cli.runs.specification import RunSpecification

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


def with_line(line):
    """GOOD with another line for its method."""
    return GOOD.replace('preset = "small"', f'preset = "small"\n{line}')


def test_the_quickstart_has_the_cells_that_it_promises():
    cells = [cell.title for cell in built_in_experiment("quickstart").grid()]
    assert cells == [
        "paired", "UI 20%", "UI 60%", "UI 100%", "UT 20%", "UT 60%", "UT 100%",
        "UIT 20%", "UIT 60%", "UIT 100%", "SD 20%", "SD 60%", "SD 80%", "untrained",
    ]  # fmt: skip


def test_an_experiment_file_is_read(tmp_path):
    experiment = read_experiment(write(tmp_path, GOOD))
    assert [cell.title for cell in experiment.grid()] == ["paired", "UI 20%", "UI 60%"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not TOML"),
        (GOOD + "XX = [1]", r"cells\.XX"),
        (GOOD.replace('title = "small"', ""), "title: Field required"),
        ('partial = "half"\n' + GOOD, "partial: Input should be 'largest-remainder' or 'position'"),
        ("seeds = 0\n" + GOOD, "seeds: Input should be greater than or equal to 1"),
        ("colour = 1\n" + GOOD, "colour: there is no such entry"),
        ("seed = 1\n" + GOOD, "seed: there is no such entry; did you mean 'seeds'"),
        (GOOD.replace("preset =", "presset ="), r"methods\.dadh\.presset.*did you mean 'preset"),
        ('extends = ["table3"]', r"grid\.toml: extends names \['table3'\]; it can name umml"),
        (
            'extends = "table3"\nmore_methods = 3',
            r"grid\.toml: more_methods is 3; write a table \[more_methods",
        ),
        (
            'methods = "dadh"\n[more_methods.mine]',
            r"grid\.toml: methods is 'dadh'; write a table \[methods\.",
        ),
        (GOOD + "[methods.DADH]", "two of dadh, DADH are one method"),
        (
            'table = "classes"\n' + GOOD.replace("paired = [0]", "UT = [20]"),
            r"add paired = \[0\] to the cells",
        ),
        (
            'figure = "classes"\n' + GOOD.replace("paired = [0]", "UT = [20]"),
            r"add paired = \[0\] to the cells",
        ),
        ('figure = "curves"\n' + GOOD.replace("UI = [20, 60]", ""), "add at least one of them to the cells"),
        ('figure = "classes"\n' + GOOD.replace("UI = [20, 60]", ""), "add at least one of them to the cells"),
    ],
)
def test_a_wrong_experiment_file_is_named_with_its_fault(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_experiment(write(tmp_path, text))


def test_a_cell_named_twice_is_one(tmp_path):
    experiment = read_experiment(write(tmp_path, GOOD.replace("[20, 60]", "[20, 20.0, 60, 20]")))
    assert [cell.title for cell in experiment.grid()] == ["paired", "UI 20%", "UI 60%"]


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
        "bits": 64, "epochs": 2, "batch_size": 128, "options": {"margin": 0.4, "mu": 0.1},
        "cell": {"unpaired_images": 20}, "seed": 0,
    }  # fmt: skip
    return RunSpecification.model_validate(base | changes)


def test_a_run_is_named_by_all_that_decides_its_numbers():
    names = {
        make(**change).run_id
        for change in (
            {}, {"seed": 1}, {"data_digest": "1"}, {"method_version": "2"}, {"precision": "bf16"},
            {"bits": 32}, {"options": {"margin": 0.5, "mu": 0.1}},
            {"cell": {"unpaired_text": 20}}, {"partial": "position"},
        )
    }  # fmt: skip
    assert len(names) == 9
    assert make().run_id == make(options={"mu": 0.1, "margin": 0.4}).run_id


def test_the_papers_experiments_in_order():
    assert list(find_experiments(["all"])) == [f"table{n}" for n in range(3, 10)] + [
        f"figure{n}" for n in range(5, 11)
    ]
    with pytest.raises(UserError, match=r"no experiment 'table2'\. There are table3, table4"):
        find_experiments(["table2"])


def test_a_file_can_extend_what_the_paper_has(tmp_path):
    experiment = read_experiment(write(tmp_path, 'extends = "table3"\ntitle = "mine"\nbits = [16, 32]\n'))
    assert experiment.bits == (16, 32)
    assert experiment.cells["UI"] == (20, 40, 60, 80, 100)
    assert experiment.table is None
    with pytest.raises(UserError, match="extends names 'nothing'"):
        read_experiment(write(tmp_path, 'extends = "nothing"'))


N_UNPAIRED = len(built_in_experiment("table8").methods) - 3
"""Table 8's methods for unpaired data, with each of their databases."""


class Source:
    """As much of a data set as planning reads."""

    def __init__(self, name):
        self.dataset = self.split = self
        self.digest = name * 2
        self.train = self.retrieval = range(1000)


def plan(names, data, **options):
    sources = {name: Source(name) for name in data}
    return unite(
        spec
        for experiment in find_experiments(names).values()
        for spec in specify(experiment, sources, **options)
    )


@pytest.mark.parametrize(("partial", "n_removed"), [("largest-remainder", 14), ("position", 20)])
def test_what_a_partial_block_gives(tmp_path, partial, n_removed):
    path = write(tmp_path, f'partial = "{partial}"\n' + GOOD)
    _, run, _ = plan([str(path)], ["emoji"])
    assert (run.cell.title, run.partial) == ("UI 20%", partial)
    assert run.plan(70).counts.without_text == n_removed  # 14 are 20% of 70


def test_cells_that_tables_share_are_run_once():
    alone = {
        name: plan([name], ["mirflickr25k", "nuswide-tc21"])
        for name in ("table3", "table4", "table7", "figure5")
    }
    assert {name: len(runs) for name, runs in alone.items()} == {
        "table3": 36,
        "table4": 36,
        "table7": 120,
        "figure5": 36,
    }
    assert len(plan(["table3", "table4", "figure5"], ["mirflickr25k", "nuswide-tc21"])) == 36 + 30
    assert len(plan(["all"], ["mirflickr25k", "nuswide-tc21"])) == 3 * 2 * 21 + 2 * N_UNPAIRED


def test_settings_follow_the_paper_and_the_data():
    runs = {(run.method, run.dataset): run for run in plan(["table3"], ["mirflickr25k", "nuswide-tc21"])}
    assert {key: run.epochs for key, run in runs.items() if key[1] == "mirflickr25k"} == {
        ("dadh", "mirflickr25k"): 300, ("agah", "mirflickr25k"): 20, ("jdsh", "mirflickr25k"): 300,
    }  # fmt: skip
    assert runs["jdsh", "nuswide-tc21"].batch_size == 128
    assert runs["dadh", "nuswide-tc21"].options["learning_rate"] == 1e-5
    assert {run.bits for run in runs.values()} == {64}
    assert [runs[method, "mirflickr25k"].evaluate_every for method in ("dadh", "agah", "jdsh")] == [1, 20, 20]


def test_data_of_ones_own_takes_the_place_of_the_papers():
    assert {run.dataset for run in plan(["table9"], ["mirflickr25k", "nuswide-tc21"])} == {"mirflickr25k"}
    assert {run.dataset for run in plan(["table9"], ["wikipedia"])} == {"wikipedia"}


def test_overrides_of_every_method_or_of_one():
    given = parse_method_options(["epochs=3", "dadh.layer_widths=[16, 8, 8]"])
    runs = plan(["table8"], ["emoji"], overrides=given)
    assert {run.epochs for run in runs} == {3}
    (dadh,) = [run for run in runs if run.method == "dadh"]
    assert dadh.options["layer_widths"] == [16, 8, 8]


def test_methods_in_capitals_are_the_same_methods(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GOOD.replace("[methods.dadh]", "[methods.DADH]"))
    assert list(read_experiment(path).methods) == ["dadh"]


def test_code_lengths_can_be_chosen():
    experiment = built_in_experiment("table3").choose(bits=[16, 32, 16])
    assert experiment.bits == (16, 32)


def test_methods_and_seeds_can_be_chosen():
    experiment = built_in_experiment("table3").choose(methods=["agah"], seeds=4)
    assert (list(experiment.methods), experiment.seeds) == (["agah"], 4)


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        (["table3"], {"methods": ["dadh", "typo"]}, "has the method typo; there are dadh, agah, jdsh"),
        (["table3"], {"overrides": ["", "dadhh"]}, "--set names the method dadhh, but dadh, agah, jdsh are"),
        (
            ["table3"],
            {"methods": ["dadh"], "overrides": ["agah"]},
            "--set names the method agah, but dadh are",
        ),
        (["table3"], {"data": ["mirflickr25k", "mine"]}, "shows mine beside mirflickr25k"),
    ],
)
def test_what_would_change_nothing_is_refused(names, asked, message):
    given = {"methods": [], "overrides": [], "data": []} | asked
    with pytest.raises(UserError, match=message):
        refuse_unused(find_experiments(names), **given)


def test_what_one_of_the_experiments_uses_is_not_refused():
    experiments = find_experiments(["table3", "table9"])  # table 9 has DADH and MIR-Flickr25K alone
    refuse_unused(
        experiments, methods=["agah"], overrides=["", "agah"], data=["mirflickr25k", "nuswide-tc21"]
    )


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "other").mkdir()
    paths = [
        str(tmp_path / "mine.toml"),
        str(tmp_path / "other" / "mine.toml"),
        str(tmp_path / "table3.toml"),
    ]
    for path in paths:
        Path(path).write_text(GOOD)
    with pytest.raises(UserError, match="are both called 'mine'"):
        find_experiments(paths[:2])
    with pytest.raises(UserError, match="are both called 'table3'"):
        find_experiments(["all", paths[2]])
    assert list(find_experiments([paths[0], paths[0], "table3", "table3"])) == ["mine", "table3"]


def test_a_batch_larger_than_the_data_is_refused():
    given = parse_method_options(["dadh.batch_size=1001"])
    with pytest.raises(
        UserError, match=r"batch_size of dadh is 1001, but emoji has only 1000 training rows; .*=1000"
    ):
        plan(["table3"], ["emoji"], overrides=given)


def test_a_batch_shrinks_only_where_discarding_left_fewer_rows():
    run = make(batch_size=128)
    assert [run.step_rows(n_kept) for n_kept in (1000, 128, 20)] == [128, 128, 20]


def test_a_setting_is_all_but_cell_and_seed():
    run = make()
    assert run.setting_id == make(seed=1).setting_id == make(cell={"discard": 20}).setting_id
    for change in ({"data_digest": "1"}, {"epochs": 3}, {"device": "cuda"}):
        assert make(**change).setting_id != run.setting_id


def test_an_option_is_varied_in_a_series_for_each_value(tmp_path):
    text = with_line("vary = { margin = [0.4, 0.8], epochs = [1, 2] }")
    experiment = read_experiment(write(tmp_path, text))
    sources = open_sources(["emoji"])
    runs = list(specify(experiment, sources))
    assert {(run.options["margin"], run.epochs) for run in runs} == {
        (0.4, 1), (0.4, 2), (0.8, 1), (0.8, 2)
    }  # fmt: skip
    assert len({run.setting_id for run in runs}) == experiment.n_variants == 4
    assert len(runs) == 4 * 3


def test_the_number_of_neighbours_makes_runs_of_completed_cells_only(tmp_path):
    text = with_line("neighbours = [1, 20]").replace("dadh", "jdsh").replace("UI =", '"UI completed" =')
    runs = unite(specify(read_experiment(write(tmp_path, text)), open_sources(["emoji"])))
    assert [(run.cell.title, run.neighbours) for run in runs] == [
        ("paired", None),
        ("UI 20%, completed", 1), ("UI 60%, completed", 1),
        ("UI 20%, completed", 20), ("UI 60%, completed", 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vary = { margin = [] }", "vary.margin: Tuple should have at least 1 item"),
        ("vary = { margn = [0.4] }", "has no option 'margn'.*margin"),
        ("neighbours = [0]", "neighbours.0: Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_varied_is_refused(tmp_path, line, message):
    path, sources = write(tmp_path, with_line(line)), open_sources(["emoji"])
    with pytest.raises(UserError, match=message):
        list(specify(read_experiment(path), sources))


def test_an_experiment_that_is_nearly_named_is_asked_for():
    with pytest.raises(
        UserError, match=r"There is no experiment 'tabel3'; did you mean 'table3'\? There are table3, "
    ):
        find_experiments(["tabel3"])


@pytest.mark.parametrize("line", ["options = { bits = 16 }", "vary = { bits = [16, 32] }"])
def test_code_lengths_are_said_in_one_place(tmp_path, line):
    experiment, sources = read_experiment(write(tmp_path, with_line(line))), open_sources(["emoji"])
    assert next(specify(experiment, sources)).bits == 16
    with pytest.raises(UserError, match=r"options of dadh say 16 bits, but it is run at 64 bits; leave"):
        next(specify(experiment.choose(bits=[64]), sources))


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("train emoji", "--bits 16 --set bits=32"),
        ("rank emoji --out given-twice.csv", "--bits 16 --set bits=32"),
        ("train emoji", "--epochs 1 --set dadh.epochs=2"),
        ("train emoji", "--method mtfh-learned --set database=encoded"),
        ("reproduce table3 --data emoji", "--bits 16 --set dadh.bits=32"),
        ("reproduce table3 --data emoji", "--epochs 1 --set epochs=2"),
    ],
)
def test_an_option_given_twice_is_refused(command, given):
    done = CliRunner().invoke(app, [*command.split(), *given.split()])
    assert f"{given.split()[0]} and --set give the same option of the method" in str(done.exception)


def test_nothing_to_train_is_said_before_anything_is_written(tmp_path):
    path = write(tmp_path, GOOD.replace("paired = [0]", "").replace("UI =", '"UI completed" ='))
    done = CliRunner().invoke(
        app, ["reproduce", str(path), "--data", "emoji", "--out", str(tmp_path / "out")]
    )
    assert "There is nothing to train" in str(done.exception)
    assert not (tmp_path / "out").exists()
