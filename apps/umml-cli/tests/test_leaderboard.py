import csv

import numpy as np
import pytest
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment
from umml_cli.grid.reproduction import FILE, Reproduction
from umml_cli.main import app
from umml_cli.report.leaderboard_page import write_leaderboard
from umml_cli.report.paper_tables import paper_tables
from umml_cli.report.paper_tables.leaderboard import leaderboard_tables
from umml_cli.report.paper_tables.table import Exhibited
from umml_cli.results.series import Score, Series, collect
from umml_cli.runs.cells import Cell
from umml_cli.runs.files import write_json
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import BestEpoch, RunResult, RunStore
from umml_cli.terms import NOT_SIGNIFICANT

N_QUERY = 200
CELLS = {"paired": (0,), "UIT": (60,)}


def experiment(**changes):
    methods = {"dadh": {}, "jdsh": {}, "dcmh": {}, "amsh-learned": {}, "ucch": {}}
    return Experiment.model_validate(
        {"title": "Board", "data": ["emoji"], "methods": methods, "cells": CELLS, "seeds": 3,
         "bits": [16, 32], "table": "leaderboard", **changes}
    )  # fmt: skip


def add_run(store, method, value, *, seed=0, bits=16, cell="paired", percent=0, seconds=1.0, digest="0"):
    options = {"database": "learned"} if method.endswith("-learned") else {}
    spec = RunSpecification(
        dataset="emoji", data_digest=digest, method=method.removesuffix("-learned"), method_version="1",
        bits=bits, epochs=1, batch_size=8, options=options, cell=Cell.of(cell, percent), seed=seed,
    )  # fmt: skip
    precision = np.clip(value + 0.1 * np.sin(np.arange(N_QUERY)) + 0.001 * seed, 0, 1)
    maps = dict.fromkeys(("i2t", "t2i"), float(precision.mean()))
    folder = store.open(spec)
    both = {"i2t": precision, "t2i": precision}
    RunPrecision.of(both, both, np.ones((N_QUERY, 1), np.uint8)).save(folder.precision)
    result = RunResult(
        specification=spec, map=maps, best=BestEpoch(epoch=1, map=maps), definition="all, ties expected",
        epochs=1, seconds={"training": seconds}, training_pairs={}, plan_digest="0", environment={},
    )  # fmt: skip
    write_json(folder.result, result.model_dump(mode="json"))
    return result


@pytest.fixture
def grid(tmp_path):
    """Two methods of five complete at 16 bits, one with two of three seeds, one with a single run."""
    store = RunStore(tmp_path / "runs")
    results = [add_run(store, "dadh", 0.6, seed=seed, seconds=[90, 10, 20][seed]) for seed in range(3)]
    results += [add_run(store, "jdsh", 0.6 - 0.0002, seed=seed) for seed in range(3)]
    results += [add_run(store, "dcmh", 0.3, seed=seed) for seed in (0, 2)]
    results += [add_run(store, "amsh-learned", 0.7, cell="UIT", percent=60)]
    results += [add_run(store, "jdsh", 0.5, seed=seed, bits=32) for seed in range(3)]
    return store, results


def row_of(table, method):
    (row,) = [row for row in table.rows if row.labels[0].startswith(method)]
    return dict(zip([" ".join(column).strip() for column in table.columns], row.entries, strict=True)), row


def test_a_table_for_each_code_length_with_the_best_in_bold_and_who_is_level_with_it(grid):
    store, results = grid
    tables = paper_tables("board", experiment(), collect(results, store=store), label_names={})
    assert [table.name for table in tables] == ["board-emoji-16", "board-emoji-16-learned", "board-emoji-32"]
    table = tables[0]
    assert [row.labels[0] for row in table.rows] == ["DADH", "JDSH", "DCMH", "UCCH"]
    dadh, row = row_of(table, "DADH")
    assert row.labels == ("DADH", "yes", "no")
    assert dadh["image → text paired"].bold
    assert dadh["image → text paired"].text.startswith("0.60")
    assert dadh["image → text UIT 60%"].text == ""
    assert dadh["training, s"].text == "20"
    jdsh, row = row_of(table, "JDSH")
    assert row.labels[1:] == ("no", "no")
    assert jdsh["image → text paired"].text.endswith(NOT_SIGNIFICANT)
    assert not jdsh["image → text paired"].bold
    dcmh, row = row_of(table, "DCMH")
    assert row.labels[2].startswith("yes (")
    assert dcmh["image → text paired"].text.endswith(" (2)")
    assert NOT_SIGNIFICANT not in dcmh["image → text paired"].text
    assert all(entry.text == "" for entry in row_of(table, "UCCH")[1].entries)
    learned = tables[1]
    assert learned.title == "Board: emoji, 16 bits, learned database"
    amsh, row = row_of(learned, "AMSH")
    assert row.labels[1] == "yes, the ranked items' too"
    assert amsh["text → image UIT 60%"].text.endswith(" (1)")
    assert not amsh["text → image UIT 60%"].bold  # alone in its column
    assert len(learned.rows) == 1
    assert any("compared among themselves alone" in remark for remark in learned.remarks)
    assert not any(entry.bold for row in tables[2].rows for entry in row.entries)


def test_what_is_kept_of_the_paired_map_is_the_mean_of_both_tasks_and_the_data_sets():
    cell = Cell.of("UIT", 60)

    def series(method, dataset, paired, changed):
        maps = {Cell.of("paired"): paired, cell: changed}
        scores = {(where, task): Score.of([value]) for where, pair in maps.items()
                  for task, value in zip(("i2t", "t2i"), pair, strict=True)}  # fmt: skip
        return Series(dataset, method, 16, scores)

    shown = [
        series("jdsh", "emoji", (0.5, 0.25), (0.25, 0.25)),
        series("jdsh", "web", (0.8, 0.4), (0.4, 0.1)),
        series("dadh", "emoji", (0.5, 0.5), (0.4, 0.4)),
        series("dadh", "web", (0, 0), (0, 0)),  # no query has a relevant item: nothing can be kept
    ]
    board = experiment(data=["emoji", "web"], bits=[16])
    first = leaderboard_tables(Exhibited("board", board, shown, {}))[0]
    assert first.name == "board-kept-16"
    assert first.columns == (("", "UIT 60%"),)
    assert [(row.labels, row.entries[0].text) for row in first.rows] == [
        (("DADH", "yes"), "80 (1)"),
        (("JDSH", "no"), "56"),  # (50 + 100 + 50 + 25) / 4
    ]
    assert [row.labels[0] for row in first.rows] == ["DADH", "JDSH"]  # the order of the experiment


def test_a_learned_database_neither_takes_the_bold_nor_makes_the_others_level(grid):
    store, results = grid
    results += [add_run(store, "amsh-learned", 0.9, seed=seed) for seed in range(3)]
    results += [add_run(store, "mtfh-learned", 0.9 - 0.0002, seed=seed) for seed in range(3)]
    board = experiment(methods={"dadh": {}, "jdsh": {}, "amsh-learned": {}, "mtfh-learned": {}})
    tables = paper_tables("board", board, collect(results, store=store), label_names={})
    kept, encoded, learned, _ = tables
    assert [row.labels[0] for row in kept.rows] == ["AMSH (learned database)"]  # alone in both conditions
    column = "image → text paired"
    assert row_of(encoded, "DADH")[0][column].bold
    assert row_of(encoded, "JDSH")[0][column].text.endswith(NOT_SIGNIFICANT)
    assert row_of(learned, "AMSH")[0][column].bold
    assert row_of(learned, "MTFH")[0][column].text.endswith(NOT_SIGNIFICANT)
    assert [row.labels[0].split()[0] for row in learned.rows] == ["AMSH", "MTFH"]  # the order of the remark
    assert "Sorted by the mean of both tasks under the first condition, paired;" in " ".join(learned.remarks)


def save_grid(folder, results, board, n_planned=0):
    more = [results[0].specification.model_copy(update={"seed": 90 + extra}) for extra in range(n_planned)]
    specifications = [*(result.specification for result in results), *more]
    Reproduction(
        experiments={"board": board},
        locations={"emoji": "emoji"},
        specifications=tuple(specifications),
        settings={"board": tuple(dict.fromkeys(spec.setting_id for spec in specifications))},
    ).save(folder)


def test_one_command_makes_the_page_of_an_unfinished_grid_and_leaves_the_folder_alone(grid, tmp_path):
    _, results = grid
    save_grid(tmp_path, results, experiment(table="cells"), n_planned=4)
    before = sorted(path for path in tmp_path.rglob("*"))
    page = tmp_path.parent / f"{tmp_path.name}-pages" / "board.md"
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--leaderboard", str(page)])
    assert done.exit_code == 0, done.output
    assert "12 of 16 runs" in done.output
    assert sorted(path for path in tmp_path.rglob("*")) == before
    text = page.read_text(encoding="utf-8")
    assert "## Board: emoji, 16 bits" in text
    assert "| AMSH (learned database) | yes, the ranked items' too | no |  |" in text
    assert "4 methods beside each other on 1 data set at 2 code lengths" in text
    assert "- runs: 12 of 16 complete" in text
    assert "- random seeds: 0, 1 and 2" in text
    assert "- data: emoji (digest 0, 0 training rows)" in text
    assert " ours " not in text
    assert "± standard deviation" in text
    CliRunner().invoke(app, ["report", str(tmp_path), "--spread", "interval", "--leaderboard", str(page)])
    assert "± 95% CI (Student's t)" in page.read_text(encoding="utf-8")
    assert text.count("Sorted by") == 1


@pytest.mark.parametrize(
    "useless",
    [["--figure", "bits"], ["--data", "emoji=emoji"], ["--pictures", "pictures"], ["--latex-width", "page"],
     ["--pdf"]],
)  # fmt: skip
def test_what_a_leaderboard_has_no_use_for_is_refused(grid, tmp_path, useless):
    save_grid(tmp_path, grid[1], experiment())
    page = tmp_path / "board.md"
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--leaderboard", str(page), *useless])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == (
        f"{useless[0]} does not go with --leaderboard, which writes one page of tables; "
        "leave one of them out."
    )
    assert not page.exists()


@pytest.mark.parametrize("more", [[], ["--leaderboard", "board.md"], ["--pdf"]])
def test_a_folder_that_is_not_there_is_named(tmp_path, more):
    missing = tmp_path / "nothing"
    done = CliRunner().invoke(app, ["report", str(missing), *more])
    assert str(done.exception) == (
        f"There is no folder {missing}; name the one that umml train or umml reproduce wrote."
    )


def test_code_lengths_that_were_run_as_grids_of_their_own_share_a_page(grid, tmp_path):
    _, results = grid
    by_bits = {bits: [one for one in results if one.specification.bits == bits] for bits in (16, 32)}
    Reproduction(
        experiments={f"board{bits}": experiment(table="cells", bits=[bits]) for bits in by_bits}
        | {"again": experiment(bits=[16], methods={"dadh": {}})},
        locations={"emoji": "emoji"},
        specifications=tuple(result.specification for result in results),
        settings={
            f"board{bits}": tuple({one.specification.setting_id for one in own})
            for bits, own in by_bits.items()
        }
        | {"again": (results[0].specification.setting_id,)},
    ).save(tmp_path)
    write_leaderboard(tmp_path, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## Board")]
    assert headings == [
        "## Board: emoji, 16 bits",
        "## Board: emoji, 16 bits, learned database",
        "## Board: emoji, 32 bits",
    ]


def test_runs_on_data_that_changed_are_said_to_be_on_other_rows(grid, tmp_path):
    store, results = grid
    for more in ([], [add_run(store, "dcmh", 0.4, seed=1, digest="1")]):
        save_grid(tmp_path, [*results, *more], experiment())
        write_leaderboard(tmp_path, tmp_path / "page.md")
        text = (tmp_path / "page.md").read_text(encoding="utf-8")
        assert ("not all on the same rows: runs on emoji saw data that changed" in text) is bool(more)
        assert ("on the same rows and by the same measure" in text) is not bool(more)


def test_a_folder_without_a_complete_run_or_grid_is_refused(grid, tmp_path):
    _, results = grid
    with pytest.raises(UserError, match=f"has no {FILE}"):
        write_leaderboard(tmp_path / "runs", tmp_path / "board.md")
    save_grid(tmp_path, results, experiment())
    for file in tmp_path.rglob("result.json"):
        file.unlink()
    with pytest.raises(UserError, match=r"No run of .* is complete yet"):
        write_leaderboard(tmp_path, tmp_path / "board.md")
    assert not (tmp_path / "board.md").exists()


def test_the_grid_of_the_docs_names_both_databases_and_can_be_read(tmp_path):
    from pathlib import Path

    from umml_cli.grid.experiment import read_experiment

    docs = Path(__file__).parents[3] / "docs"
    board = read_experiment(docs / "leaderboard.toml")
    assert {"amsh-encoded", "amsh-learned", "mtfh-encoded", "mtfh-learned"} <= board.methods.keys()
    assert [cell.title for cell in board.grid()] == ["paired", "UIT 60%", "UIT 100%", "SD 60%"]
    assert board.bits == (16, 32, 64)
    assert board.seeds == 3


def test_the_csv_has_a_line_for_each_method(grid, tmp_path):
    from umml_cli.report.table_formats import to_csv

    store, results = grid
    table, *_ = paper_tables("board", experiment(), collect(results, store=store), label_names={})
    lines = list(csv.reader(to_csv(table).splitlines()))
    assert len(lines) == 1 + 4
    assert {len(line) for line in lines} == {3 + 1 + 4 + 1}


def test_the_hardest_and_easiest_stand_beside_rows_in_order_with_their_difference(tmp_path):
    store = RunStore(tmp_path)
    results = [add_run(store, "dadh", 0.6, seed=seed) for seed in range(3)]
    for cell, value in (("UIT", 0.5), ("UIT hardest", 0.4), ("UIT easiest", 0.5003)):
        seeds = range(3) if cell != "UIT easiest" else range(2)
        results += [add_run(store, "dadh", value, seed=seed, cell=cell, percent=40) for seed in seeds]
    board = experiment(table="ranked", select="ranked", cells={"paired": (0,), "UIT": (40,)}, bits=[16])
    (table,) = paper_tables("ranked", board, collect(results, store=store), label_names={})
    assert [title for _, title in table.columns] == ["", "in order", "hardest first", "easiest first"]
    assert [row.labels for row in table.rows] == [
        ("emoji", "DADH", "image → text"), ("emoji", "DADH", "text → image"),
    ]  # fmt: skip
    paired, order, hardest, easiest = (entry.text for entry in table.rows[0].entries)
    assert paired.startswith("0.60")
    assert order.startswith("0.50")
    assert " ±0.00" in order
    assert hardest.startswith("0.40")
    assert ", -0.100 (-0.10" in hardest
    assert NOT_SIGNIFICANT not in hardest
    assert " (2), " in easiest
    assert easiest.endswith(NOT_SIGNIFICANT)
    alone = [result for result in results if result.specification.cell.select == "first"]
    (table,) = paper_tables("ranked", board, collect(alone, store=store), label_names={})
    assert [entry.text for entry in table.rows[0].entries][2:] == ["", ""]
