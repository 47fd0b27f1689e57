import numpy as np
import pytest
from cmh_metrics import RankingTables, evaluate, precision_at, r_precision, ranking_tables
from field_loop import rankings


def test_hand_worked_answers():
    tables = RankingTables(
        [[1, 2, 1]], [[0, 1, 1]]
    )  # the first two: one irrelevant item, then one of the tie
    assert r_precision(tables=tables).tolist() == [0.25]
    assert r_precision(tables=tables, ties="best").tolist() == [0.5]
    assert r_precision(tables=tables, ties="worst").tolist() == [0]


def test_untied_rankings_against_the_slow_reference(make_arrays):
    arrays = make_arrays(6, 30, 30, 3)
    arrays["query_codes"][:] = 1
    arrays["database_codes"] = np.where(np.tri(30, dtype=bool), -1, 1)  # row i lies at distance i + 1
    expected = [shares[: shares.sum()].mean() if shares.any() else 0 for _, shares in rankings(**arrays)]
    for ties in ("expected", "best", "worst"):
        np.testing.assert_allclose(r_precision(**arrays, ties=ties), expected)


def test_it_is_precision_at_a_cut_off_of_each_query(make_arrays):
    arrays = make_arrays(7, 90, 6, 3)
    tables = ranking_tables(**arrays)
    for i, n_relevant in enumerate(tables.relevant.sum(axis=1)):
        expected = precision_at(tables=tables, ks=[max(1, n_relevant)])[i, 0] if n_relevant else 0
        assert r_precision(tables=tables)[i] == pytest.approx(expected)


def test_queries_without_a_relevant_item():
    tables = RankingTables([[2, 0], [1, 1]], [[0, 0], [1, 0]])
    assert r_precision(tables=tables).tolist() == [0, 1]
    assert r_precision(tables=tables, no_relevant="skip").tolist() == [1]
    assert np.isnan(r_precision(tables=tables, no_relevant="nan")[0])


def test_it_is_in_every_report(make_arrays):
    arrays = make_arrays(7, 90, 6, 3)
    report = evaluate(**arrays)
    expected = r_precision(**arrays).mean()
    assert report["retrieval"].r_precision == pytest.approx(expected)
    assert ("R-precision", [f"{expected:.4f}"]) in report.rows()
    assert "| task | R-precision |" in report.to_markdown()
    assert f"| retrieval | {expected:.4f} |" in report.to_markdown()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ties": "index"}, "ties must be one of 'expected', 'best', 'worst'"),
        ({"no_relevant": "skip-no-hit"}, "no_relevant must be one of 'zero', 'skip', 'nan'"),
        ({"database_codes": None}, "database_codes must be given, or tables"),
    ],
)
def test_bad_input(make_arrays, change, message):
    with pytest.raises(ValueError, match=message):
        r_precision(**{**make_arrays(2, 4, 8, 3), **change})
