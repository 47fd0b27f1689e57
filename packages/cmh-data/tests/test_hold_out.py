"""Training rows held out as queries."""

from dataclasses import replace

import cmh_data
import numpy as np
import pytest
from cmh_data import Split, hold_out


@pytest.fixture(scope="module")
def emoji():
    return cmh_data.load("emoji")


def test_held_out_rows_leave_training_and_the_retrieval_set(emoji):
    held = hold_out(emoji, 20)
    old, new = emoji.split, held.split
    assert len(new.query) == pytest.approx(0.2 * len(old.train), rel=0.1)
    assert set(new.query) | set(new.train) == set(old.train)
    assert not set(new.query) & set(new.train)
    assert set(new.retrieval) == set(old.retrieval) - set(new.query) - set(old.query)
    assert held.digest != emoji.digest
    np.testing.assert_array_equal(hold_out(emoji, 20).split.query, new.query)
    assert set(hold_out(emoji, 20, seed=1).split.query) != set(new.query)


def test_query_rows_are_not_even_ranked(emoji):
    everything = np.arange(len(emoji.label))
    ranked = replace(
        emoji, split=Split(train=emoji.split.train, query=emoji.split.query, retrieval=everything)
    )
    assert not set(hold_out(ranked, 10).split.retrieval) & set(emoji.split.query)


def test_equal_images_stay_on_one_side_and_held_out_rows_are_whole(tmp_path):
    rng = np.random.default_rng(0)
    image = np.repeat(rng.normal(size=(20, 4)), 2, axis=0).astype(np.float32)
    text_present = np.arange(40) % 8 != 0
    np.savez(
        tmp_path / "data.npz",
        image=image,
        text=rng.random((40, 5)).astype(np.float32),
        labels=np.eye(2, dtype=np.uint8)[np.arange(40) % 2],
        text_present=text_present,
        train=np.arange(30),
        query=np.arange(30, 40),
        retrieval=np.arange(30),
    )
    split = hold_out(cmh_data.load(tmp_path / "data.npz"), 30).split
    assert not set(split.query // 2) & set(split.train // 2)
    assert text_present[split.query].all()


def test_where_no_training_row_has_both_sides_rows_with_one_are_held_out(emoji):
    image_present = np.arange(len(emoji)) % 2 == 0
    one_sided = replace(emoji, image_present=image_present, text_present=~image_present, stored_digest=None)
    split = hold_out(one_sided, 20).split
    assert len(split.query) == pytest.approx(0.2 * len(emoji.split.train), rel=0.1)
    assert 0.3 < image_present[split.query].mean() < 0.7


@pytest.mark.parametrize(
    ("percentage", "said"),
    [(0, "above 0"), (100, "below 100"), (0.01, "is less than one row; hold more out")],
)
def test_a_share_that_cannot_be_held_out(emoji, percentage, said):
    with pytest.raises(cmh_data.DataError, match=said):
        hold_out(emoji, percentage)
