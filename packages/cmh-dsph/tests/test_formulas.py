"""The losses: by hand, beside loops over entries, at their edges; thresholds."""

import plain_dsph
import pytest
import torch
from cmh_dsph import proxy_loss, separation_loss, similarity_threshold, total_loss
from hypothesis import given, settings
from hypothesis import strategies as st


def test_proxy_loss_by_hand():
    """Cosines of two codes with two proxies: 1, 0.6 and 0, 0.8."""
    codes = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    proxies = torch.tensor([[5.0, 0.0], [0.6, 0.8]])
    label = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = proxy_loss(codes, proxies, label, 0.1)
    assert loss.item() == pytest.approx((0 + 0.2) / 2 + (0.5 + 0) / 2)


def test_separation_loss_by_hand():
    """Rows 0 and 1 have two labels each and share none; row 2 has one label and takes no part."""
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    label = torch.tensor([[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]])
    loss = separation_loss(image, text, label, 0.25)
    assert loss.item() == pytest.approx(0.75 + 0 + (0 + 0.75) / 2)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 7), st.sampled_from([0.1, 0.4, 1.0]), st.integers(0, 99))
def test_losses_are_those_of_the_loops(batch, n_label, share, seed):
    bits = 1 + seed % 6
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(batch, bits, generator=generator, dtype=torch.float64) for _ in range(2))
    image[0] = 0  # a code that has no direction
    proxies = torch.randn(n_label, bits, generator=generator, dtype=torch.float64)
    label = (torch.rand(batch, n_label, generator=generator) < share).double()
    plain = plain_dsph.proxy_loss(*(values.tolist() for values in (image, proxies, label)), 0.1)
    assert proxy_loss(image, proxies, label, 0.1).item() == pytest.approx(plain, rel=1e-10)
    plain = plain_dsph.separation_loss(*(values.tolist() for values in (image, text, label)), 0.1)
    assert separation_loss(image, text, label, 0.1).item() == pytest.approx(plain, rel=1e-10)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_means_over_nothing_are_0(fill):
    """No label at all, or no label that is lacking: the program divides by 0."""
    codes = torch.randn(4, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    label = torch.full((4, 3), fill)
    loss = proxy_loss(codes, torch.ones(3, 8), label, 0.0) + separation_loss(codes, codes, label, 0.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(codes.grad).all()


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    values = [
        torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)
    ]
    label = (torch.rand(5, 5, generator=generator) < 0.4).double()

    def total(image, text, proxies):
        losses = {
            "proxy_image": proxy_loss(image, proxies, label, 0.1),
            "proxy_text": proxy_loss(text, proxies, label, 0.1),
            "separation": separation_loss(image, text, label, 0.1),
        }
        return total_loss(losses)

    assert torch.autograd.gradcheck(total, values)


@pytest.mark.parametrize(
    ("bits", "n_label", "expected"),
    [
        (16, 10, 0.0),
        (16, 80, 0.25),
        (32, 80, 0.125),
        (64, 10, -0.03125),
        (64, 24, 0.0),
        (128, 200, 0.0),
        (37, 80, 0.125),  # as 32 bits
        (9, 2, -1.0),  # as 8 bits
        (512, 24, 0.0),  # as 128 bits
        (64, 1, -1.0),  # as two labels
        (64, 1000, 0.09375),  # as 256 labels
    ],
)
def test_thresholds(bits, n_label, expected):
    assert similarity_threshold(bits, n_label) == pytest.approx(expected)
