from dataclasses import replace

import cmh_data
import numpy as np
import pytest


def test_the_emoji_are_known_whole_and_unchanged_only():
    emoji = cmh_data.sample()
    assert cmh_data.published_name(emoji) == "emoji"
    assert cmh_data.published_name(replace(emoji, name="mine")) == "emoji"
    there = emoji.text_present.copy()
    there[3] = False
    assert cmh_data.published_name(replace(emoji, text_present=there)) is None
    labels = emoji.label.copy()
    labels[[0, -1]] = labels[[-1, 0]]
    assert not np.array_equal(labels, emoji.label)
    assert cmh_data.published_name(replace(emoji, label=labels)) is None


@pytest.mark.parametrize(("like", "rows"), [("mirflickr25k", 20_015), ("mirflickr25k", 500)])
def test_simulated_data_are_no_published_data(like, rows):
    assert cmh_data.published_name(cmh_data.simulate(like, n=rows, image_width=2)) is None
