from itertools import permutations, product

import numpy as np
import pytest
from cmh_metrics import (
    RankingTables,
    average_precision,
    average_precision_within_radius,
    evaluate,
    precision_recall_by_radius,
    precision_within_radius,
    ranking_tables,
)
from field_loop import average_precision_of, rankings


def test_hand_worked_precision():
    tables = RankingTables([[1, 2, 1, 6], [0, 0, 0, 10]], [[1, 0, 1, 6], [0, 0, 0, 5]])
    assert precision_within_radius(tables=tables).tolist() == [0.5, 0]
    assert precision_within_radius(tables=tables, radius=0).tolist() == [1, 0]
    assert precision_within_radius(tables=tables, radius=9).tolist() == [0.8, 0.5]
    assert precision_within_radius(tables=tables, nothing_inside="skip").tolist() == [0.5]
    assert np.isnan(precision_within_radius(tables=tables, nothing_inside="nan")[1])


def test_hand_worked_average_precision():
    tables = RankingTables([[1, 1, 1, 6]], [[1, 0, 1, 6]])  # ranks 1 and 3 within radius 2
    assert average_precision_within_radius(tables=tables)[0] == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision_within_radius(tables=tables, radius=1).tolist() == [1]


def field_measures(radius, **arrays):
    """(precision, average precision) as the field's programs have them: 0 where nothing is inside."""
    precision, average = [], []
    for distance, shares in rankings(**arrays):
        inside = shares[distance <= radius]
        precision.append(inside.mean() if len(inside) else 0)
        average.append(average_precision_of(inside) if inside.any() else 0)
    return precision, average


@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_against_the_field_s_loop(make_arrays, radius):
    arrays = make_arrays(12, 300, 9, 3)
    precision, average = field_measures(radius, **arrays)
    np.testing.assert_allclose(precision_within_radius(**arrays, radius=radius), precision)
    best, worst = (
        average_precision_within_radius(**arrays, radius=radius, ties=ties) for ties in ("best", "worst")
    )
    assert (best + 1e-12 >= average).all()
    assert (worst - 1e-12 <= average).all()


@pytest.mark.parametrize("groups", [[(2, 1), (0, 0), (3, 2), (4, 4)], [(0, 0), (1, 1), (4, 1), (2, 0)]])
def test_expected_is_the_mean_over_all_orders(groups):
    tables = RankingTables([[n for n, _ in groups]], [[r for _, r in groups]])
    parts = [sorted(set(permutations([1] * r + [0] * (n - r)))) for n, r in groups[:3]]
    values = [average_precision_of(np.concatenate(order) > 0) for order in product(*parts)]
    assert average_precision_within_radius(tables=tables)[0] == pytest.approx(np.mean(values))
    assert average_precision_within_radius(tables=tables, ties="best")[0] == pytest.approx(max(values))
    assert average_precision_within_radius(tables=tables, ties="worst")[0] == pytest.approx(min(values))


def test_a_radius_that_holds_everything(make_arrays):
    arrays = make_arrays(5, 60, 8, 3)
    np.testing.assert_allclose(
        average_precision_within_radius(**arrays, radius=8), average_precision(**arrays), rtol=1e-12
    )
    curve = precision_recall_by_radius(**arrays)
    for radius in range(9):
        assert precision_within_radius(**arrays, radius=radius).mean() == pytest.approx(
            curve.precision[radius]
        )


def test_nothing_relevant_within_the_radius():
    tables = RankingTables([[0, 3, 0, 1]], [[0, 0, 0, 1]])
    assert average_precision_within_radius(tables=tables).tolist() == [0]
    assert average_precision_within_radius(tables=tables, no_relevant="skip").tolist() == []
    assert np.isnan(average_precision_within_radius(tables=tables, no_relevant="nan")[0])


def test_both_are_in_every_report_at_radius_2(make_arrays):
    arrays = make_arrays(9, 400, 8, 3)
    report = evaluate(**arrays)
    values = {
        "map_within_radius_2": average_precision_within_radius(**arrays).mean(),
        "precision_within_radius_2": precision_within_radius(**arrays).mean(),
    }
    for name, value in values.items():
        assert 0 < report["retrieval"].measures[name] == pytest.approx(value)
    titles = [title for title, _ in report.rows()]
    assert {"mAP, radius 2", "precision, radius 2"} <= set(titles)


@pytest.mark.parametrize("measure", [precision_within_radius, average_precision_within_radius])
def test_bad_input(make_arrays, measure):
    arrays = make_arrays(2, 4, 8, 3)
    for radius in (-1, 1.5, True):
        with pytest.raises(ValueError, match="radius must be an integer of at least 0"):
            measure(**arrays, radius=radius)
    with pytest.raises(ValueError, match="nothing_inside must be one of"):
        precision_within_radius(**arrays, nothing_inside="one")
    with pytest.raises(ValueError, match="ties must be one of 'expected', 'best', 'worst'"):
        average_precision_within_radius(tables=ranking_tables(**arrays), ties="index")
