"""DCMH: its training steps and its codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
    PlainSGD,
    TrainingRows,
    TwoNetworkMethod,
    at_least_float32,
    full_precision,
    image_feature_width,
    linear_layers,
    zero_as_bit_0,
)

from cmh_dcmh._config import PRESETS, DCMHConfig
from cmh_dcmh._losses import step_losses, total_loss

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class DCMH(TwoNetworkMethod):
    """Deep cross-modal hashing, supervised.

    Half the inner product of an image's and a text's output is the log odds that they share a label. The last
    outputs of all training rows are kept; a step trains one net with the outputs of the other as they are,
    against all training rows at once. Outputs are drawn to common codes, the signs of both modalities' sums.

    An epoch trains one net, then the other; every step takes the first rows of a fresh permutation, so an
    epoch does not visit every row.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9, n_label=3)
        >>> method = DCMH(DCMHConfig(bits=16, text_widths=(8,)), spec)
        >>> method.encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: Jiang and Li, "Deep Cross-Modal Hashing", CVPR 2017, and the authors' programs where they differ.
    """

    config: DCMHConfig
    image_outputs: torch.Tensor  # F, (n_train, bits): what the nets gave when a row was last visited
    text_outputs: torch.Tensor  # G
    code_matrix: torch.Tensor  # B, (n_train, bits)
    text_centre: torch.Tensor  # (text_width,)
    _label: torch.Tensor | None

    def __init__(self, config: DCMHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width = image_feature_width(data_spec, "DCMH")
        self.image_net = linear_layers(image_width, config.image_widths, config.bits)
        self.text_net = linear_layers(data_spec.text_width, config.text_widths, config.bits)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=config.initial_deviation)
        first = torch.randn if config.variant == "port" else torch.zeros
        self.register_buffer("image_outputs", first(data_spec.n_train, config.bits))
        self.register_buffer("text_outputs", first(data_spec.n_train, config.bits))
        self.register_buffer("code_matrix", torch.sign(self.image_outputs + self.text_outputs))
        self.register_buffer("text_centre", torch.zeros(data_spec.text_width))
        self.register_buffer("_label", None, persistent=False)
        self._steps = self._steps_for(min(config.batch_size, data_spec.n_train))
        self._step = 0
        self._optimisers = {
            modality: PlainSGD(
                network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
            )
            for modality, network in (("image", self.image_net), ("text", self.text_net))
        }

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers of both nets, `image` and `text`."""
        return self._optimisers

    def begin_training(self, rows: TrainingRows) -> None:
        """Keep the labels, which every step compares with, and measure the texts' centre.

        Args:
            rows: the training rows on the method's device; `label` is `(n_train, n_label)`.
        """
        self._label = rows.label
        if self.config.centre_texts and bool(rows.text_present.any()):
            dtype = self.text_centre.dtype
            self.text_centre.copy_(rows.text[rows.text_present].to(dtype).mean(dim=0))

    def draw_batches(
        self, n_train: int, batch_size: int, generator: torch.Generator
    ) -> Sequence[torch.Tensor]:
        """Draw a fresh permutation for every step: those of the net that is first, then those of the other.

        Args:
            n_train: number of training rows.
            batch_size: rows in a step.
            generator: on the CPU.

        Returns:
            The rows of each step, `(batch_size,)` int64.
        """
        self._steps = self._steps_for(batch_size)
        return [torch.randperm(n_train, generator=generator)[:batch_size] for _ in range(2 * self._steps)]

    def _steps_for(self, batch_size: int) -> int:
        """How many steps each net takes in an epoch."""
        n_train = self.data_spec.n_train
        return n_train // batch_size if self.config.variant == "port" else -(-n_train // batch_size)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate and, in variant `matlab`, the codes.

        Args:
            epoch: counted from 0; from the last of `config.epochs` on the rate stays.
        """
        self._step = 0
        for optimiser in self._optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.config, epoch)
        if self.config.variant == "matlab":
            self._set_codes()

    def end_epoch(self, epoch: int) -> None:  # noqa: ARG002 - of the contract
        """Set the codes in variant `port`.

        Args:
            epoch: counted from 0.
        """
        if self.config.variant == "port":
            self._set_codes()

    def _set_codes(self) -> None:
        torch.sign(self.image_outputs + self.text_outputs, out=self.code_matrix)

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of the net whose turn it is.

        Args:
            batch: images `(batch, d_image)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            The unweighted losses of `step_losses` and their weighted sum `total`: detached scalars, `()` of
            the weights' dtype.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert self._label is not None, "begin_training was not called"
        assert batch.label is not None
        first: Modality = "image" if self.config.variant == "port" else "text"
        second: Modality = "text" if self.config.variant == "port" else "image"
        modality = first if self._step < self._steps else second
        self._step += 1
        self._optimisers[modality].zero_grad()
        if modality == "image":
            own, others = self.image_outputs, self.text_outputs
            outputs = self.image_net(self._image_input(batch.image))
        else:
            own, others = self.text_outputs, self.image_outputs
            outputs = self.text_net(self._text_input(batch.text))
        outputs = at_least_float32(outputs)
        own.index_copy_(0, batch.index, outputs.detach().to(own.dtype))
        with full_precision(outputs):
            losses = step_losses(
                outputs,
                others,
                self.code_matrix[batch.index],
                own.sum(dim=0) + (outputs - outputs.detach()).sum(dim=0),  # adds nothing but the gradient
                (self._label @ batch.label.T > 0).to(outputs.dtype),
            )
            total = total_loss(
                losses,
                quantisation_weight=self.config.quantisation_weight,
                balance_weight=self.config.balance_weight,
            )
        torch.autograd.backward(total)
        self._optimisers[modality].step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _text_input(self, text: torch.Tensor) -> torch.Tensor:
        return text - self.text_centre

    def _code(self, output: torch.Tensor) -> torch.Tensor:
        """An output of exactly 0 becomes bit 0, as in the authors' programs."""
        return zero_as_bit_0(output)


def learning_rate(config: DCMHConfig, epoch: int) -> float:
    """Return the learning rate of an epoch: falling by equal factors, or on a line in variant `port`.

    Args:
        config: the options.
        epoch: counted from 0.

    Returns:
        The rate; the last one is reached in the last epoch, in variant `port` after it.

    Example:
        >>> config = DCMHConfig(epochs=3, learning_rate=0.1, last_learning_rate=0.001)
        >>> [round(learning_rate(config, epoch), 6) for epoch in range(3)]
        [0.1, 0.01, 0.001]
    """
    first, last = config.learning_rate, config.last_learning_rate
    if config.variant == "port":  # one point more than epochs
        return first + (last - first) * min(epoch / config.epochs, 1.0)
    share = min(epoch / max(config.epochs - 1, 1), 1.0)
    return math.exp(math.log(first) + (math.log(last) - math.log(first)) * share)


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return DCMH(cast("DCMHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="dcmh",
    title="DCMH: deep cross-modal hashing (Jiang and Li, CVPR 2017)",
    config_type=DCMHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    fine_tuned="CNN-F",
)
