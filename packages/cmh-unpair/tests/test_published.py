"""The counts of the released script over 10,000 rows, computed by hand from its loops."""

from __future__ import annotations

import numpy as np
import pytest
from cmh_unpair import published_2022_plan

# p: images removed in front, texts removed at the back, rows with both rules, rows still paired
COUNTS = {
    10: (1011, 808, 0, 8181),
    20: (2021, 1818, 0, 6161),
    30: (3031, 2828, 0, 4141),
    40: (4041, 3838, 0, 2121),
    50: (5051, 4848, 0, 101),
    60: (6061, 5858, 1919, 0),
    80: (8081, 7878, 5959, 0),
    100: (10000, 9898, 9898, 0),
}


@pytest.mark.parametrize(("p", "counts"), COUNTS.items())
def test_counts_of_the_released_script(p, counts):
    plan = published_2022_plan(unpaired_images=p, unpaired_text=p)
    images, texts = ~plan.image_present, ~plan.text_present
    assert (images.sum(), texts.sum(), (images & texts).sum(), plan.counts.true_pairs) == counts


@pytest.mark.parametrize(
    ("p", "queries", "retrieval"),
    [(20, 417, 3640), (40, 817, 7280), (60, 1217, 10920), (80, 1617, 14560), (100, 2000, 18015)],
)
def test_the_loop_over_mirflickr_pixels_blanks_queries_too(p, queries, retrieval):
    plan = published_2022_plan(unpaired_images=p, unpaired_text=p, empty_scope="all-rows", n_rows=20_015)
    assert len(plan) == 20_015
    blank = ~plan.image_present
    assert (blank[18_015:].sum(), blank[:18_015].sum()) == (queries, retrieval)
    assert plan.text_present[10_000:].all()


def test_the_loop_over_nus_wide_features_blanks_every_image():
    plan = published_2022_plan(
        unpaired_images=20, unpaired_text=20, empty_scope="whole-array", n_rows=195_834
    )
    assert len(plan) == 195_834
    assert not plan.image_present.any()
    assert (~plan.text_present).sum() == 1818
    assert "every image" in plan.summary()
    untouched = published_2022_plan(unpaired_images=20, empty_scope="whole-array", n_rows=195_834)
    assert untouched.image_present.all()


@pytest.mark.parametrize("scope", ["all-rows", "whole-array"])
def test_a_scope_beyond_the_training_rows_needs_their_number(scope):
    with pytest.raises(ValueError, match=f"n_rows must be .* empty_scope='{scope}', but it is None"):
        published_2022_plan(unpaired_text=20, empty_scope=scope)


def test_a_loop_over_rows_gives_the_same():
    for p in (7, 33, 64):
        plan = published_2022_plan(500, unpaired_images=p, unpaired_text=p)
        counter = 0
        for row in range(500):
            assert plan.image_present[row] == (counter >= p)
            assert plan.text_present[row] == (counter <= 100 - p)
            counter += 1
            if counter == 99:
                counter = 0


def test_front_texts_with_front_images_empty_the_same_rows():
    plan = published_2022_plan(unpaired_images=20, unpaired_text=20, text_rows="front")
    assert plan.counts.without_both == 2021
    assert plan.counts.true_pairs == 10_000 - 2021


def test_a_cycle_of_a_hundred_gives_what_was_meant():
    counts = published_2022_plan(unpaired_images=20, unpaired_text=20, cycle=100).counts
    assert (counts.without_image, counts.without_text) == (2000, 1900)  # the back rule still misses one


def test_the_integer_cast_truncates_every_row():
    images = np.full((99, 2), 1.75)
    plan = published_2022_plan(99, unpaired_text=20, integer_cast=True)
    unpaired = plan.apply(images, np.full((99, 2), 0.5))
    assert unpaired.images.dtype == np.int64
    np.testing.assert_array_equal(unpaired.images[20:], 1)
    assert unpaired.texts.dtype == np.float64  # not rewritten, so not cast
