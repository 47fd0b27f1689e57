import io

import pytest
from rich.console import Console
from test_latex_table import TABLES, hostile_table
from umml_cli.report.column_blocks import column_blocks
from umml_cli.report.terminal_paper_table import SHOWN, print_tables


def printed(table, width):
    screen = io.StringIO()
    print_tables(Console(file=screen, width=width, markup=False, highlight=False), [table])
    return screen.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_number_is_printed_and_no_line_is_too_long(table, width):
    text = printed(table, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    words = text.split()
    for row in table.rows:
        if row.kind in SHOWN:
            assert all(set(entry.text.split()) <= set(words) for entry in row.entries)


def test_changes_stand_in_the_files_alone():
    assert "-12.5" in printed(hostile_table(), 200)  # an mAP here
    assert "change (%)" not in printed(hostile_table(), 200)


@pytest.mark.parametrize(
    ("widths", "groups", "room", "expected"),
    [
        ([5, 5, 5], "aab", 10, [[0, 1], [2]]),
        ([5, 5, 5, 5, 5], "aaaaa", 11, [[0, 1], [2, 3], [4]]),
        ([5] * 6, "aaaaaa", 20, [[0, 1, 2], [3, 4, 5]]),  # halves, not four and two
        ([30, 5], "ab", 10, [[0], [1]]),  # nothing can be done about the first
        ([], "", 10, []),
    ],
)
def test_columns_are_divided_at_their_groups_where_possible(widths, groups, room, expected):
    assert column_blocks(widths, list(groups), room) == expected
