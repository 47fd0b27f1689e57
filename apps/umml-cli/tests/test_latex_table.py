"""LaTeX tables: compiled where pdflatex is installed, and counted everywhere."""

import re
import shutil
import subprocess

import pytest
from test_paper_tables import published_series
from umml_cli.grid.experiment import built_in_experiment
from umml_cli.report.latex_table import ROOM, caption_of, numbered, to_latex
from umml_cli.report.latex_text import escape, text_width, typeset_entry
from umml_cli.report.paper_tables import paper_tables
from umml_cli.report.paper_tables.table import Entry, PaperTable, Row
from umml_cli.results.series import Score, Series
from umml_cli.runs.cells import Cell

PDFLATEX = shutil.which("pdflatex")


def several_seeds(series):
    """The same numbers with a spread."""
    scores = {
        key: Score.of([one.mean - 0.01, one.mean, one.mean + 0.02]) for key, one in series.scores.items()
    }
    return Series(series.dataset, series.method, series.bits, scores)


def class_table(n_classes=30):
    """As wide and as long as Table 9 becomes."""
    columns = [("", "queries"), ("", "relevant")]
    columns += [
        (cell, task) for cell in ("paired", "UI 80%", "UT 80%") for task in ("image → text", "text → image")
    ]
    columns += [
        (f"{cell}, change (%)", task)
        for cell in ("UI 80%", "UT 80%")
        for task in ("image → text", "text → image")
    ]
    rows = []
    for number in range(n_classes):
        entries = [Entry("1234"), Entry("5678"), *[Entry("0.777", 0.777)] * 6, *[Entry("-16.73", -16.73)] * 4]
        rows += [
            Row((f"Transport & class_{number}",), kind, tuple(entries)) for kind in ("ours", "published")
        ]
    remarks = ("mAP, mean over seeds.", "The mean runs over the queries that carry a class. " * 3)
    return PaperTable(
        "table9", "Table 9: mAP by class", ("class",), tuple(columns), tuple(rows), remarks=remarks
    )


def hostile_table():
    """Long names, special characters, completed cells, three labels and no published number."""
    columns = tuple(
        (dataset, title)
        for dataset in ("a_data#set%with&a~long^name", "b")
        for title in ("paired", "UIT 100%, completed", "against discarding")
    )
    entries = (Entry("0.750 ±0.012 n.s.", 0.75, bold=True, note=1), Entry("-12.5 n.s."), Entry())
    rows = [
        Row((f"My own method ({'very ' * n}long {{variant}} $x$ \\n)", "data", "UI 60%"), kind, entries * 2)
        for n in (0, 4)
        for kind in ("ours", "change")
    ]  # fmt: skip
    return PaperTable(
        "hostile",
        "100% <odd> title",
        ("method", "data", "condition"),
        columns,
        tuple(rows),
        ("A note.",),
        ("mAP.", "Change, in percent: 100 · (mAP / mAP paired − 1)."),
    )


def tables():
    """A table of every kind with its hardest content."""
    found = [class_table(), hostile_table()]
    for name in ("table3", "table5", "table7", "table8"):
        shown = [several_seeds(series) for series in published_series()]
        found += paper_tables(name, built_in_experiment(name), shown, label_names={})
    return found


TABLES = tables()


def tabulars(latex):
    """(column letters, rows of cells) of each tabular."""
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{@\{\}(\w+)@\{\}\}\n(.*?)\\end\{tabular\}", latex, re.DOTALL
    ):
        lines = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r"\\")]
        yield columns, [re.split(r"(?<!\\) & ", line) for line in lines]


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_entry_stands_once_and_no_row_is_wider_than_it_may_be(table, width):
    latex = to_latex(table, width)
    body = latex.replace(r"\textsuperscript", "").replace(r"\textbf", "")
    for columns, rows in tabulars(latex):
        for cells in rows:
            spans = sum(int(span) for cell in cells for span in re.findall(r"\\multicolumn\{(\d+)\}", cell))
            assert spans + sum("multicolumn" not in cell for cell in cells) == len(columns)
    n_numbers = sum(
        columns.count("r") * sum(not cells[0].startswith(r"\multicolumn") for cells in rows)
        for columns, rows in tabulars(latex)
    )
    assert n_numbers >= len(table.rows) * len(table.columns)
    for row in table.rows:
        for entry in row.entries:
            assert typeset_entry(entry.text, bold=entry.bold, note=entry.note)[0] in latex
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    assert latex.splitlines()[0] == "% Made by umml. The preamble needs: \\usepackage{booktabs,multirow}"
    assert latex.count(r"\label{") == 1
    assert not re.search(r"\\caption\{(Table|Figure) \d", latex)


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
@pytest.mark.parametrize("options", ["", "twocolumn"])
def test_every_table_compiles_and_nothing_overflows(tmp_path, options):
    lines = [rf"\documentclass[{options}]{{article}}", r"\usepackage{booktabs,multirow}", r"\begin{document}"]
    for table in TABLES:
        for width in ROOM:
            (tmp_path / f"{table.name}-{width}.tex").write_text(to_latex(table, width))
            lines += [rf"\input{{{table.name}-{width}}}", r"\clearpage"]
    (tmp_path / "all.tex").write_text("\n".join([*lines, r"\end{document}"]))
    done = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    assert not re.findall(r"Overfull \\hbox.*", log)
    assert not re.findall(r".*Float too large.*", log)


def test_an_entry_has_its_spread_small_and_its_marks_raised():
    assert typeset_entry("0.750 ±0.012", bold=True)[0] == r"\textbf{0.750}{\tiny$\pm$.012}"
    assert typeset_entry("-4.5 n.s.", note=3)[0] == r"$-$4.5\textsuperscript{n.s., 3}"
    assert typeset_entry("-")[0] == "--"


def test_special_characters_and_formulas_are_typeset():
    assert escape(r"a_b & 5% {x} $y$ \n ~^#") == (
        r"a\_b \& 5\% \{x\} \$y\$ \textbackslash{}n \textasciitilde{}\textasciicircum{}\#"
    )
    assert escape("Change, in percent: 100 · (mAP / mAP paired − 1).") == (
        r"Change, in percent: $100\,(\mathrm{mAP} / \mathrm{mAP}_{\mathrm{paired}} - 1)$."
    )
    assert escape("nuswide-tc21 → -0.5") == r"nuswide-tc21 $\to$ $-$0.5"


def test_a_caption_has_no_number_of_its_own_and_names_the_spread():
    assert numbered("Table 3: training with unpaired images (UI)") == (
        "Training with unpaired images (UI); after Table 3 of the UMML paper"
    )
    assert numbered("My own title.") == "My own title"
    (table,) = paper_tables(
        "table3",
        built_in_experiment("table3"),
        [several_seeds(one) for one in published_series()],
        label_names={},
    )
    assert caption_of(table).endswith("mean over 3 seeds ± standard deviation.")


def test_a_bold_number_is_wider():
    assert 19 < text_width("0.750") < text_width("0.750", bold=True) < 25


def test_rows_of_one_method_share_a_multirow():
    scores = {
        (Cell.of(*cell), task): Score.of([0.5])
        for cell in (("paired", 0), ("UI", 20))
        for task in ("i2t", "t2i")
    }
    (table,) = paper_tables(
        "table3", built_in_experiment("table3"), [Series("mine", "dadh", 64, scores)], label_names={}
    )
    latex = to_latex(table, "column")
    assert latex.count(r"\multirow[t]{2}{*}{DADH}") == latex.count(r"\begin{tabular}") * 2
    assert r"\emph{image $\to$ text}" in latex
