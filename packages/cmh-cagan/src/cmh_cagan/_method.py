"""CAGAN: its training step and its codes."""

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
    SparseInputLinear,
    TrainingRows,
    full_precision,
    image_feature_width,
    linear_layers,
)

from cmh_cagan._config import PRESETS, CAGANConfig
from cmh_cagan._losses import similarity_losses, total_loss
from cmh_cagan._networks import GraphNetwork
from cmh_cagan._products import hash_rows
from cmh_cagan._similarity import joint_similarity, joint_similarity_of_present

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGE_BATCH = 256
"""From so many samples on gradients are freed one by one, which in a small batch would take longer."""


class CAGAN(SharpenedMethod):
    """Adaptive graph attention hashing, unsupervised.

    Every batch gets a target similarity from its images and texts together, and is a graph with that
    similarity plus a learned matrix as adjacency. Cosines of the codes, and of codes that graph networks give
    the samples in training, follow the target.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> spec = DataSpec(n_train=100, image_shape=(12,), text_width=9)
        >>> method = CAGAN(CAGANConfig(bits=16, image_widths=(8,), text_widths=(8,)), spec)
        >>> method.encode("text", torch.ones(3, 9)).shape
        torch.Size([3, 16])

    Source: "Adaptive Graph Attention Hashing for Unsupervised Cross-Modal Retrieval via Multimodal
    Transformers", APWeb-WAIM 2023; "CLIP-Based Adaptive Graph Attention Network for Large-Scale Unsupervised
    Multi-Modal Hashing Retrieval", Sensors 23(7):3439, 2023; and the authors' program where they differ.
    """

    drop_last: ClassVar[bool] = True
    config: CAGANConfig

    def __init__(self, config: CAGANConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        image_width, text_width = image_feature_width(data_spec, "CAGAN"), data_spec.text_width
        # The learned adjacency has a place for every sample of a batch, and fit gives no larger batches.
        self.training_batch_size = min(config.batch_size, data_spec.n_train)
        self.image_net = linear_layers(image_width, config.image_widths, config.bits)
        self.text_net = linear_layers(
            text_width, config.text_widths, config.bits, first_layer=SparseInputLinear
        )
        self.image_graph = self._graph_network(image_width)
        self.text_graph = self._graph_network(text_width)
        self.text_similarity = config.text_similarity or "binary"
        self._optimiser = PlainSGD(
            self.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def _graph_network(self, input_width: int) -> GraphNetwork:
        return GraphNetwork(
            input_width,
            self.config.graph_widths,
            self.config.bits,
            batch_size=cast("int", self.training_batch_size),
            attention=self.config.attention,
            attention_weight=self.config.attention_weight,
        )

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the one optimiser, of all networks."""
        return {"networks": self._optimiser}

    def begin_training(self, rows: TrainingRows) -> None:
        """Compare texts by cosines where they have negative entries and nothing else was asked for.

        Args:
            rows: the training rows on the method's device.
        """
        if self.config.text_similarity is None:
            self.text_similarity = "cosine" if bool((rows.text < 0).any()) else "binary"

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of all networks.

        Args:
            batch: as many samples as the method was built for, or fewer, which take the first places.

        Returns:
            The unweighted losses of `similarity_losses` and their weighted sum `total`: detached scalars,
            `()` of the weights' dtype.

        Raises:
            ValueError: the features have another width, or the batch another size, than the method was built
                for.
        """
        self._check_batch(batch)
        self._optimiser.zero_grad()  # first, so that gradients and activations need no memory at once
        places = len(self.image_graph.learned_adjacency)
        if len(batch.index) > places:
            raise ValueError(
                f"batch must have at most {places} samples, for which the learned adjacency has places, "
                f"but it has {len(batch.index)}; build the method with that batch_size"
            )
        image = self._image_input(batch.image)
        with full_precision(image):
            target, known = self._target(image, batch)
        left_out = known is not None
        image_codes = self._code(hash_rows(self.image_net, image))
        text_codes = self._code(hash_rows(self.text_net, batch.text))
        image_graph_codes = self._code(self.image_graph(image, target, batch.has_image if left_out else None))
        text_graph_codes = self._code(
            self.text_graph(batch.text, target, batch.has_text if left_out else None)
        )
        with full_precision(image):
            losses = similarity_losses(
                image_codes,
                text_codes,
                image_graph_codes,
                text_graph_codes,
                target,
                text_graph_code=self.config.text_graph_code,
                known=known,
                image_present=batch.has_image,
                text_present=batch.has_text,
            )
            total = total_loss(
                losses,
                intra_weight=self.config.intra_weight,
                cross_weight=self.config.cross_weight,
                graph_weight=self.config.graph_weight,
            )
        del target, known
        if len(batch.index) < _LARGE_BATCH:
            torch.autograd.backward(total)
            self._optimiser.step()
        else:
            self._optimiser.step_down(total)
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _target(self, image: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """S and, where missing samples are left out, which of its entries are known."""
        config = self.config
        options: dict[str, Any] = {
            "image_share": config.image_share,
            "text_share": config.text_share,
            "joint_share": config.joint_share,
            "scale": config.scale,
            "text_similarity": self.text_similarity,
            "similarity_enhancement": config.similarity_enhancement,
        }
        if config.missing == "left-out":
            return joint_similarity_of_present(image, batch.text, batch.has_image, batch.has_text, **options)
        return joint_similarity(image, batch.text, **options), None


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return CAGAN(cast("CAGANConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="cagan",
    title="CAGAN: adaptive graph attention hashing (APWeb-WAIM 2023; Sensors 2023)",
    config_type=CAGANConfig,
    build=_build,
    supervised=False,
    presets=PRESETS,
    aliases=("agah-2023",),
)
