"""The paper's findings, looked for in numbers made up and in the paper's own."""

import pytest
from umml_cli.report.summary import headline
from umml_cli.results.paper_claims import FINDINGS, Evidence, find, findings_markdown
from umml_cli.results.published import maps_of
from umml_cli.results.series import Score, Series
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASKS

UI, UT, FALLS, STAYS, KEEPING = FINDINGS
CELLS = {  # image -> text, text -> image
    ("untrained", 0): (0.1, 0.1),
    ("paired", 0): (0.9, 0.5),
    ("UI", 20): (0.6, 0.4),  # 67% and 80% of paired: as the paper
    ("UI", 100): (0.12, 0.04),  # 13% and 8%: the opposite direction; 2.5% and below 0 of the gain
    ("UT", 20): (0.8, 0.4),  # 89% and 80%: as the paper
    ("UIT", 100): (0.5, 0.15),  # half of the gain, an eighth of it
    ("SD", 20): (0.7, 0.3),
}


def series(cells, dataset="mine", method="dadh"):
    scores = {
        (Cell.of(*cell), task): Score(value, None, None, 1)
        for cell, values in cells.items()
        for task, value in zip(TASKS, values, strict=True)
    }
    return Series(dataset, method, 64, scores)


def test_findings_of_numbers_worked_out_by_hand():
    found = {row.finding: row.evidence for row in find([series(CELLS)])}
    assert str(found[UI]) == "1 of 2"
    assert found[UI].verdict == "no"
    assert str(found[UT]) == "1 of 1"
    assert found[UT].verdict == "yes"
    assert str(found[FALLS]) == "2 of 2 (UI 2% / -15%)"
    assert str(found[STAYS]) == "1 of 2 (50% / 12%)"
    # 20%: UI 0.6 < 0.7, 0.4 > 0.3; UT both above. 100% against untrained: UI one of two, UIT both.
    assert str(found[KEEPING]) == "6 of 8"
    assert found[KEEPING].verdict == "mostly"


@pytest.mark.parametrize("absent", [("paired", 0), ("untrained", 0)])
def test_what_a_grid_cannot_show_is_left_out(absent):
    found = {row.finding for row in find([series({k: v for k, v in CELLS.items() if k != absent})])}
    assert FALLS not in found
    assert STAYS not in found
    assert (UI in found) == (absent[0] != "paired")
    assert find([series({("SD", 20): (0.7, 0.3)})]) == []


def test_what_was_not_gained_has_no_share():
    level = find([series(CELLS | {("untrained", 0): (0.1, 0.5)})])  # text -> image gained nothing by training
    assert {FALLS, STAYS}.isdisjoint(row.finding for row in level)
    zero = find([series(CELLS | {("paired", 0): (0.9, 0.0)})])
    assert {UI, UT}.isdisjoint(row.finding for row in zero)


def test_published_numbers_stand_beside_ours():
    (row,) = [row for row in find([series(CELLS, "mirflickr25k")]) if row.finding == STAYS]
    assert row.published == "2 of 2 (74% / 79%)"
    (row,) = [row for row in find([series(CELLS, "nuswide-tc21", "jdsh")]) if row.finding == STAYS]
    assert row.published == "0 of 2 (1% / 3%)"
    assert {row.published for row in find([series(CELLS)])} == {"-"}  # other data
    # by hand from Table 3 and 4 of the paper: the 50/50 cell of DADH on MIR-Flickr25K
    maps = maps_of("mirflickr25k", "dadh")
    ends = [maps[Cell.of(*cell), "i2t"] for cell in (("untrained", 0), ("paired", 0), ("UIT", 100))]
    assert f"{100 * (ends[2] - ends[0]) / (ends[1] - ends[0]):.0f}" == "74"


def test_markdown_has_one_line_for_each():
    rows = find([series(CELLS), series(CELLS, "other", "jdsh")])
    lines = findings_markdown(rows).splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(rows) + 2
    assert all(line.count("|") == 7 for line in lines if line.startswith("|"))


class Stored(Series):
    """A series whose mAPs all have the same interval."""

    def half_width(self, weights):
        return 0.05 * max(abs(weight) for weight in weights.values())


def test_what_is_not_significant_counts_for_neither_side():
    # Against 0.70 and 0.30 of SD, half width 0.05: 0.60 is worse, 0.40 better, 0.72 neither.
    cells = {("SD", 20): (0.7, 0.3), ("UI", 20): (0.6, 0.4), ("UT", 20): (0.72, 0.4)}
    known = series(cells)
    (row,) = find([Stored(known.dataset, known.method, known.bits, known.scores)])
    assert str(row.evidence) == "2 of 4; opposite direction in 1, not significant in 1"
    assert row.evidence.verdict == "unclear"
    assert str(find([known])[0].evidence) == "3 of 4"
    stored = Stored(known.dataset, known.method, known.bits, known.scores)
    assert headline(stored)[-1].endswith(
        "in 2 of 4 comparisons; opposite direction in 1, not significant in 1."
    )


def test_a_larger_part_must_be_significant_as_well():
    # UI 20% keeps 0.60 / 0.90 and 0.40 / 0.50, 13% apart; UI 40% 5%. Half of the 95% CI is 0.05 / 0.5.
    cells = {("paired", 0): (0.9, 0.5), ("UI", 20): (0.6, 0.4), ("UI", 40): (0.6, 0.36)}
    known = series(cells)
    (row,) = find([Stored(known.dataset, known.method, known.bits, known.scores)])
    assert str(row.evidence) == "1 of 2; opposite direction in 0, not significant in 1"


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (Evidence(8, 8, 0), "yes"),
        (Evidence(5, 8, 3), "mostly"),
        (Evidence(4, 8, 1), "unclear"),
        (Evidence(4, 8, 0), "no"),
        (Evidence(4, 8), "no"),
        (Evidence(0, 8, 4), "no"),
    ],
)
def test_the_verdict_leaves_open_what_is_not_significant(evidence, verdict):
    assert evidence.verdict == verdict
