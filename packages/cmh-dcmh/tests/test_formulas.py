"""The losses: by hand, beside loops over entries, and their gradients."""

import math

import plain_dcmh
import pytest
import torch
from cmh_dcmh import step_losses, total_loss
from hypothesis import example, given, settings
from hypothesis import strategies as st


def test_losses_by_hand():
    """Two rows in training, the first in the batch; inner products 2 and -4."""
    losses = step_losses(
        outputs=torch.tensor([[1.0, 1.0]]),
        others=torch.tensor([[2.0, 0.0], [-2.0, -2.0]]),
        codes=torch.tensor([[1.0, -1.0]]),
        column_sums=torch.tensor([3.0, -1.0]),
        similar=torch.tensor([[1.0], [0.0]]),
    )
    likelihood = (math.log(1 + math.exp(1)) - 1) + math.log(1 + math.exp(-2))
    assert losses["likelihood"].item() == pytest.approx(likelihood / 2)
    assert losses["quantisation"].item() == 4 / 2
    assert losses["balance"].item() == 10 / 2
    total = total_loss(losses, quantisation_weight=3.0, balance_weight=0.5)
    assert total.item() == pytest.approx(likelihood / 2 + 3 * 2 + 0.5 * 5)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 6), st.integers(0, 99))
@example(1, 1, 1, 55)  # log odds of 27 and similar: nearly nothing is left
def test_losses_are_those_of_the_loops(n, batch, bits, seed):
    generator = torch.Generator().manual_seed(seed)
    outputs, others = (
        5 * torch.randn(rows, bits, generator=generator, dtype=torch.float64) for rows in (batch, n)
    )
    codes = torch.randint(-1, 2, (batch, bits), generator=generator).double()
    similar = torch.randint(2, (n, batch), generator=generator).double()
    sums = outputs.sum(dim=0)
    ours = step_losses(outputs, others, codes, sums, similar)
    plain = plain_dcmh.step_losses(*(value.tolist() for value in (outputs, others, codes, sums, similar)))
    assert {name: value.item() for name, value in ours.items()} == pytest.approx(plain, rel=1e-10)


def test_large_outputs_do_not_overflow():
    """The program's own log(1 + exp) would, from 89 in float32 on."""
    outputs = torch.full((1, 1), 1e3)
    losses = step_losses(outputs, outputs, torch.ones(1, 1), outputs[0], torch.zeros(1, 1))
    assert losses["likelihood"].item() == pytest.approx(5e5)


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    others = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    outputs = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    codes, similar = torch.sign(others[:3]), torch.ones(5, 3, dtype=torch.float64)

    def total(outputs):
        return total_loss(step_losses(outputs, others, codes, outputs.sum(dim=0) + 1, similar))

    assert torch.autograd.gradcheck(total, outputs)
