"""The plain loop computes what the package computes."""

import plain_loop
import torch
from cmh_dadh._losses import triplet_losses, triplet_weights


def test_the_cube_of_triplets_is_the_sorted_sum():
    torch.manual_seed(0)
    codes, others = torch.tanh(torch.randn(2, 12, 8))
    label = torch.eye(4)[torch.arange(12) % 4]
    expected = plain_loop.cube_loss(codes, others, label)
    losses = triplet_losses(codes, others, *triplet_weights(label), plain_loop.MARGIN)
    torch.testing.assert_close(10 * 1.1 * 1.1 * losses[0], expected, rtol=1e-5, atol=0)
