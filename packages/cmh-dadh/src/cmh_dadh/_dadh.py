"""DADH as the authors' current program computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from cmh_train import Batch, DataSpec, HashingMethod, MethodConfig, MethodSpec, Modality
from torch import nn

from cmh_dadh._adversary import critic_losses, says_real
from cmh_dadh._codes import project_labels, signs
from cmh_dadh._config import MIRFLICKR25K, NUSWIDE_TC21, SMALL, DADHConfig
from cmh_dadh._networks import FeatureNet, code_critic, feature_critic
from cmh_dadh._streamed import StreamedAdam
from cmh_dadh._triplet import triplet_losses, triplet_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH_NORM_MOMENTUM = 0.1
# The program trains with beta + 0.1, and takes it off again in the factor q.
_BETA_EXTRA = 0.1
# Only at this alpha the program weights its triplets.
_WEIGHTED_ALPHA = 10.0


class DADH(HashingMethod):
    """Deep adversarial discrete hashing (Bai et al., ICMR 2020): the authors' program of March 2021.

    Two feature nets and two hash heads are trained by a weighted triplet loss across the modalities, by the
    distance to a discrete code matrix that is updated in closed form after every epoch, and by discriminators
    that shall not tell text from image. What the program does and the paper does not say is kept: see the
    package's README.

    Args:
        config: options.
        data: shapes and scaling statistics of the data.
    """

    smallest_batch = 2  # batch norm needs a variance
    code_matrix: torch.Tensor  # B, (n_train, bits)
    image_codes: torch.Tensor  # H_i, (n_train, bits), as each row was last seen
    text_codes: torch.Tensor  # H_t

    def __init__(self, config: DADHConfig, data: DataSpec) -> None:
        super().__init__()
        if len(data.image_shape) != 1:
            raise ValueError(
                f"DADH takes image features (rows, width), not pixels of shape {data.image_shape}"
            )
        self.options, self.data, self.bits = config, data, config.bits
        # The program passes every text batch twice through the text net. Without dropout the second pass
        # differs in nothing but a second update of the running statistics: r <- (1-m)^2 r + (1 - (1-m)^2)
        # batch.
        once = _BATCH_NORM_MOMENTUM
        self.second_text_pass = config.dropout > 0
        text_momentum = once if self.second_text_pass else 1 - (1 - once) ** 2
        widths, dropout = config.layer_widths, config.dropout
        self.image_net = FeatureNet(data.image_shape[0], widths, dropout=dropout, momentum=once)
        self.text_net = FeatureNet(data.text_width, widths, dropout=dropout, momentum=text_momentum)
        self.image_head = nn.Linear(widths[-1], config.bits)
        self.text_head = nn.Linear(widths[-1], config.bits)
        self.feature_critic = feature_critic(widths[-1])
        self.code_critic = code_critic(config.bits)
        self.register_buffer("code_matrix", signs(torch.randn(data.n_train, config.bits)))
        self.register_buffer("image_codes", torch.zeros(data.n_train, config.bits))
        self.register_buffer("text_codes", torch.zeros(data.n_train, config.bits))

        generator = nn.ModuleList([self.image_net, self.text_net, self.image_head, self.text_head])
        self._generator = StreamedAdam(
            generator.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._critics = {
            name: torch.optim.Adam(
                critic.parameters(),
                lr=config.learning_rate,
                betas=config.critic_betas,
                weight_decay=config.critic_weight_decay,
                fused=True,
            )
            for name, critic in (("feature_critic", self.feature_critic), ("code_critic", self.code_critic))
        }
        self._label: torch.Tensor | None = None

    def begin_training(self, label: torch.Tensor | None) -> None:
        if label is None:
            raise ValueError("DADH learns from labels, but the training data have none")
        self._label = label

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        if batch.label is None:
            raise ValueError("DADH learns from labels, but the batch has none")
        image_features = self.image_net(self._standardise(batch.image))
        text_features = self.text_net(batch.text)
        image_codes = self._hash(self.image_head, image_features)
        text_codes = self._hash(self.text_head, text_features)
        with torch.no_grad():
            self.image_codes[batch.index] = image_codes
            self.text_codes[batch.index] = text_codes
            repeated = self.text_net(batch.text) if self.second_text_pass else text_features
        # The second codes are made of features without gradient: their adversary trains the text head alone
        # (program).
        second_text_codes = self._hash(self.text_head, repeated.detach())

        losses = {
            "discriminator_feature": self._train_critic(
                "feature_critic", self.feature_critic, image_features.detach(), text_features.detach()
            ),
            "discriminator_hash": self._train_critic(
                "code_critic", self.code_critic, image_codes.detach(), text_codes.detach()
            ),
        }

        with torch.autocast(batch.image.device.type, enabled=False):
            parts = self._metric_losses(image_codes, text_codes, batch.label, self.code_matrix[batch.index])
        # Only the text side is trained against the discriminators (program).
        parts["adversarial_feature"] = self._deceive(self.feature_critic, text_features)
        parts["adversarial_hash"] = self._deceive(self.code_critic, second_text_codes)
        total = self._weigh(parts)
        self._generator.zero_grad()
        torch.autograd.backward(total)
        self._generator.step()
        parts["generator"] = total
        return losses | {name: loss.detach() for name, loss in parts.items()}

    def end_epoch(self, epoch: int) -> None:
        assert self._label is not None, "begin_training was not called"
        with torch.no_grad():
            projection = project_labels(self._label, self.code_matrix, self.options.ridge)  # P
            outputs = self.image_codes + self.text_codes
            # With mu = 1e-5 the outputs hardly ever turn a sign: B is a linear code of the labels, fixed by
            # its start.
            self.code_matrix.copy_(signs(self._label @ projection + self.options.mu / 2 * outputs))
        if epoch % self.options.decay_every == 0:
            for group in self._generator.param_groups:
                group["lr"] = max(
                    group["lr"] * self.options.learning_rate_decay, self.options.smallest_learning_rate
                )

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        if modality == "image":
            return self._hash(self.image_head, self.image_net(self._standardise(features)))
        return self._hash(self.text_head, self.text_net(features))

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"generator": self._generator, **self._critics}

    def _standardise(self, image: torch.Tensor) -> torch.Tensor:
        return (image - self.data.image_mean) / self.data.image_std

    def _hash(self, head: nn.Module, features: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = head(features)
        return torch.tanh(codes.to(self.code_matrix.dtype))

    def _draw_mix(self, like: torch.Tensor) -> torch.Tensor:
        return torch.rand_like(like)

    def _train_critic(
        self, name: str, critic: nn.Module, real: torch.Tensor, fake: torch.Tensor
    ) -> torch.Tensor:
        as_real, as_fake, penalty = critic_losses(critic, real, fake, self._draw_mix(real))
        loss = self.options.gamma * (as_real + as_fake) + self.options.penalty * penalty
        self._critics[name].zero_grad()
        torch.autograd.backward(loss)
        self._critics[name].step()
        return loss.detach()

    def _metric_losses(
        self, image_codes: torch.Tensor, text_codes: torch.Tensor, label: torch.Tensor, targets: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        weights, negative = triplet_weights(label)
        q = self.options.beta * self.options.gamma + _BETA_EXTRA
        # The program's mask of triplets is single precision always, and so is q in it.
        masked = torch.tensor(q, dtype=torch.float32).item()
        if self.options.alpha == _WEIGHTED_ALPHA:
            weights = 10 * q * masked * weights
        else:
            weights = masked * (~negative).to(label.dtype)
        image_to_text, text_to_image = triplet_losses(
            image_codes, text_codes, weights, negative, self.options.margin
        )
        quantisation = (targets - image_codes).square().sum() + (targets - text_codes).square().sum()
        return {
            "triplet_image_text": image_to_text,
            "triplet_text_image": text_to_image,
            "quantisation": quantisation,
        }

    def _deceive(self, critic: nn.Module, text_side: torch.Tensor) -> torch.Tensor:
        critic.requires_grad_(requires_grad=False)
        loss = says_real(critic(text_side))
        critic.requires_grad_(requires_grad=True)
        return loss

    def _weigh(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        triplets = parts["triplet_image_text"] + parts["triplet_text_image"]
        adversarial = parts["adversarial_feature"] + parts["adversarial_hash"]
        return (
            self.options.alpha * triplets
            + (self.options.beta + _BETA_EXTRA) * parts["quantisation"]
            + self.options.gamma * adversarial
        )


def _build(config: MethodConfig, data: DataSpec) -> HashingMethod:
    return DADH(cast("DADHConfig", config), data)


METHOD = MethodSpec(
    name="dadh",
    title="Deep Adversarial Discrete Hashing (Bai et al., ICMR 2020)",
    config_type=DADHConfig,
    build=_build,
    supervised=True,
    presets={"mirflickr25k": MIRFLICKR25K, "nuswide-tc21": NUSWIDE_TC21, "small": SMALL},
)
