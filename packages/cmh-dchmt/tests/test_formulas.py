"""Hash layers and losses: by hand, beside loops over entries, at their edges."""

import math

import plain_dchmt
import pytest
import torch
from cmh_dchmt import SelectingHash, distance_losses, total_loss
from hypothesis import given, settings
from hypothesis import strategies as st


def test_losses_by_hand():
    """Two bits; the two images are 2 apart, the texts sqrt(2); the margin is sqrt(3)."""
    image = torch.tensor([[1.0, 0, 1, 0], [0.0, 1, 0, 1]])
    text = torch.tensor([[1.0, 0, 1, 0], [0.0, 1, 1, 0]])
    losses = distance_losses(image, text, torch.eye(2))
    margin = math.sqrt(3)
    assert losses["similar_image_text"].item() == pytest.approx(2 / 4)
    assert losses["dissimilar_image_text"].item() == pytest.approx((margin - math.sqrt(2)) ** 2 / 4)
    assert losses["similar_image"].item() == losses["dissimilar_image"].item() == 0
    assert losses["dissimilar_text"].item() == pytest.approx(2 * (margin - math.sqrt(2)) ** 2 / 4)
    assert total_loss(losses).item() == pytest.approx(0.5 + 3 * (margin - math.sqrt(2)) ** 2 / 4)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 6), st.sampled_from([0.5, 0.75, 1.0]), st.integers(0, 99))
def test_losses_are_those_of_the_loops(batch, bits, margin_share, seed):
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.rand(batch, 2 * bits, generator=generator, dtype=torch.float64) for _ in range(2))
    text[0] = image[-1]
    similar = torch.randint(2, (batch, batch), generator=generator).double()
    ours = distance_losses(image, text, similar, margin_share=margin_share)
    plain = plain_dchmt.distance_losses(*(x.tolist() for x in (image, text, similar)), margin_share)
    assert {name: loss.item() for name, loss in ours.items()} == pytest.approx(plain, rel=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_hash_layers_are_those_of_the_loops(width, hidden_width, bits, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers, features = SelectingHash(width, hidden_width, bits).double(), torch.randn(3, width).double()
        torch.nn.init.normal_(layers.choice_bias)
    weights = [parameter.tolist() for parameter in (layers.hidden.weight, layers.hidden.bias)]
    weights += [layers.choice_weight.tolist(), layers.choice_bias.tolist()]
    for row, sample in zip(layers(features), features, strict=True):
        assert row.tolist() == pytest.approx(plain_dchmt.choices(sample.tolist(), *weights), rel=1e-10)


def test_choices_of_a_bit_add_up_to_1():
    outputs = SelectingHash(5, 7, 8)(100 * torch.randn(4, 5)).unflatten(1, (8, 2))
    torch.testing.assert_close(outputs.sum(dim=2), torch.ones(4, 8))


def test_first_weights_are_kaimings():
    layers = SelectingHash(50, 128, 16)
    assert layers.hidden.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 128), rel=0.01)
    assert layers.choice_weight.abs().max().item() == pytest.approx(math.sqrt(3), rel=0.01)
    assert not layers.hidden.bias.any()
    assert not layers.choice_bias.any()


def test_a_distance_of_0_has_the_gradient_0():
    image = torch.full((2, 4), 0.5, requires_grad=True)
    losses = distance_losses(image, image.detach().clone(), torch.zeros(2, 2))
    losses["dissimilar_image_text"].backward()
    assert not image.grad.any()


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    values = [
        torch.rand(4, 6, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)
    ]
    similar = (torch.rand(4, 4, generator=generator) < 0.5).double()

    def across(image, text):
        losses = distance_losses(image, text, similar)
        return losses["similar_image_text"] + losses["dissimilar_image_text"]

    assert torch.autograd.gradcheck(across, values)
