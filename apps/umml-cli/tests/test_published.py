import pytest
from umml_cli.results.published import (
    BestScheme,
    inconsistent_best,
    maps_of,
    published_best,
    published_classes,
    published_maps,
    published_unpaired,
    rivals,
)
from umml_cli.runs.cells import Cell


def test_tables_3_to_6_hold_every_cell_of_three_methods_on_two_data_sets():
    assert len(published_maps()) == 3 * 2 * 2 * 21
    assert published_maps()["mirflickr25k", "dadh", Cell.of("UIT", 100), "t2i"] == 0.762
    assert published_maps()["nuswide-tc21", "jdsh", Cell.of("untrained"), "i2t"] == 0.256


def test_tables_7_to_9_are_whole():
    assert len(published_best()) == 2 * 3 * 3 * 5
    assert published_best()["mirflickr25k", "dadh", 100.0, "i2t"] == BestScheme("UIT", 39.93)
    assert published_unpaired()["amsh", "mirflickr25k", "t2i"] == 0.840
    assert len(published_classes()) == 24


def test_thirteen_cells_of_table_7_do_not_follow_from_tables_3_to_6():
    found = {
        (data[:3], task, method, percent): str(entry)
        for (data, method, percent, task), entry in inconsistent_best().items()
    }
    assert found == {
        ("mir", "i2t", "jdsh", 60): "UI +0.47",
        ("mir", "both", "dadh", 60): "UT +1.41",
        ("nus", "i2t", "dadh", 80): "UIT +17.57",
        ("nus", "i2t", "jdsh", 20): "UIT +0.74",
        ("nus", "i2t", "jdsh", 100): "UIT +1.17",
        ("nus", "t2i", "dadh", 20): "UI +5.06",
        ("nus", "t2i", "agah", 40): "UT +19.38",
        ("nus", "t2i", "agah", 60): "UT +33.40",
        ("nus", "t2i", "agah", 80): "UIT +48.54",
        ("nus", "t2i", "jdsh", 20): "UIT +2.33",
        ("nus", "t2i", "jdsh", 100): "UI +4.49",
        ("nus", "both", "jdsh", 20): "UIT +1.51",
        ("nus", "both", "jdsh", 100): "UIT +2.59",
    }


@pytest.mark.parametrize(
    ("printed", "follows"),
    [
        (BestScheme("UT", 5.00), True),
        (BestScheme("UT", 5.17), True),  # 0.6305 / 0.5995
        (BestScheme("UT", 5.30), False),
        (BestScheme("UI", 4.83), True),  # 0.6295 may be both
        (BestScheme("UIT", 3.33), False),
        (BestScheme("SD", None), False),
    ],
)
def test_an_entry_follows_if_rounding_explains_it(printed, follows):
    maps = {"UI": 0.629, "UT": 0.630, "UIT": 0.620, "SD": 0.600}
    assert printed.follows_from(maps) is follows


def test_the_best_scheme_by_hand():
    assert str(BestScheme.among({"UI": 0.5, "UT": 0.6, "UIT": 0.4, "SD": 0.5})) == "UT +20.00"
    assert str(BestScheme.among({"UI": 0.5, "UT": 0.4, "UIT": 0.4, "SD": 0.5})) == "SD"


def test_both_tasks_are_their_mean_and_everything_discarded_is_the_untrained_network():
    maps = maps_of("mirflickr25k", "dadh")
    assert rivals(maps, 60, "both")["UT"] == pytest.approx(0.791)
    assert rivals(maps, 100, "i2t")["SD"] == 0.543
    assert rivals({}, 60, "i2t") is None
