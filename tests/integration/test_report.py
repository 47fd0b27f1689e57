"""The report in a real browser, where there is one."""

import csv
import html
import json
import re
import shutil
import subprocess

import pytest
from running import run_umml
from small_grid import SMALL_GRID, prepare

TASK_TITLES = ("image → text", "text → image")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs chromium")


def browse(tmp_path, page, *options):
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", *options, f"file://{page}",
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(tmp_path, report, script, *, width=1200, fragment=""):
    """What a script that returns a JSON value finds in the page after its own script ran.

    The page is shown in a frame: a window of its own would not become as narrow as a phone.
    """
    asking = f"<script>parent.postMessage(JSON.stringify((() => {{ {script} }})()), '*');</script></body>"
    (tmp_path / "asked.html").write_text(report.read_text().replace("</body>", asking))
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<title>no answer</title>"
        "<script>onmessage = (event) => { document.title = 'ANSWER' + event.data; };</script>"
        f'<iframe src="asked.html{fragment}" style="width: {width}px; height: 800px; border: 0"></iframe>'
    )
    dom = browse(tmp_path, frame, "--dump-dom")
    return json.loads(html.unescape(re.search(r"<title>ANSWER(.*?)</title>", dom, re.DOTALL)[1]))


@pytest.fixture
def report(undisturbed):
    return undisturbed[0] / "report.html"


def test_the_report_needs_nothing_from_elsewhere(report):
    text = report.read_text()
    assert not re.findall(
        r"""(?:src|href)=["']?(?:https?:)?//|url\(["']?https?:|@import|fetch\(|XMLHttp""", text
    )
    pages = json.loads(re.search(r'id="pages">(.*?)</script>', text, re.DOTALL)[1])
    assert len(pages["runs"]) == 14


@needs_browser
def test_a_heading_sorts_up_then_down_then_not(tmp_path, report):
    found = ask(tmp_path, report, """
        const table = [...document.querySelectorAll("table.sortable")].at(-1);
        const heading = table.tHead.rows[0].cells[6];
        const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[6].textContent));
        const before = column(); heading.click(); const up = column(); heading.click(); const down = column();
        heading.click(); return {before, up, down, after: column()};
    """)  # fmt: skip
    assert found["up"] == sorted(found["before"])
    assert found["down"] == found["up"][::-1]
    assert found["after"] == found["before"] != found["up"]


TWO_METHODS = """
title = "Two methods"
data = ["small"]
table = "cells"
[methods.dadh]
options = { bits = 16, layer_widths = [8, 8, 8], epochs = 2, batch_size = 20 }
[methods.jdsh]
options = { bits = 16, epochs = 2, batch_size = 20 }
[cells]
paired = [0]
UT = [40]
"""


@pytest.fixture(scope="module")
def two_methods(tmp_path_factory):
    """The report of DADH and JDSH, each paired and with 40% of the images removed."""
    folder = tmp_path_factory.mktemp("methods")
    prepare(folder)
    (folder / "grid.toml").write_text(TWO_METHODS)
    run_umml(folder, *SMALL_GRID)
    return folder / "umml-reproduce" / "report.html"


@needs_browser
def test_filters_leave_what_was_asked_for(tmp_path, two_methods):
    found = ask(tmp_path, two_methods, """
        const choose = (name, value) => {
            const choice = document.getElementById("filter-" + name);
            choice.value = value; choice.dispatchEvent(new Event("change"));
            const table = [...document.querySelectorAll("table.sortable")].at(-1);
            const rows = [...table.tBodies[0].rows].filter((row) => row.offsetParent);
            const sections = [...document.querySelectorAll("section[data-method] > h2:first-child")];
            return {
                rows: rows.map((row) => [row.cells[1].textContent, row.cells[4].textContent]),
                sections: sections.filter((title) => title.offsetParent).map((title) => title.textContent),
            };
        };
        return {all: choose("method", ""), method: choose("method", "jdsh"), both: choose("scheme", "UT")};
    """)  # fmt: skip
    assert sorted(found["all"]["rows"]) == [[m, c] for m in ("dadh", "jdsh") for c in ("UT 40%", "paired")]
    assert len(found["all"]["sections"]) == 2
    assert sorted(found["method"]["rows"]) == [["jdsh", "UT 40%"], ["jdsh", "paired"]]
    assert found["method"]["sections"] == ["JDSH on small, 16 bits"]
    assert found["both"]["rows"] == [["jdsh", "UT 40%"]]


@needs_browser
def test_the_table_of_runs_tells_last_and_best_epoch_apart(tmp_path, report):
    found = ask(tmp_path, report, """
        const table = [...document.querySelectorAll("table.sortable")].at(-1);
        const texts = (row) => [...row.cells].map((cell) => cell.textContent);
        return [texts(table.tHead.rows[0]), ...[...table.tBodies[0].rows].map(texts)];
    """)  # fmt: skip
    head, *rows = found
    assert head[6:10] == [f"{task}, {epoch}" for epoch in ("last", "best") for task in TASK_TITLES]
    with (report.parent / "runs.csv").open() as file:
        written = {run["run"][:8]: run for run in csv.DictReader(file)}
    assert len(rows) == len(written)
    for row in rows:
        run = written[row[0]]
        names = ("last_i2t", "last_t2i", "best_i2t", "best_t2i")
        assert row[6:10] == [f"{float(run[name]):.4f}" for name in names]
        assert row[10] == run["best_epoch"]


@needs_browser
def test_a_run_has_its_page_with_curves_retrievals_times_and_environment(tmp_path, report):
    found = ask(tmp_path, report, """
        const run = pages.runs.find((one) => one.scheme === "UI");
        location.hash = "#run-" + run.id; showPage();
        const page = document.getElementById("page");
        const count = (what) => page.querySelectorAll(what).length;
        const titles = [...page.querySelectorAll("h2")];
        const lists = titles.map((title) => [title.textContent, title.nextElementSibling.textContent]);
        return {
            id: run.id, title: page.querySelector("h1").textContent, expected: run.title,
            curves: count("polyline"), tiles: count(".tile"), lists: Object.fromEntries(lists),
            main: document.querySelector("main").offsetParent !== null
        };
    """)  # fmt: skip
    assert found["title"] == found["expected"]
    assert found["curves"] >= 4
    assert found["tiles"] == 2 * 3 * 6
    assert "Sample retrievals, by the codes of the last epoch" in found["lists"]
    result = json.loads((report.parent / "runs" / found["id"] / "result.json").read_text())
    times, environment = found["lists"]["Times, in seconds"], found["lists"]["Environment"]
    for name, seconds in result["seconds"].items():
        assert f"{name}{round(seconds, 3):g}" in times
    for name in ("python", "platform", "device", "threads"):
        assert f"{name}{result['environment'][name]}" in environment
    specification = found["lists"]["Specification"]
    assert result["specification"]["data_digest"] in specification
    assert "layer_widths" in specification
    assert not found["main"]


@needs_browser
@pytest.mark.parametrize("on_a_run", [False, True])
def test_a_phone_scrolls_tables_but_never_the_page(tmp_path, report, on_a_run):
    runs = sorted(path.name for path in (report.parent / "runs").iterdir() if path.is_dir())
    fragment = f"#run-{runs[0]}" if on_a_run else ""
    script = """
        const wide = [...document.querySelectorAll("table")].some((table) => table.scrollWidth > innerWidth);
        const overview = document.getElementById("page").hidden;
        return [document.documentElement.scrollWidth, innerWidth, overview, wide];
    """
    width, window, overview, wide = ask(tmp_path, report, script, width=360, fragment=fragment)
    assert (window, overview) == (360, not on_a_run)
    assert width <= window
    assert wide != on_a_run  # there is something to scroll


@needs_browser
def test_it_prints(tmp_path, report):
    browse(tmp_path, report, f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
