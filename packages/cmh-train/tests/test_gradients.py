"""Gradients of a discriminator in closed form."""

from itertools import pairwise

import pytest
import torch
from cmh_train import gradient_penalty, input_gradient


@pytest.mark.parametrize("widths", [(3, 1), (5, 4, 1), (16, 8, 7, 1)])
def test_the_gradient_and_its_gradient_are_those_of_autograd(widths):
    torch.manual_seed(0)
    layers = []
    for narrow, wide in pairwise(widths):
        layers += [torch.nn.Linear(narrow, wide), torch.nn.ReLU()]
    discriminator = torch.nn.Sequential(*layers[:-1]).double()
    points = torch.randn(5, widths[0]).double()
    weights = [layer.weight for layer in discriminator[::2]]
    ours = input_gradient(discriminator, points)
    points.requires_grad_()
    (theirs,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    ours, theirs = (torch.autograd.grad(gradient.square().sum(), weights) for gradient in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


def test_a_unit_that_is_off_does_not_count():
    discriminator = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    discriminator.load_state_dict(
        {
            "0.weight": torch.tensor([[2.0], [-3.0]]),
            "0.bias": torch.zeros(2),
            "2.weight": torch.tensor([[5.0, 7.0]]),
            "2.bias": torch.zeros(1),
        }
    )
    gradient = input_gradient(discriminator, torch.tensor([[1.0], [-1.0], [0.0]]))
    assert gradient.tolist() == [[10.0], [-21.0], [0.0]]


def test_the_penalty_is_the_mean_squared_distance_of_the_lengths_from_one():
    linear = torch.nn.Linear(2, 2)
    last = torch.nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.zero_()
        last.weight.copy_(torch.tensor([[3.0, 4.0]]))
    discriminator = torch.nn.Sequential(linear, torch.nn.ReLU(), last)
    points = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])  # lengths 5, 3, 0
    assert gradient_penalty(discriminator, points).item() == pytest.approx((16 + 4 + 1) / 3)
