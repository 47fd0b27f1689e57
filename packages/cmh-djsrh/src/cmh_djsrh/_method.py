"""DJSRH: its training step."""

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
    full_precision,
    image_feature_width,
    linear_layers,
)

from cmh_djsrh._config import PRESETS, DJSRHConfig
from cmh_djsrh._losses import similarity_losses, total_loss
from cmh_djsrh._similarity import joint_similarity, joint_similarity_of_present

if TYPE_CHECKING:
    from collections.abc import Mapping


class DJSRH(SharpenedMethod):
    """Deep joint-semantics reconstructing hashing, unsupervised.

    Every batch gets a target similarity from its images and texts together, and how samples stand to the
    whole batch adds to it. Cosines of the codes, inside and across modalities, follow the target.

    The paper fine-tunes AlexNet; here images are frozen features, and a linear layer makes their codes.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9)
        >>> DJSRH(DJSRHConfig(bits=16, text_widths=(8,)), spec).encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: Su, Zhong, Zhang, "Deep Joint-Semantics Reconstructing Hashing for Large-Scale Unsupervised
    Cross-Modal Retrieval", ICCV 2019, and the authors' program.
    """

    drop_last: ClassVar[bool] = True
    config: DJSRHConfig

    def __init__(self, config: DJSRHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width = image_feature_width(data_spec, "DJSRH")
        self.image_net = linear_layers(image_width, config.image_widths, config.bits)
        self.text_net = linear_layers(data_spec.text_width, config.text_widths, config.bits)
        self._optimiser = PlainSGD(
            [
                {"params": list(self.image_net.parameters()), "lr": config.image_learning_rate},
                {"params": list(self.text_net.parameters()), "lr": config.text_learning_rate},
            ],
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the one optimiser, of both networks."""
        return {"networks": self._optimiser}

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of both networks.

        Args:
            batch: `image` is `(batch, d_image)`, `text` `(batch, text_width)`.

        Returns:
            The unweighted losses of `similarity_losses` and their weighted sum `total`: detached scalars,
            `()` of the weights' dtype.

        Raises:
            ValueError: the features have another width than the method was built for.
        """
        self._check_batch(batch)
        self._optimiser.zero_grad()  # first, so that gradients and activations need no memory at once
        image = self._image_input(batch.image)
        image_codes, text_codes = self._code(self.image_net(image)), self._code(self.text_net(batch.text))
        with full_precision(image):
            target, known = self._target(image, batch)
            losses = similarity_losses(
                image_codes,
                text_codes,
                target,
                known=known,
                image_present=batch.has_image,
                text_present=batch.has_text,
            )
            total = total_loss(
                losses,
                intra_image_weight=self.config.intra_image_weight,
                intra_text_weight=self.config.intra_text_weight,
            )
        torch.autograd.backward(total)
        self._optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _target(self, image: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """S and, where missing samples are left out, which of its entries are known."""
        config = self.config
        options: dict[str, Any] = {
            "image_share": config.image_share,
            "joint_share": config.joint_share,
            "scale": config.scale,
        }
        if config.missing == "left-out":
            return joint_similarity_of_present(image, batch.text, batch.has_image, batch.has_text, **options)
        return joint_similarity(image, batch.text, **options), None


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return DJSRH(cast("DJSRHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="djsrh",
    title="DJSRH: deep joint-semantics reconstructing hashing (Su, Zhong, Zhang, ICCV 2019)",
    config_type=DJSRHConfig,
    build=_build,
    supervised=False,
    presets=PRESETS,
    fine_tuned="AlexNet",
)
