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
    by_sample: bool = False,
) -> dict[str, torch.Tensor]:
    """How far the codes' cosines are from the target, as unweighted named losses.

    Args:
        image_codes: `(batch, bits)`.
        text_codes: `(batch, bits)`.
        target: S, `(batch, batch)`; symmetric in variant umml2022.
        variant: "umml2022" counts the cross-modal term for both directions and rewards partners for equal
            codes; "sigir2020" has one cross-modal term and nothing more.
        by_sample: keep what each sample adds: its row of the matrices inside a modality; half of its row and
            half of its column, its image and its text as the anchor, of the cross-modal one.

    Returns:
        `intra_image`, `intra_text`, `cross` and, in variant umml2022, `pair`: minus the mean cosine of
        partners. Scalars; by sample `(batch,)`.
    """
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)
    if by_sample:
        losses = {
            "intra_image": _row_shares(image @ image.T - target),
            "intra_text": _row_shares(text @ text.T - target),
            "cross": (_row_shares(image @ text.T - target) + _row_shares(text @ image.T - target.T)) / 2,
        }
    else:
        losses = {
            "intra_image": mse_loss(image @ image.T, target),
            "intra_text": mse_loss(text @ text.T, target),
            "cross": mse_loss(image @ text.T, target),
        }
    if variant == "umml2022":
        losses["cross"] = 2 * losses["cross"]  # target symmetric: the transposed term is equal
        cosines = (image * text).sum(dim=1)
        losses["pair"] = -cosines / len(cosines) if by_sample else -cosines.mean()
    return losses


def _row_shares(errors: torch.Tensor) -> torch.Tensor:
    """What each row adds to the mean of the squares, `(batch,)`."""
    return errors.square().sum(dim=1) / errors.numel()


def total_loss(losses: dict[str, torch.Tensor], *, intra_weight: float = 0.1) -> torch.Tensor:
    """Weighted sum of the losses of `similarity_losses`."""
    total = intra_weight * (losses["intra_image"] + losses["intra_text"]) + losses["cross"]
    return total + losses["pair"] if "pair" in losses else total
