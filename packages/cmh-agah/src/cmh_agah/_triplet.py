"""The triplet losses of AGAH: unweighted sums over all triplets of a batch."""

from __future__ import annotations

import torch
from cmh_train import triplet_hinge_sum


def cosine_distances(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`max(0, 1 - cos)` of every row of one matrix with every row of the other.

    Args:
        left: `(n_left, bits)` floating point.
        right: `(n_right, bits)` floating point.

    Returns:
        `(n_left, n_right)`, in 0..2.
    """
    cosine = torch.nn.functional.normalize(left, dim=1) @ torch.nn.functional.normalize(right, dim=1).T
    return (1 - cosine).clamp_min(0)


def triplet_losses(
    code_image: torch.Tensor, code_text: torch.Tensor, label: torch.Tensor, *, margin: float = 0.3
) -> dict[str, torch.Tensor]:
    """The two triplet losses, anchored at the images' codes and at the texts' codes.

    Each is the sum of `max(0, d_ap - d_an + margin)` over all anchors a, positives p that share a label with
    a (its own partner among them) and negatives n that share none.

    Args:
        code_image: `(batch, bits)`.
        code_text: `(batch, bits)`.
        label: `(batch, n_label)` of zeros and ones.
        margin: how much farther than a positive a negative must be before the triplet costs nothing.

    Source: Gu et al., ICMR 2019, the loss of the hash codes; unweighted sum as in the authors' program.
    """
    distances = cosine_distances(code_image, code_text)  # (image, text)
    similar = label @ label.T > 0
    losses = triplet_hinge_sum(
        torch.stack((distances, distances.T)), similar.to(distances.dtype), ~similar, margin=margin
    )
    image_to_text, text_to_image = losses.unbind()
    return {"triplet_image_to_text": image_to_text, "triplet_text_to_image": text_to_image}
