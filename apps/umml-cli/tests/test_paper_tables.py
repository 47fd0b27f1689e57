import csv
from itertools import product
from typing import get_args

import numpy as np
import pytest
from cmh_metrics import pack_codes
from umml_cli.grid.experiment import MethodChoice, TableKind, built_in_experiment, find_experiments
from umml_cli.report.figures import draw_figures
from umml_cli.report.latex_table import to_latex
from umml_cli.report.latex_text import escape
from umml_cli.report.outputs import TABLE_TITLES
from umml_cli.report.paper_tables import KINDS, paper_tables
from umml_cli.report.table_formats import minus_signs, to_csv, to_markdown
from umml_cli.results.published import PRINTED, UNCHECKED_LABELS, published_maps
from umml_cli.results.series import Score, Series, collect
from umml_cli.runs.cells import Cell
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import BestEpoch, RunResult, RunStore
from umml_cli.terms import NOT_SIGNIFICANT


def published_series(*, shift=0.0):
    """The paper's own numbers as if they were ours, in one run each."""
    found = {}
    for (dataset, method, cell, task), value in published_maps().items():
        found.setdefault((dataset, method), {})[cell, task] = Score.of([value + shift])
    return [Series(dataset, method, 64, scores) for (dataset, method), scores in found.items()]


def table_of(name, series):
    (table,) = paper_tables(name, built_in_experiment(name), series, label_names={})
    return table


def entries(table, *labels, kind):
    (row,) = [row for row in table.rows if row.labels == labels and row.kind == kind]
    return dict(zip([f"{group} {title}" for group, title in table.columns], row.entries, strict=True))


def test_table_3_has_ours_published_difference_and_change():
    table = table_of("table3", published_series(shift=0.01))
    assert len(table.columns) == 2 * 6
    assert table.groups == [("mirflickr25k", 6), ("nuswide-tc21", 6)]
    here = ("image → text", "DADH")
    column = "mirflickr25k UI 60%"
    assert entries(table, *here, kind="ours")[column].text == "0.760"
    assert entries(table, *here, kind="published")[column].text == "0.750"
    assert entries(table, *here, kind="difference")[column].text == "+0.010"
    assert entries(table, *here, kind="change")[column].text == "-10.2"  # 0.760 / 0.846
    assert entries(table, *here, kind="published change")[column].text == "-10.3"  # 0.750 / 0.836
    assert entries(table, *here, kind="change")["mirflickr25k paired"].text == "-"


def test_the_best_method_of_a_column_is_bold():
    table = table_of("table3", published_series())
    column = "nuswide-tc21 UI 80%"
    bold = [
        row.labels[1]
        for row in table.rows
        if row.kind == "published"
        and row.labels[0] == "image → text"
        and entries(table, *row.labels, kind="published")[column].bold
    ]
    assert bold == ["DADH"]


def own_table(name, shown):
    """The table of an experiment like a built-in one, with whatever methods and code lengths there are."""
    methods = {series.method: MethodChoice() for series in shown}
    experiment = built_in_experiment(name).model_copy(update={"methods": methods, "bits": ()})
    (table,) = paper_tables(name, experiment, shown, label_names={})
    return table


def scored(method, bits, paired, untrained, **others):
    scores = {}
    for task in ("i2t", "t2i"):
        scores |= {
            (Cell.of("paired"), task): Score.of([paired]),
            (Cell.of("untrained"), task): Score.of([untrained]),
        }
    return Series("mine", method, bits, scores, **others)


def bold_of(shown):
    table = own_table("table6", shown)
    return {
        (row.labels[1], title)
        for row in table.rows
        for (_, title), entry in zip(table.columns, row.entries, strict=True)
        if entry.bold
    }


def test_bold_compares_like_with_like():
    both = [scored("dadh", bits, 0.5 + bits / 100, 0.1) for bits in (16, 32)]
    assert bold_of(both) == set()  # one method at two code lengths: nothing to compare
    four = [*both, *(scored("jdsh", bits, 0.7 + bits / 1000, 0.2) for bits in (16, 32))]
    assert bold_of(four) == {("DADH 32 bits", "paired"), ("JDSH 16 bits", "paired")}  # never an untrained one
    learned = [scored("amsh-learned", 16, 0.9, 0.1), scored("dadh", 16, 0.5, 0.1)]
    assert bold_of(learned) == set()  # its database was coded from its own labels


def test_methods_on_other_data_of_the_same_name_are_not_compared():
    def of(method, digest, value):
        spec = RunSpecification(
            dataset="mine", data_digest=digest, method=method, method_version="1", bits=16, epochs=1,
            batch_size=8, options={}, cell=Cell.of("paired"), seed=0,
        )  # fmt: skip
        result = result_of(spec, value)
        return Series(
            "mine", method, 16, {(spec.cell, task): Score.of([value]) for task in ("i2t", "t2i")}, [result]
        )

    assert bold_of([of("dadh", "0", 0.5), of("jdsh", "0", 0.6)]) == {("JDSH", "paired")}
    assert bold_of([of("dadh", "0", 0.5), of("jdsh", "1", 0.6)]) == set()


def test_variants_of_one_method_have_lines_of_their_own():
    shown = [scored("dadh", 16, value, 0.1, variant=f"margin {value}") for value in (0.4, 0.5)]
    table = own_table("table6", shown)
    assert [row.labels[1] for row in table.rows if row.kind == "ours"][:2] == [
        "DADH (margin 0.4)", "DADH (margin 0.5)",
    ]  # fmt: skip


def test_a_plug_in_is_called_by_the_title_that_its_package_gives_it():
    spec = RunSpecification(
        dataset="mine", data_digest="0", method="myhash", method_version="1", bits=64, epochs=1, batch_size=8,
        options={}, cell=Cell.of("paired"), seed=0,
    )  # fmt: skip
    shown = collect([result_of(spec, 0.5).model_copy(update={"method_title": "MyHash"})])
    assert shown[0].title == "MyHash on mine, 64 bits"
    assert {row.labels[1] for row in own_table("table3", shown).rows} == {"MyHash"}


def result_of(spec, value, **others):
    return RunResult(
        specification=spec, map={"i2t": value, "t2i": value},
        best=BestEpoch(epoch=1, map={"i2t": value, "t2i": value}), definition="all, ties expected", epochs=1,
        seconds={}, training_pairs={}, plan_digest="0", environment={}, **others,
    )  # fmt: skip


def test_no_published_number_stands_beside_queries_that_were_held_out_of_training():
    spec = RunSpecification(
        dataset="mirflickr25k", data_digest="0", method="dadh", method_version="1", bits=64, epochs=1,
        batch_size=8, options={}, cell=Cell.of("paired"), seed=0, validation=10,
    )  # fmt: skip
    shown = collect([result_of(spec, 0.5, published_data="mirflickr25k")])
    table = table_of("table3", shown)
    assert {row.kind for row in table.rows} == {"ours"}
    assert (
        "No published numbers beside mirflickr25k: the queries are rows that were held out of training."
        in table.remarks
    )


def test_published_numbers_beside_labels_that_cannot_be_checked_say_so():
    def remarks(dataset):
        spec = RunSpecification(
            dataset=dataset, data_digest="0", method="dadh", method_version="1", bits=64, epochs=1,
            batch_size=8, options={}, cell=Cell.of("paired"), seed=0,
        )  # fmt: skip
        table = table_of("table3", collect([result_of(spec, 0.5, published_data=dataset)]))
        assert "published" in {row.kind for row in table.rows}
        return [remark for remark in table.remarks if "labels" in remark]

    assert remarks("mirflickr25k") == []
    (said,) = remarks("nuswide-tc21")
    assert said == (
        "nuswide-tc21: these data have the sizes of the published ones; whether the labels are the same "
        "could not be checked, as no digest of those is known."
    )


def test_labels_are_unchecked_where_no_digest_is_known():
    from cmh_data._layouts.known import KNOWN

    known = {one.key for one in KNOWN if one.label_digest}
    assert set(PRINTED) - known == set(UNCHECKED_LABELS)


def test_one_seed_marks_nothing_as_not_significant_and_says_so():
    table = table_of("table3", published_series())
    assert not [entry for row in table.rows for entry in row.entries if NOT_SIGNIFICANT in entry.text]
    assert any(
        remark.startswith("One seed: the spread between trainings is not known") for remark in table.remarks
    )


def test_a_single_method_is_not_the_best_of_anything():
    table = table_of("table3", [series for series in published_series() if series.method == "agah"])
    assert not any(entry.bold for row in table.rows for entry in row.entries)


def test_table_6_has_discarding_and_the_untrained_network():
    table = table_of("table6", published_series())
    assert [title for _, title in table.columns[:6]] == [
        "paired",
        "SD 20%",
        "SD 40%",
        "SD 60%",
        "SD 80%",
        "untrained",
    ]


def test_table_7_from_the_papers_own_maps_differs_where_it_is_inconsistent():
    table = table_of("table7", published_series())
    assert len(table.notes) == 13
    ours = entries(table, "text → image", "AGAH", kind="ours")["nuswide-tc21 60%"]
    printed = entries(table, "text → image", "AGAH", kind="published")["nuswide-tc21 60%"]
    assert (ours.text, printed.text) == ("UT +33.40", "UT +26.61")
    assert table.notes[printed.note - 1] == "printed UT +26.61; the paper's Tables 3 to 6 give UT +33.40"
    noted = sum(entry.note is not None for row in table.rows for entry in row.entries)
    assert noted == 13


@pytest.mark.parametrize("name", ["table3", "table7", "table8", "figure8"])
def test_no_published_number_stands_beside_data_that_only_have_the_name(name):
    experiment = built_in_experiment(name)
    results = [
        RunResult(
            specification=RunSpecification(
                dataset="mirflickr25k", data_digest="0", method="dadh", method_version="1", bits=64, epochs=1,
                batch_size=8, options={}, cell=cell, seed=0,
            ),
            map={"i2t": 0.5, "t2i": 0.5}, best=BestEpoch(epoch=1, map={"i2t": 0.5, "t2i": 0.5}),
            definition="all, ties expected", epochs=1, seconds={}, training_pairs={}, plan_digest="0",
            environment={},
        )
        for cell in experiment.grid()
    ]  # fmt: skip
    own = collect(results)
    assert [series.printed_dataset for series in own] == [""]
    for table in paper_tables(name, experiment, own, label_names={}):
        assert {row.kind for row in table.rows} <= {"ours", "change"}
        assert any("No published numbers beside mirflickr25k" in remark for remark in table.remarks)
    if experiment.figure:
        ((_, figure),) = draw_figures("curves", own, label_names={})
        assert not any("published" in label.get_text() for label in figure.legends[0].get_texts())
    (known,) = collect([one.model_copy(update={"published_data": "mirflickr25k"}) for one in results])
    assert known.printed_dataset == "mirflickr25k"


def test_table_8_stands_beside_methods_for_unpaired_data():
    table = table_of("table8", published_series())
    shuffled = "AMSH (learned database, all rows with their pairs shuffled)"
    amsh = entries(table, shuffled, kind="published")
    assert amsh["mirflickr25k text → image"].text == "0.840"
    assert entries(table, "RUCMH (quoted)", kind="published")["mirflickr25k image → text"].text == "0.719"
    assert any("not run here: no program of them is public" in remark for remark in table.remarks)
    assert entries(table, "DADH + UMML", kind="difference")["nuswide-tc21 image → text"].text == "+0.000"


def test_what_is_not_run_yet_stays_open():
    (series,) = [one for one in published_series() if (one.dataset, one.method) == ("mirflickr25k", "dadh")]
    half = Series(
        "mirflickr25k",
        "dadh",
        64,
        {key: score for key, score in series.scores.items() if key[0].percent < 50},
    )
    row = entries(table_of("table3", [half]), "image → text", "DADH", kind="ours")
    assert row["mirflickr25k UI 40%"].text == "0.789"
    assert row["mirflickr25k UI 80%"].text == "-"


def test_data_that_the_paper_does_not_have_shows_ours_alone():
    scores = {
        (Cell.of(scheme, percent), task): Score.of([0.5, 0.6])
        for scheme, percent in (("paired", 0), ("UI", 20))
        for task in ("i2t", "t2i")
    }
    table = table_of("table3", [Series("wikipedia", "dadh", 64, scores)])
    assert {row.kind for row in table.rows} == {"ours", "change"}
    assert entries(table, "image → text", "DADH", kind="ours")["wikipedia UI 20%"].text == "0.550 ±0.071"


def test_a_difference_to_the_paper_is_marked_where_our_interval_holds_the_published_number():
    published = published_maps()["mirflickr25k", "dadh", Cell.of("paired"), "i2t"]
    scores = {
        (Cell.of("paired"), "i2t"): Score.of([published - 0.01, published + 0.02]),  # +0.005, half width 0.19
        (Cell.of("UI", 20), "i2t"): Score.of([0.1, 0.1001]),
        (Cell.of("UI", 40), "i2t"): Score.of([0.1]),  # one seed: nothing is known
    }
    table = table_of("table3", [Series("mirflickr25k", "dadh", 64, scores)])
    row = entries(table, "image → text", "DADH", kind="difference")
    assert row["mirflickr25k paired"].text == f"+0.005{NOT_SIGNIFICANT}"
    assert NOT_SIGNIFICANT not in row["mirflickr25k UI 20%"].text + row["mirflickr25k UI 40%"].text
    assert any("the published number lies inside" in remark for remark in table.remarks)


def test_latex_has_minus_signs_in_numbers_and_hyphens_in_names():
    latex = to_latex(table_of("table3", published_series(shift=-0.01)))
    assert "$-$0.010" in latex
    assert "nuswide-tc21" in latex
    assert not [line for line in latex.splitlines() if " -0." in line]


def test_markdown_csv_and_latex_say_the_same():
    table = table_of("table7", published_series())
    markdown, latex = to_markdown(table), to_latex(table)
    (head, *rows) = csv.reader(to_csv(table).splitlines())
    assert len(rows) == len(table.rows)
    assert {len(row) for row in rows} == {len(head)}
    for row in rows:
        for text in row:
            assert minus_signs(text) in markdown
            assert escape(text) in latex
    number = table.notes.index("printed UT +26.61; the paper's Tables 3 to 6 give UT +33.40") + 1
    assert rf"UT +26.61\textsuperscript{{{number}}}" in latex
    assert f"UT +26.61 [{number}]" in markdown
    assert markdown.count("\n[") == 13


@pytest.mark.parametrize("name", list(find_experiments(["all"])))
def test_every_experiment_shows_something(name):
    experiment = built_in_experiment(name)
    assert (experiment.table is None) != (experiment.figure is None)


QUERY_LABELS = np.array([[1, 0], [1, 1], [0, 1], [0, 1]], dtype=np.uint8)
RETRIEVAL_LABELS = np.array([[1, 0], [1, 1], [1, 0]], dtype=np.uint8)


@pytest.fixture
def stored(tmp_path):
    """Runs on disk whose average precision is given by query; images and texts alike, and two seeds too."""
    store = RunStore(tmp_path)
    results = []
    for seed, (cell, precision) in product(
        (0, 1),
        (
            (Cell.of("paired"), [0.5, 0.7, 0.9, 0.8]),
            (Cell.of("UI", 80), [0.4, 0.6, 0.8, 0.7]),
            (Cell.of("UT", 80), [0.6, 0.6, 1.0, 0.7]),
        ),
    ):
        spec = RunSpecification(
            dataset="mirflickr25k", data_digest="0", method="dadh", method_version="1",
            bits=64, epochs=1, batch_size=8, options={}, cell=cell, seed=seed,
        )  # fmt: skip
        folder = store.open(spec)
        values = np.array(precision)
        query, retrieval = pack_codes(np.ones((4, 64))), pack_codes(np.ones((3, 64)))
        RunCodes(
            query_image=query, query_text=query, retrieval_image=retrieval, retrieval_text=retrieval,
            query_rows=np.arange(4), retrieval_rows=np.arange(3),
            query_image_present=np.ones(4, bool), query_text_present=np.ones(4, bool),
            retrieval_image_present=np.ones(3, bool), retrieval_text_present=np.ones(3, bool),
            query_labels=QUERY_LABELS, retrieval_labels=RETRIEVAL_LABELS,
        ).save(folder.codes)  # fmt: skip
        both = {"i2t": values, "t2i": values}
        RunPrecision.of(both, both, QUERY_LABELS).save(folder.precision)
        maps = {task: float(values.mean()) for task in both}
        results.append(
            RunResult(
                specification=spec,
                map=maps,
                published_data="mirflickr25k",
                best=BestEpoch(epoch=1, map=maps),
                definition="all, ties expected",
                epochs=1,
                seconds={},
                training_pairs={},
                plan_digest="0",
                environment={},
            )
        )
    return collect(results, store=store)


def test_table_9_averages_over_the_queries_of_a_class(stored):
    (table,) = paper_tables(
        "table9", built_in_experiment("table9"), stored, label_names={"mirflickr25k": ("Sea", "odd")}
    )
    sea = entries(table, "Sea", kind="ours")
    assert (sea[" queries"].text, sea[" relevant"].text) == ("2", "3")
    assert sea["paired image → text"].text == "0.600"
    assert sea["UI 80% text → image"].text == "0.500"
    assert sea["UI 80%, change (%) image → text"].text == "-16.67"
    printed = entries(table, "Sea", kind="published")
    assert (printed[" queries"].text, printed["UT 80% text → image"].text) == ("87", "0.769")
    assert printed["UI 80%, change (%) image → text"].text == "-10.31"
    assert [row.kind for row in table.rows if row.labels == ("odd",)] == ["ours"]


def test_a_difference_that_is_not_significant_is_marked(stored):
    ui = paper_tables("table3", built_in_experiment("table3"), stored, label_names={})[0]
    ut = paper_tables("table4", built_in_experiment("table4"), stored, label_names={})[0]
    worse = entries(ui, "image → text", "DADH", kind="change")["mirflickr25k UI 80%"]
    same = entries(ut, "image → text", "DADH", kind="change")["mirflickr25k UT 80%"]
    assert worse.text == "-13.8"  # every query lost 0.1
    assert same.text == f"+0.0{NOT_SIGNIFICANT}"


def test_an_untrained_cell_has_no_published_number_in_table_9(stored):
    experiment = built_in_experiment("table9")
    experiment = experiment.model_copy(update={"cells": {**experiment.cells, "untrained": (0.0,)}})
    (table,) = paper_tables("table9", experiment, stored, label_names={"mirflickr25k": ("Sea", "odd")})
    printed = entries(table, "Sea", kind="published")
    assert printed["paired image → text"].text != "-"
    assert printed["untrained image → text"].text == "-"


def test_figures_draw_every_class_and_every_panel(stored):
    ((_, classes),) = draw_figures("classes", stored, label_names={"mirflickr25k": ("Sea", "odd")})
    assert [len(ax.patches) for ax in classes.axes] == [4, 4]  # two schemes, two classes
    ((_, curves),) = draw_figures("curves", stored, label_names={})
    assert len(curves.axes) == 2 * 2  # schemes and tasks
    labels = [label.get_text() for label in curves.legends[0].get_texts()]
    assert labels == ["DADH", "DADH published"]


def test_every_kind_that_an_experiment_can_name_has_a_table():
    assert set(KINDS) == set(get_args(TableKind))
    assert set(TABLE_TITLES) == set(KINDS)


def test_completed_cells_stand_beside_zeros_and_discarding():
    maps = {
        ("paired", 0): (0.50, 0.70), ("UT", 20): (0.52, 0.70), ("UT completed", 20): (0.50, 0.71),
        ("UI", 60): (0.40, 0.50), ("UI completed", 60): (0.46, 0.60), ("SD", 60): (0.38, 0.52),
        ("UIT completed", 100): (0.30, 0.30),
    }  # fmt: skip
    scores = {
        (Cell.of(*cell), task): Score.of([value])
        for cell, values in maps.items()
        for task, value in zip(("i2t", "t2i"), values, strict=True)
    }
    experiment = built_in_experiment("table3").model_copy(update={"table": "completion", "data": ("mine",)})
    (table,) = paper_tables("donors", experiment, [Series("mine", "agah", 64, scores)], label_names={})
    texts = {row.labels: [entry.text for entry in row.entries] for row in table.rows}
    assert texts == {
        ("AGAH", "mine", "UI 60%"): [
            "0.400", "0.460", "+0.060", "0.500", "0.600", "+0.100", "+0.080", "+0.080", "53",
        ],
        # zeros lose nothing here, so nothing can be recovered; nothing was discarded at this share
        ("AGAH", "mine", "UT 20%"): [
            "0.520", "0.500", "-0.020", "0.700", "0.710", "+0.010", "-0.005", "-", "-",
        ],
    }  # fmt: skip
    assert list(texts) == [("AGAH", "mine", "UI 60%"), ("AGAH", "mine", "UT 20%")], "not by scheme"
    assert table.remarks[-1] == (
        "AGAH, 60% and more: +0.080 on average, better in 1 of 1, least +0.080 (mine UI 60%) against not "
        "completing; +0.080 on average, better in 1 of 1, least +0.080 (mine UI 60%) against discarding."
    )


def test_rows_of_completion_stand_by_scheme_and_share_whatever_the_order_of_the_runs():
    shares = [("UIT", 100), ("UIT", 20), ("UI", 80), ("UIT", 60), ("UI", 40)]
    cells = [Cell.of(f"{scheme}{how}", share) for scheme, share in shares for how in (" completed", "")]
    scores = {(cell, task): Score.of([0.5]) for cell in cells for task in ("i2t", "t2i")}
    experiment = built_in_experiment("table3").model_copy(update={"table": "completion", "data": ("mine",)})
    (table,) = paper_tables("donors", experiment, [Series("mine", "agah", 64, scores)], label_names={})
    conditions = [row.labels[-1] for row in table.rows]
    assert conditions == ["UI 40%", "UI 80%", "UIT 20%", "UIT 60%", "UIT 100%"]
