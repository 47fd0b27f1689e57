"""UCCH: its training step, its memory and its codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    PlainAdam,
    TwoNetworkMethod,
    full_precision,
    image_feature_width,
    linear_layers,
)
from torch.nn.functional import normalize

from cmh_ucch._config import PRESETS, UCCHConfig
from cmh_ucch._losses import batch_contrast, memory_contrast, ranking_loss, total_loss

if TYPE_CHECKING:
    from collections.abc import Mapping


class UCCH(TwoNetworkMethod):
    """Unsupervised contrastive cross-modal hashing.

    A memory holds for every training sample what its image and its text said of it last. The codes of both
    are to find the sample's key, the signs of its memory, among the keys of thousands of others; and the
    partner's code among those of the batch.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9)
        >>> method = UCCH(UCCHConfig(bits=16, image_widths=(8,), text_widths=(8,)), spec)
        >>> method.encode("text", torch.ones(3, 9)).shape, method.memory.shape
        (torch.Size([3, 16]), torch.Size([100, 16]))

    Source: Hu, Zhu, Lin, Peng, Peng, "Unsupervised Contrastive Cross-Modal Hashing", IEEE TPAMI 45(3), 2023,
    and the authors' program where they differ.
    """

    drop_last: ClassVar[bool] = True
    config: UCCHConfig
    memory: torch.Tensor  # v, (n_train, bits)

    def __init__(self, config: UCCHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width = image_feature_width(data_spec, "UCCH")
        self.image_net = linear_layers(image_width, config.image_widths, config.bits)
        self.text_net = linear_layers(data_spec.text_width, config.text_widths, config.bits)
        # The program draws z from a normal distribution and takes the signs of 2 z - 1: 31% are positive.
        draws = torch.randn(data_spec.n_train, config.bits)
        self.register_buffer("memory", (2 * draws - 1).sign() / math.sqrt(config.bits))
        self._temperature = config.temperature
        if config.temperature_scaling == "bits":
            self._temperature *= math.sqrt(config.bits)
        self._warming_up = config.warmup_epochs > 0
        self._optimiser = PlainAdam(
            self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the one optimiser, of both networks."""
        return {"networks": self._optimiser}

    def begin_epoch(self, epoch: int) -> None:
        """Choose between the batch's keys and those of the memory.

        Args:
            epoch: counted from 0.
        """
        self._warming_up = epoch < self.config.warmup_epochs

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of both networks, and remember the codes before it.

        Args:
            batch: `image` is `(batch, d_image)`, `text` `(batch, text_width)`, `index` rows of the memory.

        Returns:
            The losses `contrast_image`, `contrast_text` and `ranking`, and their weighted sum `total`:
            detached scalars, `()` of the weights' dtype.

        Raises:
            ValueError: the features have another width than the method was built for.
        """
        self._check_batch(batch)
        self._optimiser.zero_grad()  # first, so that gradients and activations need no memory at once
        image_codes = self._code(self.image_net(self._image_input(batch.image)))  # h^x
        text_codes = self._code(self.text_net(batch.text))  # h^y
        with full_precision(image_codes):
            said = self._said(batch, image_codes.detach(), text_codes.detach())
            losses = self._losses(batch, image_codes, text_codes, said)
            total = total_loss(losses, contrast_weight=self.config.contrast_weight)
            self._remember(batch, said)
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.config.clip_norm)
        self._optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _said(self, batch: Batch, image_codes: torch.Tensor, text_codes: torch.Tensor) -> torch.Tensor:
        """What image and text say of their samples together: the sum of their codes."""
        if self.config.missing == "zero-filled":
            return image_codes + text_codes
        return image_codes * batch.has_image.unsqueeze(1) + text_codes * batch.has_text.unsqueeze(1)

    def _losses(
        self, batch: Batch, image_codes: torch.Tensor, text_codes: torch.Tensor, said: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        image_present = text_present = None
        if self.config.missing == "left-out":
            image_present, text_present = batch.has_image, batch.has_text
        if self._warming_up:
            anything = None if image_present is None else batch.has_image | batch.has_text
            contrasts = [
                batch_contrast(
                    codes, said, temperature=self._temperature, present=present, keys_present=anything
                )
                for codes, present in ((image_codes, image_present), (text_codes, text_present))
            ]
        else:
            negatives = self._draw_negatives(batch)
            contrasts = [
                memory_contrast(
                    codes,
                    self.memory,
                    batch.index,
                    negatives,
                    temperature=self._temperature,
                    present=present,
                )
                for codes, present in ((image_codes, image_present), (text_codes, text_present))
            ]
        ranking = ranking_loss(
            image_codes,
            text_codes,
            margin=self.config.margin,
            shift=self.config.shift,
            image_present=image_present,
            text_present=text_present,
        )
        return {"contrast_image": contrasts[0], "contrast_text": contrasts[1], "ranking": ranking}

    def _draw_negatives(self, batch: Batch) -> torch.Tensor:
        """Draw rows of the memory with replacement; a sample's own may be among them, as in the program."""
        shape = (len(batch.index), self.config.negatives)
        return torch.randint(len(self.memory), shape, device=batch.index.device)

    def _remember(self, batch: Batch, said: torch.Tensor) -> None:
        momentum = 0.0 if self._warming_up else self.config.memory_momentum
        old = self.memory[batch.index]
        new = momentum * old + (1 - momentum) * normalize(said, dim=1)
        if self.config.normalise_memory:
            new = normalize(new, dim=1)
        if self.config.missing == "left-out":
            anything = batch.has_image | batch.has_text
            new = torch.where(anything.unsqueeze(1), new, old)
        self.memory.index_copy_(0, batch.index, new)

    def _code(self, output: torch.Tensor) -> torch.Tensor:
        codes = super()._code(output)
        with full_precision(codes):
            return normalize(codes, dim=1)


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return UCCH(cast("UCCHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="ucch",
    title="UCCH: unsupervised contrastive cross-modal hashing (Hu et al., TPAMI 2023)",
    config_type=UCCHConfig,
    build=_build,
    supervised=False,
    presets=PRESETS,
)
