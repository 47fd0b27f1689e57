from __future__ import annotations

import cmh_data
import numpy as np
import pytest


def test_frequencies_and_sizes():
    data = cmh_data.simulate("mirflickr25k", n=20_000, image_width=8)
    assert data.text.shape == (20_000, 1386)
    share = data.label.mean(axis=0)
    assert abs(share.max() - 8463 / 20015) < 0.03
    assert 2.5 < data.label.sum(axis=1).mean() < 4.5
    assert data.label.any(axis=1).all()
    assert data.text.any(axis=1).all()
    assert 3.5 < data.text.sum(axis=1).mean() < 5
    table = data.label.astype(int)
    expected = np.outer(share, share) * len(data)
    lift = (table.T @ table) / expected
    np.fill_diagonal(lift, 1)
    assert lift.max() > 1.3  # some labels occur together


def test_rows_do_not_depend_on_how_they_are_read():
    image = cmh_data.simulate(n=2500, image_width=5, seed=3).image
    whole = image[:]
    np.testing.assert_array_equal(image[[2400, 3, 1500]], whole[[2400, 3, 1500]])
    np.testing.assert_array_equal(image[1020:1030], whole[1020:1030])
    np.testing.assert_array_equal(image[-1], whole[-1])
    assert image[0:0].shape == (0, 5)


def test_strength_is_what_images_carry():
    def p_value(strength):
        data = cmh_data.simulate(n=600, image_width=64, strength=strength)
        return cmh_data.alignment_p_value(data.image, data.label)

    assert p_value(1.0) == 0.01
    assert p_value(0.0) > 0.01


def test_it_is_called_simulated_everywhere(tmp_path):
    data = cmh_data.simulate("nuswide-tc21", n=300, image_width=16)
    path = cmh_data.save(data, tmp_path / "a.h5")
    report = cmh_data.inspect(path)
    assert data.name == cmh_data.load(path).name == "simulated-nuswide-tc21"
    assert report.simulated
    assert "SIMULATED" in report.to_text()
    assert cmh_data.load(path).digest == data.digest == data.compute_digest()


def test_pixels():
    data = cmh_data.simulate(n=30, pixel_size=6)
    assert data.image.shape == (30, 3, 6, 6)
    assert data.image[:].dtype == np.uint8
    assert data.image[:].std() > 10


def test_the_seed_decides():
    digests = [cmh_data.simulate(n=50, image_width=4, seed=seed).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"like": "imagenet"}, "like must be one of mirflickr25k, nuswide-tc21, but it is 'imagenet'"),
        ({"n": 5}, "n must be at least 20"),
        ({"strength": -1}, "strength at least 0"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.simulate(**options)
