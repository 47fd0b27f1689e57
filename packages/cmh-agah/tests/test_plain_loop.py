"""The plain loop computes what the package computes."""

import plain_loop
import torch
from cmh_agah._losses import triplet_losses


def test_the_cube_of_triplets_is_the_sorted_sum():
    torch.manual_seed(0)
    image, text = torch.tanh(torch.randn(2, 12, 8))
    label = torch.eye(4)[torch.arange(12) % 4]
    losses = triplet_losses(image, text, label, margin=0.3)
    for name, pair in (("triplet_image_to_text", (image, text)), ("triplet_text_to_image", (text, image))):
        torch.testing.assert_close(
            losses[name], plain_loop.plain_triplets(*pair, label, 0.3), rtol=1e-5, atol=0
        )
