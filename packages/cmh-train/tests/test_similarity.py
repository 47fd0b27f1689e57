"""Similarities of batches by hand; the methods' packages compare them with loops over samples."""

import math

import pytest
import torch
from cmh_train import (
    affinity,
    binary_affinity,
    fuse_affinities,
    fuse_known_affinities,
    second_order_affinity,
    similarity_loss,
)

SHARES = {"image_share": 0.5, "text_share": 0.2, "joint_share": 0.3}
FORMS = pytest.mark.parametrize("form", ["cosine", "product"])


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_affinity_of_rows_at_0_45_90_and_180_degrees():
    rows = torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, 1.0], [-5.0, 0.0]], dtype=torch.float64)
    half = math.sqrt(0.5)
    expected = [1, 2 * half - 1, -1, -3]
    torch.testing.assert_close(affinity(rows)[0], torch.tensor(expected, dtype=torch.float64))
    assert binary_affinity(rows)[0].tolist() == [1, 1, -1, -3]


def test_rows_of_zeros_are_unlike_everything():
    rows = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    for of in (affinity, binary_affinity):
        assert of(rows)[0].tolist() == of(rows)[:, 2].tolist() == [-1, -1, -1]


def test_second_order_affinity_by_hand():
    image, text = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    torch.testing.assert_close(second_order_affinity(image, text), torch.tensor([[0.6, 0.8], [0, 0]]))
    product = second_order_affinity(image, text, "product")  # rows (3, 8) and (0, 0)
    torch.testing.assert_close(product, torch.tensor([[3 / 73**0.5, 8 / 73**0.5], [0, 0]]))


@FORMS
def test_all_present_is_the_plain_sum(form):
    image, text = affinity(random(7, 3)), affinity(random(7, 4, seed=1))
    everything = torch.ones(7, dtype=torch.bool)
    fused, known = fuse_known_affinities(image, text, everything, everything, **SHARES, form=form)
    assert known.all()
    torch.testing.assert_close(fused, fuse_affinities(image, text, **SHARES, form=form))


@FORMS
def test_what_lies_in_missing_rows_does_not_matter(form):
    has_image, has_text = torch.arange(7) != 2, torch.arange(7) % 3 != 0
    features = random(7, 3), random(7, 4, seed=1)
    results = []
    for fill in (0.0, -9.0):
        image, text = (rows.clone() for rows in features)
        image[~has_image], text[~has_text] = fill, fill
        results.append(
            fuse_known_affinities(affinity(image), affinity(text), has_image, has_text, **SHARES, form=form)
        )
    (first, known), (second, _) = results
    torch.testing.assert_close(first, second)
    assert torch.equal(known, (has_image[:, None] & has_image) | (has_text[:, None] & has_text))
    assert not first[~known].any()


@FORMS
@pytest.mark.parametrize("lost", ["images", "texts", "both"])
def test_nothing_of_a_modality(form, lost):
    """What is left counts in full; no sample is complete, so that nothing is known of the second order."""
    image, text = affinity(random(5, 3)), affinity(random(5, 4, seed=1))
    here, gone = torch.ones(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)
    has_image, has_text = {"images": (gone, here), "texts": (here, gone), "both": (gone, gone)}[lost]
    fused, known = fuse_known_affinities(image, text, has_image, has_text, **SHARES, form=form)
    assert known.all().item() is (lost != "both")
    left = {"images": text, "texts": image, "both": torch.zeros_like(image)}[lost]
    torch.testing.assert_close(fused, 0.7 * left)


def test_a_weight_of_zero_makes_nothing_known():
    image = affinity(random(3, 2))
    here, gone = torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
    shares = {"image_share": 0.0, "text_share": 1.0, "joint_share": 0.0}
    _, known = fuse_known_affinities(image, image, here, gone, **shares)
    assert not known.any()


def test_similarity_loss():
    left, right = torch.eye(2), torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    target = torch.zeros(2, 2)  # products: [0 1; 1 1]
    assert similarity_loss(left, right, target).item() == 0.75
    counted = torch.tensor([[True, True], [False, False]])
    assert similarity_loss(left, right, target, counted).item() == 0.5
    left.requires_grad_()
    loss = similarity_loss(left, right, target, ~counted & counted)
    loss.backward()
    assert loss.item() == 0
    assert not left.grad.any()
