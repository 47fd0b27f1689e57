"""AGAH: its networks, its training step and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
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
    critic_losses,
    label_code_loss,
    quantisation_loss,
)
from cmh_agah._networks import critic_layers, relu_layers
from cmh_agah._triplet import triplet_losses
from cmh_agah._updates import update_label_codes, update_label_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

_NORM_MOMENTUM = 0.1  # of the running mean of the batch norms, ours; as in batch normalisation
_MODALITIES: tuple[Modality, ...] = ("image", "text")


class AGAH(HashingMethod):
    """Adversary guided asymmetric hashing.

    A trunk per modality maps samples to common features, which two critics push together. Features are mixed
    with a memory of one mean feature per label; a head per modality makes the code. Codes are drawn towards
    those of samples that share a label (triplets) and towards learned codes of the labels.

    Args:
        config: the options.
        spec: shapes of the data. Where images are pixels, `(3, 224, 224)`, the image trunk is CNN-F,
            fine-tuned.

    Raises:
        ValueError: images are pixels of another size or without weights for CNN-F.

    Source: Gu et al., "Adversary Guided Asymmetric Hashing for Cross-Modal Retrieval", ICMR 2019, and the
        authors' program where the paper is silent.
    """

    config: AGAHConfig
    # State of the whole training set, in buffers of fixed shape.
    code_image: torch.Tensor  # U, (n_train, bits)
    code_text: torch.Tensor  # V
    feature_image: torch.Tensor  # F_I, (n_train, feature_width)
    feature_text: torch.Tensor  # F_T
    label_code: torch.Tensor  # C, (n_label, bits)
    label_memory: torch.Tensor  # M, (n_label, feature_width)
    mean_square_image: torch.Tensor  # running mean of the squared norm of a row before normalisation
    mean_square_text: torch.Tensor
    n_step: torch.Tensor
    _label: torch.Tensor | None

    def __init__(self, config: AGAHConfig, spec: DataSpec) -> None:
        super().__init__(config, spec)
        if config.normalise == "batch":
            self.training_batch_size = config.batch_size  # codes are scaled for batches of this size
            if config.encode_norm == "batch":  # the authors encode in training's batch size, rows in order
                self.encode_batch_size = config.batch_size

        width = config.feature_width
        text_trunk = relu_layers((spec.text_width, *config.text_widths, width))
        self.trunk = torch.nn.ModuleDict({"image": _image_trunk(config, spec), "text": text_trunk})
        self.hash_head = torch.nn.ModuleDict({m: torch.nn.Linear(width, config.bits) for m in _MODALITIES})
        self.class_head = torch.nn.ModuleDict({m: torch.nn.Linear(width, spec.n_label) for m in _MODALITIES})
        self.critic = torch.nn.ModuleDict(
            {m: critic_layers(width, config.critic_widths) for m in _MODALITIES}
        )
        for modality in _MODALITIES:
            self.register_buffer(f"code_{modality}", torch.zeros(spec.n_train, config.bits))
            self.register_buffer(f"feature_{modality}", torch.zeros(spec.n_train, width))
            self.register_buffer(f"mean_square_{modality}", torch.ones(()))
        self.register_buffer("label_code", torch.where(torch.randn(spec.n_label, config.bits) < 0, -1.0, 1.0))
        self.register_buffer("label_memory", torch.randn(spec.n_label, width))
        self.register_buffer("n_step", torch.zeros(()))
        self.register_buffer("_label", None, persistent=False)
        self._optimisers = self._make_optimisers()

    def _make_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        config = self.config
        rest = [*self.trunk["text"].parameters(), *self.hash_head.parameters(), *self.class_head.parameters()]
        network = Adamax(
            [
                {"params": list(self.trunk["image"].parameters()), "lr": config.image_learning_rate},
                {"params": rest, "lr": config.learning_rate},
            ],
            weight_decay=config.weight_decay,
        )
        critics = {
            f"critic_{modality}": Adamax(
                self.critic[modality].parameters(),
                lr=config.critic_learning_rate,
                betas=(0.5, 0.9),
                weight_decay=config.critic_weight_decay,
            )
            for modality in _MODALITIES
        }
        return {"network": network, **critics}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """The optimisers `network`, `critic_image` and `critic_text`."""
        return self._optimisers

    def begin_training(self, rows: TrainingRows) -> None:
        """Keep the labels for the updates after each epoch.

        Args:
            rows: the training set; labels are `(n_train, n_label)`.
        """
        self._label = rows.label

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of the text critic, the image critic and the networks, in this order.

        Returns:
            The unweighted losses `triplet_image_to_text, triplet_text_to_image, cosine_quantisation,
            classification, label_code, quantisation, adversarial`, their weighted sum `total`, and of each
            critic the loss `critic_{text,image}` and the unweighted `gradient_penalty_{text,image}`.

        Raises:
            ValueError: the batch has no labels or its features have another width than the method was built
                for.
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
            self.get_buffer(f"feature_{modality}").index_copy_(0, batch.index, feature[modality].detach())
            self.get_buffer(f"code_{modality}").index_copy_(0, batch.index, code[modality].detach())
        self.n_step += 1
        with full_precision(batch.label):
            return {
                **self._critic_step("text", feature),
                **self._critic_step("image", feature),
                **self._network_step(feature, attended, code, batch.label),
            }

    def _critic_step(
        self, modality: Modality, feature: Mapping[Modality, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        other: Modality = "image" if modality == "text" else "text"
        real, fake = feature[modality].detach(), feature[other].detach()
        critic, optimiser = (
            cast("torch.nn.Sequential", self.critic[modality]),
            self._optimisers[f"critic_{modality}"],
        )
        loss, penalty = critic_losses(critic, real, fake, share=torch.rand_like(real))
        optimiser.zero_grad()
        torch.autograd.backward(loss + self.config.gradient_penalty * penalty)
        optimiser.step()
        return {f"critic_{modality}": loss.detach(), f"gradient_penalty_{modality}": penalty.detach()}

    def _network_step(
        self,
        feature: Mapping[Modality, torch.Tensor],
        attended: Mapping[Modality, torch.Tensor],
        code: Mapping[Modality, torch.Tensor],
        label: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        config, image, text = self.config, code["image"], code["text"]
        logit = {m: self.class_head[m](attended[m]) for m in _MODALITIES}
        self.critic.requires_grad_(False)  # no gradients for weights that this step does not change
        losses = {
            **triplet_losses(image, text, label, margin=config.margin),
            "cosine_quantisation": cosine_quantisation_loss(image) + cosine_quantisation_loss(text),
            "classification": classification_loss(logit["image"], label)
            + classification_loss(logit["text"], label),
            "label_code": label_code_loss(image, self.label_code, label)
            + label_code_loss(text, self.label_code, label),
            "quantisation": quantisation_loss(image) + quantisation_loss(text),
            "adversarial": -self.critic["text"](feature["image"]).mean()
            - self.critic["image"](feature["text"]).mean(),
        }
        self.critic.requires_grad_(True)
        total = (
            losses["triplet_image_to_text"]
            + losses["triplet_text_to_image"]
            + config.cosine_quantisation * losses["cosine_quantisation"]  # alpha
            + config.classification * losses["classification"]  # beta
            + config.label_code * losses["label_code"]  # gamma
            + config.quantisation * losses["quantisation"]  # eta
            + config.adversarial * losses["adversarial"]  # mu
        )
        self._optimisers["network"].zero_grad()
        torch.autograd.backward(total)
        self._optimisers["network"].step()
        return {name: loss.detach() for name, loss in losses.items()} | {"total": total.detach()}

    def end_epoch(self, epoch: int) -> None:
        """Update label codes and label memory; lower the networks' learning rates after epochs 0, 100, ..."""
        label = self._label
        assert label is not None, "begin_training was not called"
        self.label_code.copy_(update_label_codes(self.label_code, self.code_image, self.code_text, label))
        self.label_memory.copy_(update_label_memory(self.feature_image, self.feature_text, label))
        if epoch % self.config.decay_every == 0:
            for group in self._optimisers["network"].param_groups:
                group["lr"] = max(group["lr"] * self.config.decay_factor, self.config.minimal_learning_rate)

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes in -1..1.

        With the default options a code depends on the other rows of the call; `encode_batch_size` rows in the
        order of the data set give the authors' codes.

        Raises:
            ValueError: the features have another width than the method was built for.
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
        self.get_buffer(f"mean_square_{modality}").lerp_(trunk_feature.square().sum(dim=1).mean(), share)

    def _training_norm(self, modality: Modality) -> torch.Tensor:
        """The norm that a full batch of training rows would have."""
        norm = (self.config.batch_size * self.get_buffer(f"mean_square_{modality}")).sqrt()
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


def _build(config: MethodConfig, spec: DataSpec) -> HashingMethod:
    return AGAH(cast("AGAHConfig", config), spec)


METHOD = MethodSpec(
    name="agah",
    title="AGAH: adversary guided asymmetric hashing for cross-modal retrieval (Gu et al., ICMR 2019)",
    config_type=AGAHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
)
