"""DSPH: its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from cmh_train import (
    Batch,
    BertAdam,
    DataSpec,
    FastLinear,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    PlainAdamW,
    PlainSGD,
    TwoNetworkMethod,
    full_precision,
    image_feature_width,
)

from cmh_dsph._config import PRESETS, DSPHConfig
from cmh_dsph._losses import proxy_loss, separation_loss, total_loss
from cmh_dsph._threshold import similarity_threshold

if TYPE_CHECKING:
    from collections.abc import Mapping


class DSPH(TwoNetworkMethod):
    """Deep semantic-aware proxy hashing, supervised.

    Every label has a proxy, a vector that learns with the codes: codes of images and of texts are pulled to
    the proxies of their labels and pushed off the others. Codes of samples with several labels are pushed off
    those that share none.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9, n_label=3)
        >>> DSPH(DSPHConfig(bits=16), spec).encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: Huo, Qin, Dai, Wang, Zhang, Huang, "Deep Semantic-aware Proxy Hashing for Multi-label Cross-modal
    Retrieval", TCSVT 2024, and the authors' program where they differ.
    """

    config: DSPHConfig

    def __init__(self, config: DSPHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        self.image_net = self._hash_layer(image_feature_width(data_spec, "DSPH"))
        self.text_net = self._hash_layer(data_spec.text_width)
        self.proxies = torch.nn.Parameter(torch.empty(data_spec.n_label, config.bits))
        torch.nn.init.kaiming_normal_(self.proxies, mode="fan_out")
        self.threshold = (
            similarity_threshold(config.bits, data_spec.n_label)
            if config.threshold is None
            else config.threshold
        )
        self._optimisers = {
            "hash_layers": self._hash_optimiser(),
            "proxies": PlainSGD(
                [self.proxies],
                lr=config.proxy_learning_rate,
                momentum=config.proxy_momentum,
                weight_decay=config.proxy_weight_decay,
            ),
        }

    def _hash_layer(self, input_width: int) -> torch.nn.Sequential:
        # Dropout comes after the layer: it sets bits to 0, not features.
        return torch.nn.Sequential(FastLinear(input_width, self.bits), torch.nn.Dropout(self.config.dropout))

    def _hash_optimiser(self) -> torch.optim.Optimizer:
        config, parameters = self.config, [*self.image_net.parameters(), *self.text_net.parameters()]
        if config.optimiser == "adamw":
            return PlainAdamW(
                parameters,
                lr=config.learning_rate,
                betas=(0.9, 0.98),
                eps=1e-6,
                weight_decay=config.weight_decay,
            )
        steps = -(-self.data_spec.n_train // min(config.batch_size, self.data_spec.n_train))
        return BertAdam(
            parameters,
            lr=config.learning_rate,
            n_step=config.epochs * steps,
            warm_up=config.warm_up,
            weight_decay=config.weight_decay,
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers of the hash layers and of the proxies."""
        return self._optimisers

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of the hash layers and of the proxies.

        Args:
            batch: images `(batch, d_image)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            `proxy_image, proxy_text, separation`, unweighted, and their weighted sum `total`: detached
            scalars, `()` of the weights' dtype.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        for optimiser in self._optimisers.values():
            optimiser.zero_grad()
        image_codes = self._code(self.image_net(self._image_input(batch.image)))
        text_codes = self._code(self.text_net(self._text_input(batch.text)))
        with full_precision(image_codes):
            losses = {
                "proxy_image": proxy_loss(image_codes, self.proxies, batch.label, self.threshold),
                "proxy_text": proxy_loss(text_codes, self.proxies, batch.label, self.threshold),
                "separation": separation_loss(image_codes, text_codes, batch.label, self.threshold),
            }
            total = total_loss(losses, separation_weight=self.config.separation_weight)
        torch.autograd.backward(total)
        for optimiser in self._optimisers.values():
            optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return DSPH(cast("DSPHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="dsph",
    title="DSPH: deep semantic-aware proxy hashing (Huo et al., TCSVT 2024)",
    config_type=DSPHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    fine_tuned="CLIP ViT-B/32",
)
