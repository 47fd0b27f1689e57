import csv

import pytest
from umml_cli.cells import Cell
from umml_cli.experiment import built_in_experiment, find_experiments
from umml_cli.paper_tables import paper_tables
from umml_cli.published import published_maps
from umml_cli.results import Score, Series
from umml_cli.table_formats import to_csv, to_latex, to_markdown


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
    column = "mirflickr25k UI 60 %"
    assert entries(table, *here, kind="ours")[column].text == "0.760"
    assert entries(table, *here, kind="published")[column].text == "0.750"
    assert entries(table, *here, kind="difference")[column].text == "+0.010"
    assert entries(table, *here, kind="change")[column].text == "-10.2"  # 0.760 / 0.846
    assert entries(table, *here, kind="published change")[column].text == "-10.3"  # 0.750 / 0.836
    assert entries(table, *here, kind="change")["mirflickr25k paired"].text == "-"


def test_the_best_method_of_a_column_is_bold():
    table = table_of("table3", published_series())
    column = "nuswide-tc21 UI 80 %"
    bold = [
        row.labels[1]
        for row in table.rows
        if row.kind == "published"
        and row.labels[0] == "image → text"
        and entries(table, *row.labels, kind="published")[column].bold
    ]
    assert bold == ["DADH"]


def test_a_single_method_is_not_the_best_of_anything():
    table = table_of("table3", [series for series in published_series() if series.method == "agah"])
    assert not any(entry.bold for row in table.rows for entry in row.entries)


def test_table_6_has_discarding_and_the_untrained_network():
    table = table_of("table6", published_series())
    assert [title for _, title in table.columns[:6]] == [
        "paired",
        "SD 20 %",
        "SD 40 %",
        "SD 60 %",
        "SD 80 %",
        "untrained",
    ]


def test_table_7_from_the_papers_own_maps_differs_where_it_is_inconsistent():
    table = table_of("table7", published_series())
    assert len(table.notes) == 13
    ours = entries(table, "text → image", "AGAH", kind="ours")["nuswide-tc21 60 %"]
    printed = entries(table, "text → image", "AGAH", kind="published")["nuswide-tc21 60 %"]
    assert (ours.text, printed.text) == ("UT +33.40", "UT +26.61")
    assert table.notes[printed.note - 1] == "printed UT +26.61; the paper's Tables 3 to 6 give UT +33.40"
    noted = sum(entry.note is not None for row in table.rows for entry in row.entries)
    assert noted == 13


def test_table_8_stands_beside_methods_for_unpaired_data():
    table = table_of("table8", published_series())
    amsh = entries(table, "AMSH", kind="published")
    assert amsh["mirflickr25k text → image"].text == "0.840"
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
    assert row["mirflickr25k UI 40 %"].text == "0.789"
    assert row["mirflickr25k UI 80 %"].text == "-"


def test_data_that_the_paper_does_not_have_shows_ours_alone():
    scores = {
        (Cell.of(scheme, percent), task): Score.of([0.5, 0.6])
        for scheme, percent in (("paired", 0), ("UI", 20))
        for task in ("i2t", "t2i")
    }
    table = table_of("table3", [Series("wikipedia", "dadh", 64, scores)])
    assert {row.kind for row in table.rows} == {"ours", "change"}
    assert entries(table, "image → text", "DADH", kind="ours")["wikipedia UI 20 %"].text == "0.550 ±0.635"


def test_markdown_csv_and_latex_say_the_same():
    table = table_of("table7", published_series())
    markdown, latex = to_markdown(table), to_latex(table)
    (head, *rows) = csv.reader(to_csv(table).splitlines())
    assert len(rows) == len(table.rows)
    assert {len(row) for row in rows} == {len(head)}
    for row in rows:
        for text in row:
            assert text in markdown
            assert text.replace("%", r"\%").replace("→", r"$\to$").replace("-", "--") in latex
    number = table.notes.index("printed UT +26.61; the paper's Tables 3 to 6 give UT +33.40") + 1
    assert f"UT +26.61$^{{{number}}}$" in latex
    assert f"UT +26.61 [{number}]" in markdown
    assert latex.count("{") == latex.count("}")
    assert markdown.count("\n[") == 13


@pytest.mark.parametrize("name", list(find_experiments(["all"])))
def test_every_experiment_shows_something(name):
    experiment = built_in_experiment(name)
    assert (experiment.table is None) != (experiment.figure is None)
