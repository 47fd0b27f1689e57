"""Partners: real items of other rows in the place of missing ones, drawn anew in every epoch."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from cmh_train import Checkpoint, fit

SETTINGS = {"batch_size": 16, "seed": 3}


@dataclass
class Drawn:
    """Missing texts of the first rows come from the last ones, as do missing images of rows 10 to 14."""

    digest: str = "drawn"

    def draw(self, rng):
        image_rows, text_rows = np.arange(41), np.arange(41)
        text_rows[:10] = rng.integers(30, 41, 10)
        image_rows[10:15] = rng.integers(30, 41, 5)
        return image_rows, text_rows


@pytest.fixture
def gaps(data):
    """The data with NaN in every missing item, past the checks that would refuse it."""
    image, text = data.image.copy(), data.text.astype(np.float32)
    image_present, text_present = np.ones(41, bool), np.ones(41, bool)
    image_present[10:15], text_present[:10] = False, False
    image[~image_present], text[~text_present] = np.nan, np.nan
    return replace(data, image=image, text=text, image_present=image_present, text_present=text_present)


def test_no_missing_item_is_left_and_the_flags_stay(make, gaps):
    method = make()
    fit(method, gaps, epochs=2, partners=Drawn(), **SETTINGS)
    batches = method.seen
    assert not any(torch.isnan(batch.image).any() or torch.isnan(batch.text).any() for batch in batches)
    index = torch.cat([batch.index for batch in batches])
    for name in ("image_present", "text_present"):
        flags = torch.cat([getattr(batch, name) for batch in batches])
        assert torch.equal(flags, torch.from_numpy(getattr(gaps, name))[index])
    label = torch.cat([batch.label for batch in batches])
    assert torch.equal(label, torch.from_numpy(gaps.label).float()[index])


def test_donors_are_drawn_anew_in_every_epoch_and_present_items_are_their_own(make, gaps):
    method = make()
    fit(method, gaps, epochs=2, partners=Drawn(), **SETTINGS)
    by_row = []
    for batches in (method.seen[:3], method.seen[3:]):
        index = torch.cat([batch.index for batch in batches])
        by_row.append(torch.cat([batch.text for batch in batches])[index.argsort()])
    assert not torch.equal(by_row[0][:10], by_row[1][:10])
    assert torch.equal(by_row[0][10:], by_row[1][10:])
    assert torch.equal(by_row[0][10:], torch.from_numpy(gaps.text[10:]))
    assert all(
        any(torch.equal(row, donor) for donor in torch.from_numpy(gaps.text[30:])) for row in by_row[0][:10]
    )


def test_a_method_is_told_that_its_rows_are_completed(make, gaps, data):
    for partners, given, told in ((Drawn(), gaps, True), (None, data, False)):
        method, heard = make(), []
        method.begin_training = heard.append
        fit(method, given, epochs=1, partners=partners, **SETTINGS)
        assert [rows.completed for rows in heard] == [told]


def test_an_interrupted_run_draws_the_same_donors(make, gaps, tmp_path):
    whole, part = make(), make()
    fit(whole, gaps, epochs=4, partners=Drawn(), **SETTINGS)
    checkpoint = Checkpoint(path=tmp_path / "run.safetensors", every_minutes=0)
    fit(part, gaps, epochs=2, partners=Drawn(), checkpoint=checkpoint, **SETTINGS)
    resumed = make()
    assert fit(resumed, gaps, epochs=4, partners=Drawn(), checkpoint=checkpoint, **SETTINGS).resumed_from == 2
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


@pytest.mark.parametrize("other", [None, Drawn(digest="others")])
def test_a_checkpoint_is_not_continued_with_other_partners(make, gaps, data, tmp_path, other):
    path = tmp_path / "run.safetensors"
    fit(make(), gaps, epochs=1, partners=Drawn(), checkpoint=path, **SETTINGS)
    with pytest.raises(ValueError, match="partners"):
        fit(make(), gaps if other else data, epochs=2, partners=other, checkpoint=path, **SETTINGS)


@pytest.mark.parametrize(
    ("image_rows", "says"),
    [
        (np.arange(40), "must draw 41 image rows as int64, but it drew int64 of shape"),
        (np.arange(41.0), "must draw 41 image rows as int64, but it drew float64"),
        (np.arange(1, 42), "image rows from 0 to 40, but it drew 1 to 41"),
        (np.arange(41) - 1, "image rows from 0 to 40, but it drew -1 to 39"),
    ],
)
def test_partners_of_other_rows_are_refused(make, data, image_rows, says):
    class Wrong:
        digest = "wrong"

        def draw(self, _rng):
            return image_rows, np.arange(41)

    with pytest.raises(ValueError, match=says):
        fit(make(), data, epochs=1, partners=Wrong(), **SETTINGS)
