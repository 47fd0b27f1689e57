"""JDSH: its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    FastLinear,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    PlainSGD,
    SharpenedMethod,
    SparseInputLinear,
    at_least_float32,
    full_precision,
    linear_layers,
)

from cmh_jdsh._config import PRESETS, JDSHConfig
from cmh_jdsh._dsdw import SimilarityDistribution, sharpen
from cmh_jdsh._losses import similarity_losses, total_loss
from cmh_jdsh._networks import backbones
from cmh_jdsh._pixels import FEATURE_WIDTH, centre_crops, training_crops
from cmh_jdsh._similarity import joint_similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cmh_jdsh._dsdw import Sharpening


class JDSH(SharpenedMethod):
    """Joint-modal distribution-based similarity hashing, unsupervised.

    Every batch gets a target similarity from its images and texts together; sure pairs are sharpened (DSDW).
    Cosines of the codes, inside and across modalities, follow the target. Images pass a frozen AlexNet and
    one linear layer, or the linear layer alone where features are given; texts pass a net with one hidden
    layer.

    Args:
        config: the options.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Raises:
        ValueError: if images are pixels and AlexNet's weights are missing, or an option does not fit pixels.

    Source: Liu, Qian, Guan, Zhan, Shao, "Joint-modal Distribution-based Similarity Hashing for Large-scale
    Unsupervised Deep Cross-modal Retrieval", SIGIR 2020, and the authors' program where the paper is silent.

    Example:
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3)
        >>> method = JDSH(JDSHConfig(bits=16, text_widths=(8,)), spec).eval()
        >>> method.encode("text", torch.ones(5, 3)).shape
        torch.Size([5, 16])
    """

    drop_last: ClassVar[bool] = True
    config: JDSHConfig

    def __init__(self, config: JDSHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        self.backbone, self.target_backbone = backbones(config, data_spec)
        width = data_spec.image_shape[0] if self.backbone is None else FEATURE_WIDTH
        self.image_net = FastLinear(width, config.bits)
        self.text_net = linear_layers(
            data_spec.text_width,
            config.text_widths,
            config.bits,
            first_layer=SparseInputLinear,
        )
        self.distribution = None
        if config.dsdw == "estimate":
            left_weight, right_weight = config.estimated_weights
            self.distribution = SimilarityDistribution(
                _largest_similarity(config), left_weight=left_weight, right_weight=right_weight
            )
        self._sharpening: Sharpening | None = None  # None: the distribution is still being collected
        if config.dsdw != "estimate":
            self._sharpening = config.dsdw.sharpening()
        self._optimisers = self._make_optimisers()

    def _make_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        config = self.config
        image_parameters = list(self.image_net.parameters())
        if self.backbone is not None and config.variant == "sigir2020":
            image_parameters += self.backbone.parameters()
        groups = {
            "image": (image_parameters, config.image_learning_rate),
            "text": (list(self.text_net.parameters()), config.text_learning_rate),
        }
        return {
            name: PlainSGD(
                parameters, lr=rate, momentum=config.momentum, weight_decay=config.weight_decay, fused=True
            )
            for name, (parameters, rate) in groups.items()
        }

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers `image` and `text`."""
        return self._optimisers

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; a backbone that makes targets never has it.

        Args:
            mode: True for training.

        Returns:
            The method itself.
        """
        super().train(mode)
        if self.target_backbone is not None:
            self.target_backbone.eval()
        return self

    def begin_epoch(self, epoch: int) -> None:
        """Sharpen the codes' tanh; with `dsdw="estimate"`, collect similarities during epoch 0.

        Args:
            epoch: counted from 0.
        """
        super().begin_epoch(epoch)
        if self.distribution is None:
            return
        if epoch == 0:
            self.distribution.clear()
        self._sharpening = self.distribution.sharpening() if epoch else None

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of both networks.

        Args:
            batch: images `(batch, *image_shape)` and texts `(batch, text_width)`; labels are not used.

        Returns:
            The unweighted losses `intra_image`, `intra_text`, `cross` and, in variant umml2022, `pair`,
            and their weighted sum `total`; `()` floating point.

        Raises:
            ValueError: for inputs of another shape than the method was built for.
        """
        self._check_batch(batch)
        image_feature, target_feature = self._training_features(batch.image, training_crops)
        image = self._code(self.image_net(image_feature))
        text = self._code(self.text_net(batch.text))
        with full_precision(batch.image):
            similarity = self._joint_similarity(at_least_float32(target_feature), batch.text)
            if self._sharpening is None:
                assert self.distribution is not None
                self.distribution.add(similarity, batch.image_present & batch.text_present)
            target = self._target(similarity)
            losses = similarity_losses(image, text, target, variant=self.config.variant)
            total = total_loss(losses, intra_weight=self.config.intra_weight)
        for optimiser in self._optimisers.values():
            optimiser.zero_grad()
        torch.autograd.backward(total)
        for optimiser in self._optimisers.values():
            optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def sample_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what each sample adds to the loss, weighted; pixels are cut in the middle.

        Args:
            batch: images `(batch, *image_shape)` and texts `(batch, text_width)`; labels are not used.

        Returns:
            `(batch,)` floating point for each loss that `update` names, but `total`: its own row of the
            similarities inside a modality, and its image and its text against all others across them.

        Raises:
            ValueError: for inputs of another shape than the method was built for.
        """
        self._check_batch(batch)
        image_feature, target_feature = self._training_features(batch.image, centre_crops)
        image = self._code(self.image_net(image_feature))
        text = self._code(self.text_net(batch.text))
        with full_precision(batch.image):
            target = self._target(self._joint_similarity(at_least_float32(target_feature), batch.text))
            parts = similarity_losses(image, text, target, variant=self.config.variant, by_sample=True)
        nothing = {name: torch.zeros_like(part) for name, part in parts.items()}
        weight = self.config.intra_weight
        return {name: total_loss(nothing | {name: part}, intra_weight=weight) for name, part in parts.items()}

    def _training_features(
        self, image: torch.Tensor, crop: Callable[[torch.Tensor], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make features for the codes and features for the target similarity."""
        if self.backbone is None:
            feature = super()._image_input(image)
            return feature, feature
        crops = crop(self._upright(image))
        if self.target_backbone is None:
            with torch.no_grad():
                feature = self.backbone(crops)
            return feature, feature
        with torch.no_grad():
            target_feature = self.target_backbone(crops)
        return self.backbone(crops), target_feature

    def _joint_similarity(self, image_feature: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return joint_similarity(
            image_feature,
            text,
            image_share=self.config.image_share,
            text_share=self.config.text_share,
            joint_share=self.config.joint_share,
            variant=self.config.variant,
        )

    @torch.no_grad()
    def _target(self, similarity: torch.Tensor) -> torch.Tensor:
        """S: the joint similarity, sharpened and scaled."""
        sharpening = self._sharpening
        if sharpening is None:
            assert self.distribution is not None
            sharpening = self.distribution.sharpening()
        if self.config.variant == "sigir2020":  # this batch's own extremes, and partners left alone
            sharpening = sharpening | {"minimum": similarity.min(), "maximum": similarity.diagonal().max()}
            sharpened = sharpen(similarity, **sharpening)
            sharpened.diagonal().copy_(similarity.diagonal())
        else:
            sharpened = sharpen(similarity, **sharpening)
        return self.config.scale * sharpened

    def _image_input(self, image: torch.Tensor) -> torch.Tensor:
        if self.backbone is None:
            return super()._image_input(image)
        features: torch.Tensor = self.backbone(centre_crops(self._upright(image)))
        return features

    def _upright(self, image: torch.Tensor) -> torch.Tensor:
        """Pixels `(batch, 3, height, width)`."""
        return image.transpose(2, 3) if self.config.pixel_axes == "width-height" else image


def _largest_similarity(config: JDSHConfig) -> float:
    """Affinities reach -3 where features have signs, their normalised product 1."""
    return 3 * (config.image_share + config.text_share) + config.joint_share


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return JDSH(cast("JDSHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="jdsh",
    title="JDSH: joint-modal distribution-based similarity hashing (Liu et al., SIGIR 2020)",
    config_type=JDSHConfig,
    build=_build,
    supervised=False,
    presets=PRESETS,
    sample_losses=True,
)
