"""CFRH, reconstructed: its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    PlainSGD,
    SharpenedMethod,
    at_least_float32,
    full_precision,
    image_feature_width,
    linear_layers,
)
from torch.nn.functional import normalize

from cmh_cfrh._config import PRESETS, CFRHConfig
from cmh_cfrh._losses import reconstruction_loss, similarity_losses, total_loss
from cmh_cfrh._similarity import joint_similarity, joint_similarity_of_present

if TYPE_CHECKING:
    from collections.abc import Mapping


class CFRH(SharpenedMethod):
    """A reconstruction of CLIP-based fusion-modal reconstructing hashing, unsupervised.

    The authors released neither the training program nor the networks, so this is not "CFRH of the paper":
    it follows the abstract, the figure, the released shell and the authors' other programs.

    Every batch gets a fused affinity from its images and texts together. Cosines of the codes, inside and
    across modalities, follow it, and a decoder of each modality finds the features again in the codes.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9)
        >>> method = CFRH(CFRHConfig(bits=16, image_widths=(8,), text_widths=(8,)), spec)
        >>> method.encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: after Li, Li, Ge, Ma, "CLIP-based fusion-modal reconstructing hashing for large-scale unsupervised
    cross-modal retrieval", International Journal of Multimedia Information Retrieval 12(1):2, 2023.
    """

    drop_last: ClassVar[bool] = True
    config: CFRHConfig

    def __init__(self, config: CFRHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width, text_width = image_feature_width(data_spec, "CFRH"), data_spec.text_width
        self.image_net = linear_layers(image_width, config.image_widths, config.bits)
        self.text_net = linear_layers(text_width, config.text_widths, config.bits)
        self.image_decoder = linear_layers(config.bits, config.decoder_widths, image_width)
        self.text_decoder = linear_layers(config.bits, config.decoder_widths, text_width)
        self._optimiser = PlainSGD(
            self.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the one optimiser, of all networks."""
        return {"networks": self._optimiser}

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of all networks.

        Args:
            batch: `image` is `(batch, d_image)`, `text` `(batch, text_width)`.

        Returns:
            The unweighted losses of `similarity_losses`, `reconstruction_image`, `reconstruction_text` and
            their weighted sum `total`: detached scalars, `()` of the weights' dtype.

        Raises:
            ValueError: the features have another width than the method was built for.
        """
        self._check_batch(batch)
        self._optimiser.zero_grad()  # first, so that gradients and activations need no memory at once
        config = self.config
        image = self._image_input(batch.image)
        image_codes = self._code(self.image_net(image))
        text_codes = self._code(self.text_net(batch.text))
        decoded_image = at_least_float32(self.image_decoder(image_codes))
        decoded_text = at_least_float32(self.text_decoder(text_codes))
        with full_precision(image):
            target, known = self._target(image, batch)
            left_out = known is not None
            losses = similarity_losses(
                image_codes,
                text_codes,
                target,
                known=known,
                image_present=batch.has_image,
                text_present=batch.has_text,
            )
            losses["reconstruction_image"] = reconstruction_loss(
                decoded_image, self._decoder_target(image), batch.has_image if left_out else None
            )
            losses["reconstruction_text"] = reconstruction_loss(
                decoded_text, self._decoder_target(batch.text), batch.has_text if left_out else None
            )
            total = total_loss(
                losses,
                intra_weight=config.intra_weight,
                cross_weight=config.cross_weight,
                pair_weight=config.pair_weight,
                reconstruction_weight=config.reconstruction_weight,
            )
        torch.autograd.backward(total)
        self._optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _target(self, image: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """S and, where missing samples are left out, which of its entries are known."""
        config = self.config
        options: dict[str, Any] = {
            "image_share": config.image_share,
            "text_share": config.text_share,
            "joint_share": config.joint_share,
            "scale": config.scale,
            "text_similarity": config.text_similarity,
            "second_order": config.second_order,
        }
        if config.missing == "left-out":
            return joint_similarity_of_present(image, batch.text, batch.has_image, batch.has_text, **options)
        return joint_similarity(image, batch.text, **options), None

    def _decoder_target(self, features: torch.Tensor) -> torch.Tensor:
        return normalize(features, dim=1) if self.config.reconstruction_target == "normalised" else features


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return CFRH(cast("CFRHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="cfrh",
    title="CFRH, reconstructed: CLIP-based fusion-modal reconstructing hashing (after Li et al., IJMIR 2023)",
    config_type=CFRHConfig,
    build=_build,
    supervised=False,
    presets=PRESETS,
)
