"""DCHMT: its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from cmh_train import (
    Batch,
    BertAdam,
    DataSpec,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    PlainAdamW,
    TwoNetworkMethod,
    at_least_float32,
    full_precision,
    image_feature_width,
    zero_as_bit_0,
)

from cmh_dchmt._config import PRESETS, DCHMTConfig
from cmh_dchmt._losses import distance_losses, total_loss
from cmh_dchmt._networks import SelectingHash

if TYPE_CHECKING:
    from collections.abc import Mapping


class DCHMT(TwoNetworkMethod):
    """Differentiable cross-modal hashing via multimodal transformers, supervised.

    For each bit a layer of its own chooses between 0 and 1 by a softmax, which is what the losses see: like
    samples are drawn together, others apart up to a margin, inside and across modalities.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9, n_label=3)
        >>> DCHMT(DCHMTConfig(bits=16), spec).encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: Tu, Wang, Liu, Chen, Qin, Liu, Li, "Differentiable Cross-modal Hashing via Multimodal
    Transformers", MM 2022, and the authors' program where they differ.
    """

    config: DCHMTConfig
    image_net: SelectingHash
    text_net: SelectingHash

    def __init__(self, config: DCHMTConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width = image_feature_width(data_spec, "DCHMT")
        self.image_net = SelectingHash(image_width, config.hidden_width, config.bits)
        self.text_net = SelectingHash(data_spec.text_width, config.hidden_width, config.bits)
        self._optimiser = self._make_optimiser()

    def _make_optimiser(self) -> torch.optim.Optimizer:
        config, networks = self.config, (self.image_net, self.text_net)
        layers = [parameter for network in networks for parameter in network.hidden.parameters()]
        choices = [parameter for net in networks for parameter in (net.choice_weight, net.choice_bias)]
        if config.optimiser == "adamw":
            return PlainAdamW(
                [*layers, *choices],
                lr=config.learning_rate,
                betas=(0.9, 0.98),
                eps=1e-6,
                weight_decay=config.weight_decay,
            )
        steps = -(-self.data_spec.n_train // min(config.batch_size, self.data_spec.n_train))
        groups: list[dict[str, Any]] = [{"params": layers}, {"params": choices, "stacked": True}]
        return BertAdam(
            groups,
            lr=config.learning_rate,
            n_step=config.epochs * steps,
            warm_up=config.warm_up,
            weight_decay=config.weight_decay,
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the one optimiser, of the layers of both modalities."""
        return {"hash_layers": self._optimiser}

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of the layers of both modalities.

        Args:
            batch: images `(batch, d_image)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            The losses of `distance_losses` and their sum `total`: detached scalars, `()` of the weights'
            dtype.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        self._optimiser.zero_grad()
        image_choices = at_least_float32(self.image_net(self._image_input(batch.image)))
        text_choices = at_least_float32(self.text_net(self._text_input(batch.text)))
        with full_precision(image_choices):
            similar = (batch.label @ batch.label.T > 0).to(image_choices.dtype)
            losses = distance_losses(
                image_choices, text_choices, similar, margin_share=self.config.margin_share
            )
            total = total_loss(losses)
        torch.autograd.backward(total)
        self._optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _code(self, output: torch.Tensor) -> torch.Tensor:
        """How much more a bit is 1 than 0; where both are equal it is 0, as in the authors' program."""
        choices = output.reshape(len(output), -1, 2)
        return zero_as_bit_0(choices[:, :, 1] - choices[:, :, 0])


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return DCHMT(cast("DCHMTConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="dchmt",
    title="DCHMT: differentiable cross-modal hashing via multimodal transformers (Tu et al., MM 2022)",
    config_type=DCHMTConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    fine_tuned="CLIP ViT-B/32",
)
