"""The document with every table and figure: compiled where pdflatex is installed."""

import re
import shutil
import subprocess

import pytest
from test_latex_table import TABLES, several_seeds
from test_paper_tables import published_series
from test_report_page import CELLS, dataset, store_run, write
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.main import app
from umml_cli.report.latex_document import LatexFigure, compile_document, latex_document
from umml_cli.results.facts import facts
from umml_cli.results.paper_claims import Evidence, FindingRow
from umml_cli.runs.store import RunStore

PDFLATEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")


def compile_by_hand(folder):
    """The log, and the captions of the tables and figures."""
    done = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=folder, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    log = (folder / "report.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    captions = re.findall(r"@writefile\{(lo[tf])\}", (folder / "report.aux").read_text(errors="replace"))
    return log, captions.count("lot"), captions.count("lof")


@needs_latex
def test_every_table_and_figure_of_a_folder_is_in_the_document_and_nothing_overflows(tmp_path):
    write(tmp_path, title="50% of_my #1 {grid} & more")
    log, n_tables, n_figures = compile_by_hand(tmp_path)
    assert n_tables == len(list((tmp_path / "tables").glob("*.tex"))) == 1
    assert n_figures == len(list((tmp_path / "figures").glob("*.pdf"))) == 2
    assert "Overfull" not in log


@needs_latex
def test_hard_tables_findings_and_an_odd_number_of_figures_fit_the_page(tmp_path):
    write(tmp_path)
    evidence = Evidence(1, 12, 3, ("-3% / 5%", "60% / 78%"))
    series = several_seeds(published_series()[0])
    row = FindingRow("UI lowers image → text more than text → image", series, evidence, str(evidence))
    figures = [LatexFigure("figures/own", "Figure 5: a curve of my_own method, 100%")] * 3
    text = latex_document("Tables & figures", {"a fact": "50% of x_1"}, TABLES, figures, [row] * 90)
    (tmp_path / "report.tex").write_text(text)
    log, n_tables, n_figures = compile_by_hand(tmp_path)
    assert n_tables >= len(TABLES) + 1  # those of several pages count each
    assert n_figures == 3
    assert "Overfull" not in log
    assert "too large" not in log


@needs_latex
def test_one_command_makes_the_pdf(tmp_path):
    data, store = dataset(), RunStore(tmp_path)
    for cell in CELLS:
        store_run(store, data, cell, 0)
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--pdf"])
    assert done.exit_code == 0, done.output
    assert "report.pdf" in done.output
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert not list(tmp_path.glob("report.log"))


def test_without_latex_the_document_is_written_and_the_cure_is_said(tmp_path, monkeypatch):
    store_run(RunStore(tmp_path), dataset(), CELLS[0], 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--pdf"])
    assert isinstance(done.exception, UserError)
    assert "there is no pdflatex here" in str(done.exception)
    assert (tmp_path / "report.tex").exists()
    assert not (tmp_path / "report.pdf").exists()


@needs_latex
def test_what_latex_refuses_is_named(tmp_path):
    (tmp_path / "report.tex").write_text(latex_document("汉字", {}, [], []))
    with pytest.raises(UserError, match=r"pdflatex cannot compile .*Unicode character 汉"):
        compile_document(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.tex"]


def test_the_facts_count_what_is_there(tmp_path):
    data, store = dataset(), RunStore(tmp_path)
    results = [store_run(store, data, CELLS[0], seed, bits=bits) for seed in (0, 2) for bits in (8, 16)]
    said = facts(results, n_planned=12)
    assert said["runs"] == "4 of 12 complete"
    assert said["random seeds"] == "0 and 2"
    assert said["data"] == f"mine (digest {data.digest[:12]}, 6 training rows)"
    assert said["methods"] == "DADH 1"
    assert said["code lengths"] == "8 and 16 bits"
    assert said["software"] == "Python 3"
    assert "machine" not in said
