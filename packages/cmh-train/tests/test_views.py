"""Views: features of the images that are drawn anew in every step, such as those of random crops."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from cmh_train import Checkpoint, fit

SETTINGS = {"batch_size": 16, "seed": 3}


@dataclass
class Shifted:
    """The features of the data plus the same random number in all of a row's features."""

    image: np.ndarray
    digest: str = "shifted"

    def draw(self, rows, rng):
        return self.image[rows] + rng.random((len(rows), 1), np.float32)


@pytest.fixture
def gaps(data):
    image, present = data.image.copy(), np.arange(41) % 4 != 0
    image[~present] = 0
    return replace(data, image=image, image_present=present)


def test_every_step_sees_new_views_and_a_missing_image_stays_as_it_is(make, gaps):
    method, heard = make(), []
    method.begin_training = heard.append
    fit(method, gaps, epochs=2, image_views=Shifted(gaps.image), **SETTINGS)
    shifts = []
    for batch in method.seen:
        shift = batch.image - torch.from_numpy(gaps.image)[batch.index]
        assert torch.equal(batch.image[~batch.image_present], torch.zeros(sum(~batch.image_present), 6))
        torch.testing.assert_close(shift, shift[:, :1].expand_as(shift))
        shifts.append(shift[batch.image_present, 0])
    assert torch.cat(shifts).min() >= 0
    assert len(torch.cat(shifts).unique()) > 50  # of 2 x 30 present images
    assert torch.equal(heard[0].image, torch.from_numpy(gaps.image))


def test_an_interrupted_run_draws_the_same_views(make, data, tmp_path):
    views = Shifted(data.image)
    whole, part, resumed = make(), make(), make()
    fit(whole, data, epochs=4, image_views=views, **SETTINGS)
    checkpoint = Checkpoint(path=tmp_path / "run.safetensors", every_minutes=0)
    fit(part, data, epochs=2, image_views=views, checkpoint=checkpoint, **SETTINGS)
    fit(resumed, data, epochs=4, image_views=views, checkpoint=checkpoint, **SETTINGS)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    with pytest.raises(ValueError, match="image_views"):
        fit(make(), data, epochs=4, checkpoint=checkpoint, **SETTINGS)


def test_a_donor_of_an_image_gives_a_view_of_itself(make, gaps):
    class Neighbour:
        digest = "next"

        def draw(self, _rng):
            rows = np.arange(41)
            return np.where(gaps.image_present, rows, rows + 1 - 2 * (rows == 40)), rows

    method = make()
    fit(method, gaps, epochs=1, image_views=Shifted(gaps.image), partners=Neighbour(), **SETTINGS)
    for batch in method.seen:
        assert (batch.image != 0).any(dim=1).all()


def test_views_of_another_shape_are_refused(make, data):
    with pytest.raises(ValueError, match=r"must draw features of shape \(16, 6\), .* is \(16, 4\)"):
        fit(make(), data, epochs=1, image_views=Shifted(data.image[:, :4]), **SETTINGS)
