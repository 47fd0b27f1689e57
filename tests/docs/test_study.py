"""The percentages on the study's pages are those of the numbers in its CSV file."""

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

DOCS = Path(__file__).parents[2] / "docs"
THREE = {"wikipedia", "webnews", "emoji"}
PAGES = [
    ("study.md", 64, THREE),
    ("study-128.md", 128, THREE),
    ("study-short.md", 16, THREE),
    ("study-short.md", 32, THREE),
    ("study-debian-apps.md", 64, {"debian-apps"}),
    ("study-debian-apps-lengths.md", 16, {"debian-apps"}),
    ("study-debian-apps-lengths.md", 32, {"debian-apps"}),
    ("study-debian-apps-lengths.md", 128, {"debian-apps"}),
    ("study-hanzi.md", 64, {"hanzi"}),
    ("study-hanzi-lengths.md", 16, {"hanzi"}),
    ("study-hanzi-lengths.md", 32, {"hanzi"}),
    ("study-hanzi-lengths.md", 128, {"hanzi"}),
]


def kept(bits, data):
    """Method as the CSV names it to the percentage of the paired mAP in each condition."""
    with (DOCS / "results" / "study.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["bits"]) == bits and row["dataset"] in data]
    maps = {
        (row["method"], row["scheme"], row["percent"], row["dataset"], row["task"]): float(row["map"])
        for row in rows
    }
    ratios = defaultdict(list)
    for (method, scheme, percent, *place), value in maps.items():
        ratios[method, f"{scheme} {percent}%"].append(value / maps[(method, "paired", "0", *place)])
    return {key: 100 * fmean(values) for key, values in ratios.items()}


def printed(page, bits):
    """The first table of a page (of its part on a code length) with a column for each condition."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    parts = (place for place, line in enumerate(lines) if line.endswith(f"that is kept, {bits} bits"))
    lines = lines[next(parts, 0) :]
    start = next(place for place, line in enumerate(lines) if re.match(r"\| method .*\| UI 60% \|", line))
    titles = [cell.strip() for cell in lines[start].strip("|").split("|")]
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield cells[0], {title: cell for title, cell in zip(titles, cells, strict=True) if "%" in title}


def name(title):
    """A method as the CSV names it."""
    method, _, remark = title.partition(" (")
    database = remark.partition(" ")[0]
    return method.lower() + (f"-{database}" if database in {"encoded", "learned"} else "")


@pytest.mark.parametrize(("page", "bits", "data"), PAGES)
def test_percentages_are_those_of_the_recorded_numbers(page, bits, data):
    expected = kept(bits, data)
    rows = list(printed(page, bits))
    assert len(rows) == (12 if page.startswith("study-hanzi") else 14)  # no learned databases on hanzi
    for title, cells in rows:
        assert len(cells) == (2 if page == "study-short.md" else 5)
        for condition, text in cells.items():
            percent = float(text.partition(" ")[0])
            assert percent == pytest.approx(expected[name(title), condition], abs=0.5001), (title, condition)
