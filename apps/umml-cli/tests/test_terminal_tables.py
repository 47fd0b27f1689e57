import io

import pytest
from rich.console import Console
from test_series import make_series
from umml_cli.report.terminal_tables import WIDE, series_tables
from umml_cli.results.series import Series


@pytest.mark.parametrize(("width", "n_tables"), [(WIDE, 1), (WIDE - 1, 2), (80, 2)])
def test_no_entry_is_cut_off_at_any_width_from_80_columns(width, n_tables, monkeypatch):
    monkeypatch.setattr(Series, "is_not_significant", lambda *_: True)
    series = make_series(
        paired=(0.8, 0.8), UIT100=(0.4, 0.1), SD60=(0.5, 0.5), UI60=(0.55, 0.3), untrained=(0.1, 0.1)
    )
    tables = series_tables(series, width)
    assert len(tables) == n_tables
    screen = io.StringIO()
    for table in tables:
        Console(file=screen, width=width).print(table)
    printed = screen.getvalue()
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= width
    for said in (
        "UIT 100%",
        "★ 0.550",
        "unpaired +300% n.s.",
        "discarded -40% n.s.",
        "-37.5% n.s.",
        "4.00×",
    ):
        assert said in printed
