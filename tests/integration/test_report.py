"""The report in a real browser, where there is one: sorting, filters, pages of runs, phones, print, axe."""

import csv
import json
import re

import pytest
from running import run_umml
from small_grid import SMALL_GRID, prepare

TASK_TITLES = ("image → text", "text → image")

ROWS = """() => [...document.querySelectorAll("tr[data-run]")].filter((row) => row.offsetParent)
    .map((row) => [row.cells[1].textContent, row.cells[4].textContent, row.cells[5].textContent])"""


@pytest.fixture
def report(undisturbed):
    return undisturbed[0] / "report.html"


@pytest.fixture
def browse(chromium):
    """Open a report; what the browser complains of, or asks others for, fails the test."""
    opened, said = [], []

    def browse(report, fragment="", *, width=1400, scheme="light"):
        page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url[:4] == "http" else None)
        page.goto(report.as_uri() + fragment)
        return page

    yield browse
    for page in opened:
        page.close()
    assert said == []


def test_the_report_needs_nothing_from_elsewhere(report):
    text = report.read_text()
    assert not re.findall(
        r"""(?:src|href)=["']?(?:https?:)?//|url\(["']?https?:|@import|fetch\(|XMLHttp""", text
    )
    pages = json.loads(re.search(r'id="pages">(.*?)</script>', text, re.DOTALL)[1])
    assert len(pages["runs"]) == 14


def test_a_heading_sorts_up_then_down_then_not(browse, report):
    page = browse(report)
    heading = page.locator("table.runs thead th").nth(6)

    def column():
        cells = page.locator("table.runs tbody tr > :nth-child(7)").all_text_contents()
        return [float(text) for text in cells]

    before = column()
    heading.click()
    assert column() == sorted(before)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.press("Enter")
    assert column() == sorted(before)[::-1]
    heading.click()
    assert column() == before != sorted(before)


TWO_METHODS = """
title = "Two methods"
data = ["small"]
table = "cells"
seeds = 2
bits = [8, 16]
[methods.dadh]
options = { layer_widths = [8, 8, 8], epochs = 2, batch_size = 20 }
[methods.jdsh]
options = { epochs = 2, batch_size = 20 }
[cells]
paired = [0]
UI = [40]
UT = [40]
"""


@pytest.fixture(scope="module")
def two_methods(tmp_path_factory, chromium):
    """The report of DADH and JDSH with two code lengths and two seeds, paired and with a side removed."""
    folder = tmp_path_factory.mktemp("methods")
    prepare(folder)
    (folder / "grid.toml").write_text(TWO_METHODS)
    run_umml(folder, *SMALL_GRID)
    return folder / "umml-reproduce" / "report.html"


def test_filters_leave_what_was_asked_for_and_the_paired_baseline(browse, two_methods):
    page = browse(two_methods)
    assert len(page.evaluate(ROWS)) == 24
    page.select_option("#filter-method", "jdsh")
    page.select_option("#filter-scheme", "UT")
    page.select_option("#filter-bits", "16")
    page.select_option("#filter-seed", "1")
    asked = [["jdsh", "UT 40%", "1"], ["jdsh", "paired", "1"]]
    assert sorted(page.evaluate(ROWS)) == asked
    assert page.inner_text(".filter [role=status]") == "2 of 24 runs; means stay over all seeds"
    titles = page.locator("section[data-method]:visible > h2").all_text_contents()
    assert titles == ["JDSH on small, 16 bits"]
    shown = page.locator("#exhibit-1 thead th:visible").all_text_contents()
    assert shown == ["small", "method", "paired", "UT 40%"]
    assert page.locator("#exhibit-1 th[scope=colgroup]").evaluate("cell => cell.colSpan") == 2
    names = page.locator("#exhibit-1 tbody tr:not(.heading):visible th").all_text_contents()
    assert {name.strip() for name in names} == {"JDSH 16 bits", "JDSH 16 bits change %"}

    again = browse(two_methods, page.evaluate("location.hash"))  # the address keeps them
    assert sorted(again.evaluate(ROWS)) == asked
    again.locator('nav a[href="#runs"]').click()  # and a jump too
    assert "at=runs" in again.evaluate("location.hash")
    assert sorted(again.evaluate(ROWS)) == asked
    again.go_back()
    assert "at=" not in again.evaluate("location.hash")
    again.get_by_role("button", name="Show all").click()
    assert len(again.evaluate(ROWS)) == 24


def test_the_table_of_runs_tells_last_and_best_epoch_apart(browse, report):
    page = browse(report)
    head = page.locator("table.runs thead th").all_text_contents()
    rows = [row.split("\t") for row in page.locator("table.runs tbody").inner_text().splitlines()]
    assert head[6:10] == [f"{task}, {epoch}" for epoch in ("last", "best") for task in TASK_TITLES]
    with (report.parent / "runs.csv").open() as file:
        written = {run["run"][:8]: run for run in csv.DictReader(file)}
    assert len(rows) == len(written)
    for row in rows:
        run = written[row[0]]
        names = ("last_i2t", "last_t2i", "best_i2t", "best_t2i")
        assert row[6:10] == [f"{float(run[name]):.4f}" for name in names]
        assert row[10] == run["best_epoch"]


def test_a_run_has_its_page_with_curves_retrievals_times_and_environment(browse, report):
    page = browse(report)
    page.locator('tr[data-scheme="UI"] a').first.click()
    name = page.evaluate("location.hash").removeprefix("#run-")
    result = json.loads((report.parent / "runs" / name / "result.json").read_text())
    shown = page.locator("#page")
    assert shown.locator("h1").inner_text().startswith("DADH on small, 16 bits, UI ")
    assert shown.locator("polyline").count() >= 4
    labels = shown.locator("svg.curve").first.locator("text").all_text_contents()
    assert {"1", "2", "3", "epoch"} <= set(labels)
    assert (
        len([label for label in labels if re.fullmatch(r"[-\d.]+[KM]?", label)]) >= 5
    )  # three epochs, and values
    assert shown.locator(".query").count() == 2 * 6
    assert re.search(r"^1\. · \d+ bits?", shown.locator(".tile .where").first.inner_text())
    assert re.search(
        r"partner: rank \d+\W?\d* · \d+ bits?", shown.locator(".tile.own .where").first.inner_text()
    )
    assert not re.search(r"\brow \d", shown.inner_text())
    said = shown.inner_text()
    for seconds in result["seconds"].values():
        assert f"{round(seconds, 3):g}" in said
    for expected in (
        result["specification"]["data_digest"],
        result["environment"]["platform"],
        "layer widths",
    ):
        assert expected in said
    assert not page.locator("#overview").is_visible()
    page.go_back()
    assert page.locator("#overview").is_visible()


def test_retrieval_examples_change_with_the_condition(browse, report):
    page = browse(report)
    box = page.locator(".examples").first
    assert box.locator("button[aria-pressed=true]").inner_text() == "paired"
    before = box.locator(".where").all_text_contents()
    box.get_by_role("button", name="untrained").click()
    assert box.locator("button[aria-pressed=true]").inner_text() == "untrained"
    assert box.locator(".where").all_text_contents() != before


@pytest.mark.parametrize("width", [390, 1400])
def test_tables_scroll_with_a_cue_and_never_the_page(browse, two_methods, width):
    page = browse(two_methods, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for box in page.locator("div.scroll:visible").all():
        scrolls = box.evaluate("box => box.scrollWidth > box.clientWidth + 1")
        cue = box.evaluate("box => box.previousElementSibling?.matches('.more:not([hidden])') ?? false")
        assert scrolls == cue
        assert not scrolls or width == 390
        box.evaluate("box => box.scrollTo(1000, 0)")
        first = box.locator("tbody tr:not(.heading):visible > :first-child").first
        assert first.bounding_box()["x"] >= 0  # the first column stays


@pytest.mark.parametrize("fragment", ["", "run"])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "dark")])
def test_nothing_serious_is_in_the_way_of_anybody(browse, report, width, scheme, fragment):
    from axe_playwright_python.sync_playwright import Axe

    page = browse(report, width=width, scheme=scheme)
    if fragment:
        page.locator("table.runs a").first.click()
    found = Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}
    ] == []


def n_pages(page, path):
    page.pdf(path=path, prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))


def test_print_holds_a_row_for_every_run_and_a_query_of_every_condition(browse, report, tmp_path):
    page = browse(report)
    before = page.locator("#overview").inner_html()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(page.evaluate(ROWS)) == 14
    assert page.locator(".examples").first.locator(".condition").count() == 6
    assert page.locator(".examples").first.locator(".query:visible").count() == 2 * 6
    assert not page.locator(".filter").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#overview").inner_html().count(">") == before.count(">")
    few = n_pages(page, tmp_path / "few.pdf")
    assert 1 < few < 8
    page.evaluate("""() => {
        const body = document.querySelector("table.runs tbody"), rows = [...body.rows];
        for (let more = 0; more < 28; more++) body.append(...rows.map((row) => row.cloneNode(true)));
    }""")
    assert n_pages(page, tmp_path / "many.pdf") - few <= 6  # 392 rows more


def test_a_filtered_print_says_what_was_chosen(browse, two_methods):
    page = browse(two_methods, "#bits=16")
    page.emulate_media(media="print")
    assert page.locator(".filter label:visible").count() == 1
    assert page.locator("#filter-bits").is_visible()
    assert page.inner_text(".filter [role=status]") == "12 of 24 runs"
    assert len(page.evaluate(ROWS)) == 12


def test_a_training_ends_with_a_report_of_its_own(browse, umml, tmp_path):
    printed = umml("train", "emoji", "--preset", "small", "--epochs", 2, "--bits", 16).stdout
    (path,) = tmp_path.glob("runs/*/report.html")
    assert f"Report: {path.relative_to(tmp_path)}" in printed
    page = browse(path, width=390)
    assert page.inner_text("h1") == "DADH on emoji, 16 bits, paired, seed 0"
    assert page.locator("polyline").count() >= 3
    assert page.locator(".tile img").first.get_attribute("src").startswith("data:image/png")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
