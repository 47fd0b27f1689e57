"""AGAH: its networks, its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    FastLinear,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
    TrainingRows,
    at_least_float32,
    full_precision,
)

from cmh_agah._adamax import Adamax
from cmh_agah._attention import attend, normalise_batch, normalise_rows
from cmh_agah._cnnf import CNNF, IMAGE_SIZE, read_cnnf_weights
from cmh_agah._config import PRESETS, AGAHConfig
from cmh_agah._losses import (
    classification_loss,
    cosine_quantisation_loss,
    discriminator_losses,
    label_code_loss,
    quantisation_loss,
    triplet_losses,
)
from cmh_agah._networks import discriminator_layers, relu_layers
from cmh_agah._updates import update_label_codes, update_label_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NORM_MOMENTUM = 0.1  # of the running mean of the batches' Frobenius norms, ours
_MODALITIES: tuple[Modality, ...] = ("image", "text")


class AGAH(HashingMethod):
    """Adversary guided asymmetric hashing.

    A trunk per modality maps samples to common features, which are trained against two discriminators.
    Features are mixed with a memory of one mean feature per label; a head per modality makes the code. Codes
    are drawn towards those of samples that share a label (triplets) and towards learned codes of the labels.

    Args:
        config: the options.
        data_spec: shapes of the data. Where images are pixels, `(3, 224, 224)`, the image trunk is CNN-F,
            fine-tuned.

    Raises:
        ValueError: if images are pixels of another size, or there are no weights for CNN-F.

    Source: Gu et al., "Adversary Guided Asymmetric Hashing for Cross-Modal Retrieval", ICMR 2019, and the
    authors' program where the paper is silent.

    Example:
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3, n_label=2)
        >>> method = AGAH(AGAHConfig(bits=16, text_widths=(8,)), spec).eval()
        >>> method.encode("text", torch.ones(5, 3)).shape
        torch.Size([5, 16])
    """

    config: AGAHConfig
    data_spec: DataSpec
    # State of the whole training set, in buffers of fixed shape.
    image_codes: torch.Tensor  # U, (n_train, bits)
    text_codes: torch.Tensor  # V
    image_features: torch.Tensor  # F_I, (n_train, feature_width)
    text_features: torch.Tensor  # F_T
    label_codes: torch.Tensor  # C, (n_label, bits)
    label_memory: torch.Tensor  # M, (n_label, feature_width)
    image_mean_square: torch.Tensor  # running mean of the squared norm of a row before normalisation
    text_mean_square: torch.Tensor
    n_step: torch.Tensor
    _label: torch.Tensor | None

    def __init__(self, config: AGAHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        if config.normalise == "batch":
            self.training_batch_size = config.batch_size  # codes are scaled for batches of this size
            if config.encode_norm == "batch":  # the authors encode in training's batch size, rows in order
                self.encode_batch_size = config.batch_size

        width = config.feature_width
        text_trunk = relu_layers((data_spec.text_width, *config.text_widths, width))
        self.trunk = torch.nn.ModuleDict({"image": _image_trunk(config, data_spec), "text": text_trunk})
        self.hash_head = torch.nn.ModuleDict({m: FastLinear(width, config.bits) for m in _MODALITIES})
        self.class_head = torch.nn.ModuleDict({m: FastLinear(width, data_spec.n_label) for m in _MODALITIES})
        self.discriminator = torch.nn.ModuleDict(
            {m: discriminator_layers(width, config.discriminator_widths) for m in _MODALITIES}
        )
        for modality in _MODALITIES:
            self.register_buffer(f"{modality}_codes", torch.zeros(data_spec.n_train, config.bits))
            self.register_buffer(f"{modality}_features", torch.zeros(data_spec.n_train, width))
            self.register_buffer(f"{modality}_mean_square", torch.ones(()))
        normal = torch.randn(data_spec.n_label, config.bits)
        self.register_buffer("label_codes", torch.where(normal < 0, -1.0, 1.0))
        self.register_buffer("label_memory", torch.randn(data_spec.n_label, width))
        self.register_buffer("n_step", torch.zeros(()))
        self.register_buffer("_label", None, persistent=False)
        self._optimisers = self._make_optimisers()

    def _make_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        config = self.config
        rest = [*self.trunk["text"].parameters(), *self.hash_head.parameters(), *self.class_head.parameters()]
        networks = Adamax(
            [
                {"params": list(self.trunk["image"].parameters()), "lr": config.image_learning_rate},
                {"params": rest, "lr": config.learning_rate},
            ],
            weight_decay=config.weight_decay,
        )
        discriminators = {
            f"discriminator_{modality}": Adamax(
                self.discriminator[modality].parameters(),
                lr=config.discriminator_learning_rate,
                betas=config.discriminator_betas,
                weight_decay=config.discriminator_weight_decay,
            )
            for modality in _MODALITIES
        }
        return {"networks": networks, **discriminators}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers `networks`, `discriminator_image` and `discriminator_text`."""
        return self._optimisers

    def begin_training(self, rows: TrainingRows) -> None:
        """Keep the labels for the updates after each epoch.

        Args:
            rows: the training set; labels are `(n_train, n_label)`.
        """
        self._label = rows.label

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of the text discriminator, the image discriminator and the networks, in this order.

        Args:
            batch: images `(batch, *image_shape)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            Of each discriminator the losses `discriminator_{text,image}` and `gradient_penalty_{text,image}`,
            of the networks `triplet_image_to_text, triplet_text_to_image, cosine_quantisation,
            classification, label_code, quantisation, adversarial`, all unweighted; and the networks' weighted
            sum `total`; each `()` floating point.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        feature, attended, code = {}, {}, {}
        for modality, sample in zip(_MODALITIES, (batch.image, batch.text), strict=True):
            trunk_feature = self._trunk_feature(modality, sample)
            with full_precision(trunk_feature):
                self._track_norm(modality, trunk_feature.detach())
                feature[modality] = self._normalise(trunk_feature)
                attended[modality] = self._attend(feature[modality])
                code[modality] = torch.tanh(self.hash_head[modality](attended[modality]))
            self.get_buffer(f"{modality}_features").index_copy_(0, batch.index, feature[modality].detach())
            self.get_buffer(f"{modality}_codes").index_copy_(0, batch.index, code[modality].detach())
        self.n_step += 1
        with full_precision(batch.label):
            return {
                **self._discriminator_step("text", feature),
                **self._discriminator_step("image", feature),
                **self._network_step(feature, attended, code, batch.label),
            }

    def _discriminator_step(
        self, modality: Modality, feature: Mapping[Modality, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        other: Modality = "image" if modality == "text" else "text"
        real, fake = feature[modality].detach(), feature[other].detach()
        discriminator = cast("torch.nn.Sequential", self.discriminator[modality])
        optimiser = self._optimisers[f"discriminator_{modality}"]
        loss, penalty = discriminator_losses(discriminator, real, fake, share=torch.rand_like(real))
        optimiser.zero_grad()
        torch.autograd.backward(loss + self.config.gradient_penalty_weight * penalty)
        optimiser.step()
        return {f"discriminator_{modality}": loss.detach(), f"gradient_penalty_{modality}": penalty.detach()}

    def _network_step(
        self,
        feature: Mapping[Modality, torch.Tensor],
        attended: Mapping[Modality, torch.Tensor],
        code: Mapping[Modality, torch.Tensor],
        label: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        self.discriminator.requires_grad_(False)  # no gradients for weights that this step does not change
        losses = self._losses(feature, attended, code, label)
        self.discriminator.requires_grad_(True)
        total = self._weigh(losses)
        self._optimisers["networks"].zero_grad()
        torch.autograd.backward(total)
        self._optimisers["networks"].step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def _losses(
        self,
        feature: Mapping[Modality, torch.Tensor],
        attended: Mapping[Modality, torch.Tensor],
        code: Mapping[Modality, torch.Tensor],
        label: torch.Tensor,
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        """The losses of the networks, of the batch or of each sample, unweighted."""
        logit = {m: self.class_head[m](attended[m]) for m in _MODALITIES}
        against = self.discriminator["text"](feature["image"]), self.discriminator["image"](feature["text"])

        def both(loss: Callable[..., torch.Tensor], *others: torch.Tensor) -> torch.Tensor:
            image, text = (loss(code[m], *others, by_sample=by_sample) for m in _MODALITIES)
            return image + text

        return {
            **triplet_losses(
                code["image"], code["text"], label, margin=self.config.margin, by_sample=by_sample
            ),
            "cosine_quantisation": both(cosine_quantisation_loss),
            "classification": classification_loss(logit["image"], label, by_sample=by_sample)
            + classification_loss(logit["text"], label, by_sample=by_sample),
            "label_code": both(label_code_loss, self.label_codes, label),
            "quantisation": both(quantisation_loss),
            "adversarial": -(against[0] + against[1])[:, 0] / len(label)
            if by_sample
            else -against[0].mean() - against[1].mean(),
        }

    def _weigh(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        config = self.config
        return (
            losses["triplet_image_to_text"]
            + losses["triplet_text_to_image"]
            + config.cosine_quantisation_weight * losses["cosine_quantisation"]  # alpha
            + config.classification_weight * losses["classification"]  # beta
            + config.label_code_weight * losses["label_code"]  # gamma
            + config.quantisation_weight * losses["quantisation"]  # eta
            + config.adversarial_weight * losses["adversarial"]  # mu
        )

    def sample_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what each sample adds to the networks' loss, weighted: the triplets that it anchors, ...

        With the default options a sample's features depend on the others of its batch, as in training.

        Args:
            batch: images `(batch, *image_shape)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            `(batch,)` floating point for each of the networks' losses that `update` names, against the
            discriminators as they are.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        trunk_feature = {
            "image": self._trunk_feature("image", batch.image),
            "text": self._trunk_feature("text", batch.text),
        }
        with full_precision(batch.label):
            feature = {m: self._normalise(trunk_feature[m]) for m in _MODALITIES}
            attended = {m: self._attend(feature[m]) for m in _MODALITIES}
            code = {m: torch.tanh(self.hash_head[m](attended[m])) for m in _MODALITIES}
            parts = self._losses(feature, attended, code, batch.label, by_sample=True)
        nothing = {name: torch.zeros_like(part) for name, part in parts.items()}
        return {name: self._weigh(nothing | {name: part}) for name, part in parts.items()}

    def end_epoch(self, epoch: int) -> None:
        """Update label codes and label memory; lower the networks' learning rates after epochs 0, 100, ...

        Args:
            epoch: counted from 0.
        """
        label = self._label
        assert label is not None, "begin_training was not called"
        self.label_codes.copy_(update_label_codes(self.label_codes, self.image_codes, self.text_codes, label))
        self.label_memory.copy_(update_label_memory(self.image_features, self.text_features, label))
        if epoch % self.config.decay_every == 0:
            for group in self._optimisers["networks"].param_groups:
                lower = group["lr"] * self.config.learning_rate_factor
                group["lr"] = max(lower, self.config.smallest_learning_rate)

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes in -1..1.

        With the default options a code depends on the other rows of the call; `encode_batch_size` rows in the
        order of the data set give the authors' codes.

        Args:
            modality: "image" or "text".
            features: `(n, *image_shape)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype, float32 under autocast.

        Raises:
            ValueError: for features of another shape than the method was built for.
        """
        self._check_input(modality, features)
        trunk_feature = self._trunk_feature(modality, features)
        with full_precision(trunk_feature):
            encode_norm = self._training_norm(modality) if self.config.encode_norm == "training" else None
            attended = self._attend(self._normalise(trunk_feature, encode_norm))
            return torch.tanh(self.hash_head[modality](attended))

    def _trunk_feature(self, modality: Modality, sample: torch.Tensor) -> torch.Tensor:
        return at_least_float32(self.trunk[modality](sample))

    def _normalise(self, feature: torch.Tensor, norm: torch.Tensor | None = None) -> torch.Tensor:
        return normalise_rows(feature) if self.config.normalise == "row" else normalise_batch(feature, norm)

    def _attend(self, feature: torch.Tensor) -> torch.Tensor:
        return attend(
            feature,
            self.label_memory,
            temperature=self.config.attention_temperature,
            memory_share=self.config.memory_share,
        )

    def _track_norm(self, modality: Modality, trunk_feature: torch.Tensor) -> None:
        """Follow the mean squared norm of a row; the first step counts in full."""
        share = (1 / (self.n_step + 1)).clamp_min(_NORM_MOMENTUM)
        self.get_buffer(f"{modality}_mean_square").lerp_(trunk_feature.square().sum(dim=1).mean(), share)

    def _training_norm(self, modality: Modality) -> torch.Tensor:
        """Return the norm that a full batch of training rows would have."""
        norm = (self.config.batch_size * self.get_buffer(f"{modality}_mean_square")).sqrt()
        return norm.clamp_min(torch.finfo(norm.dtype).tiny)


def _image_trunk(config: AGAHConfig, spec: DataSpec) -> torch.nn.Module:
    if len(spec.image_shape) == 1:
        return relu_layers((spec.image_shape[0], config.feature_width))
    if spec.image_shape != (3, IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(
            f"AGAH takes features or pixels of shape (3, {IMAGE_SIZE}, {IMAGE_SIZE}), "
            f"but images have {spec.image_shape}; resize the images or give features"
        )
    if config.cnnf_weights is None:
        raise ValueError(
            "AGAH from pixels fine-tunes CNN-F; give cnnf_weights, the path of imagenet-vgg-f.mat"
        )
    backbone = CNNF(read_cnnf_weights(config.cnnf_weights, config.pixel_axes))
    return torch.nn.Sequential(backbone, *relu_layers((backbone.width, config.feature_width)))


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return AGAH(cast("AGAHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="agah",
    title="AGAH: adversary guided asymmetric hashing for cross-modal retrieval (Gu et al., ICMR 2019)",
    config_type=AGAHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    sample_losses=True,
)
