"""The slope of a critic in closed form."""

from itertools import pairwise

import pytest
import torch
from cmh_train import input_gradient


@pytest.mark.parametrize("widths", [(3, 1), (5, 4, 1), (16, 8, 7, 1)])
def test_slope_and_its_gradient_are_those_of_autograd(widths):
    torch.manual_seed(0)
    layers = []
    for narrow, wide in pairwise(widths):
        layers += [torch.nn.Linear(narrow, wide), torch.nn.ReLU()]
    critic = torch.nn.Sequential(*layers[:-1]).double()
    points = torch.randn(5, widths[0]).double()
    weights = [layer.weight for layer in critic[::2]]
    ours = input_gradient(critic, points)
    points.requires_grad_()
    (theirs,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    ours, theirs = (torch.autograd.grad(slope.square().sum(), weights) for slope in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


def test_a_unit_that_is_off_does_not_count():
    critic = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    critic.load_state_dict(
        {
            "0.weight": torch.tensor([[2.0], [-3.0]]),
            "0.bias": torch.zeros(2),
            "2.weight": torch.tensor([[5.0, 7.0]]),
            "2.bias": torch.zeros(1),
        }
    )
    slope = input_gradient(critic, torch.tensor([[1.0], [-1.0], [0.0]]))
    assert slope.tolist() == [[10.0], [-21.0], [0.0]]
