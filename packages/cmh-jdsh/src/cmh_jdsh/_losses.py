"""The losses of JDSH: cosines of codes against the target similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import mse_loss, normalize

if TYPE_CHECKING:
    import torch

    from cmh_jdsh._similarity import Variant


def similarity_losses(
    image_codes: torch.Tensor,
    text_codes: torch.Tensor,
    target: torch.Tensor,
    *,
    variant: Variant = "umml2022",
) -> dict[str, torch.Tensor]:
    """How far the codes' cosines are from the target, as unweighted named losses.

    Args:
        image_codes: `(batch, bits)`.
        text_codes: `(batch, bits)`.
        target: S, `(batch, batch)`; symmetric in variant umml2022.
        variant: "umml2022" counts the cross-modal term for both directions and rewards partners for equal
            codes; "sigir2020" has one cross-modal term and nothing more.

    Returns:
        `intra_image`, `intra_text`, `cross` and, in variant umml2022, `pair`: minus the mean cosine of
        partners.
    """
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)
    losses = {
        "intra_image": mse_loss(image @ image.T, target),
        "intra_text": mse_loss(text @ text.T, target),
        "cross": mse_loss(image @ text.T, target),
    }
    if variant == "umml2022":
        losses["cross"] = 2 * losses["cross"]  # target symmetric: the transposed term is equal
        losses["pair"] = -(image * text).sum(dim=1).mean()
    return losses


def total_loss(losses: dict[str, torch.Tensor], *, intra_weight: float = 0.1) -> torch.Tensor:
    """Weighted sum of the losses of `similarity_losses`."""
    total = intra_weight * (losses["intra_image"] + losses["intra_text"]) + losses["cross"]
    return total + losses["pair"] if "pair" in losses else total
