"""The report in a real browser, where there is one."""

import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs chromium")


def browse(tmp_path, page, *options, fragment=""):
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", *options, f"file://{page}{fragment}",
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(tmp_path, report, script, *options, fragment=""):
    """What a script that returns a JSON value finds in the page after its own script ran."""
    page = tmp_path / "asked.html"
    asking = f"<script>document.title = 'ANSWER' + JSON.stringify((() => {{ {script} }})());</script></body>"
    page.write_text(report.read_text().replace("</body>", asking))
    dom = browse(tmp_path, page, "--dump-dom", *options, fragment=fragment)
    return json.loads(re.search(r"<title>ANSWER(.*?)</title>", dom, re.DOTALL)[1].replace("&amp;", "&"))


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


@needs_browser
def test_filters_leave_what_was_asked_for(tmp_path, report):
    found = ask(tmp_path, report, """
        const choice = document.getElementById("filter-scheme");
        choice.value = "UT"; choice.dispatchEvent(new Event("change"));
        const table = [...document.querySelectorAll("table.sortable")].at(-1);
        const rows = [...table.tBodies[0].rows].filter((row) => row.offsetParent);
        return rows.map((row) => row.cells[4].textContent);
    """)  # fmt: skip
    assert found == ["UT 40 %"] * 2


@needs_browser
def test_a_run_has_its_page_with_curves_and_retrievals(tmp_path, report):
    found = ask(tmp_path, report, """
        const run = pages.runs.find((one) => one.scheme === "UI");
        location.hash = "#run-" + run.id; showPage();
        const page = document.getElementById("page");
        const count = (what) => page.querySelectorAll(what).length;
        return {
            title: page.querySelector("h1").textContent, expected: run.title, text: page.textContent,
            curves: count("polyline"), tiles: count(".tile"),
            main: document.querySelector("main").offsetParent !== null
        };
    """)  # fmt: skip
    assert found["title"] == found["expected"]
    assert found["curves"] >= 4
    assert found["tiles"] == 2 * 3 * 6
    assert "data_digest" in found["text"]
    assert "layer_widths" in found["text"]
    assert not found["main"]


@needs_browser
def test_a_phone_scrolls_tables_but_never_the_page(tmp_path, report):
    script = "return [document.documentElement.scrollWidth, window.innerWidth];"
    width, window = ask(tmp_path, report, script, "--window-size=500,900")
    assert width <= window <= 500


@needs_browser
def test_it_prints(tmp_path, report):
    browse(tmp_path, report, f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
