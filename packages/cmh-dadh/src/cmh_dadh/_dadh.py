"""DADH as the authors' current program computes it."""

from __future__ import annotations

from ctypes import c_float
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from cmh_train import Batch, DataSpec, HashingMethod, Modality, TrainingRows, full_precision
from torch import nn

from cmh_dadh._adversary import critic_losses, says_real
from cmh_dadh._codes import project_labels, signs
from cmh_dadh._networks import FeatureNet, code_critic, feature_critic
from cmh_dadh._streamed import StreamedAdam
from cmh_dadh._triplet import triplet_losses, triplet_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cmh_dadh._config import DADHConfig

_BATCH_NORM_MOMENTUM = 0.1
_ROWS_AT_ONCE = 512  # of images in double precision
_VARIES = 1e-12  # deviation in units of the mean: below it is rounding
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

    batch_norm: ClassVar[bool] = True
    # Learning rates of the image net, of the rest of the generator and of the critics, in units of the option
    rates: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 1.0)
    code_matrix: torch.Tensor  # B, (n_train, bits)
    image_codes: torch.Tensor  # H_i, (n_train, bits), as each row was last seen
    text_codes: torch.Tensor  # H_t
    image_mean: torch.Tensor  # (d_image,), and so the next, where the training rows are to tell
    image_std: torch.Tensor

    def __init__(self, config: DADHConfig, data: DataSpec) -> None:
        super().__init__(config, data)
        if len(data.image_shape) != 1:
            raise ValueError(
                f"DADH takes a row of features an image, not shape {data.image_shape}; "
                "give features of a network such as CNN-F instead of pixels"
            )
        self.options, self.data = config, data
        self.smallest_batch = 2 if self.batch_norm else 1  # batch norm needs a variance
        self._make_networks()
        self.register_buffer("code_matrix", signs(torch.randn(data.n_train, config.bits)))
        self.register_buffer("image_codes", torch.zeros(data.n_train, config.bits))
        self.register_buffer("text_codes", torch.zeros(data.n_train, config.bits))
        if config.standardise != "matrix":  # until images are seen, by what the spec says
            for name, value in (("image_mean", data.image_mean), ("image_std", data.image_std)):
                self.register_buffer(name, torch.full(data.image_shape, float(value)))
        self._make_optimisers()
        self._label: torch.Tensor | None = None

    def begin_training(self, rows: TrainingRows) -> None:
        """Keep the labels for the code updates, and measure what scales the images.

        Args:
            rows: the training set; images are `(n_train, d_image)`.
        """
        self._label = rows.label
        if self.options.standardise != "matrix":
            self._measure_images(rows.image, rows.image_present)

    @torch.no_grad()
    def _measure_images(self, image: torch.Tensor, present: torch.Tensor) -> None:
        if not present.any():
            self.image_mean.fill_(self.data.image_mean)
            self.image_std.fill_(self.data.image_std)
            return
        groups = torch.split(present.nonzero()[:, 0], _ROWS_AT_ONCE)
        over = (0, 1) if self.options.standardise == "training" else (0,)

        def mean_of(what: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            means = torch.stack([what(image[rows].double()).mean(dim=over) for rows in groups])
            weights = means.new_tensor([len(rows) for rows in groups]) / present.sum()
            return weights @ means

        mean = mean_of(lambda rows: rows)
        std = mean_of(lambda rows: (rows - mean).square()).sqrt()
        self.image_mean.copy_(mean)
        self.image_std.copy_(torch.where(std > _VARIES * mean.abs(), std, 1.0))

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        self._check_batch(batch)
        assert batch.label is not None
        features = self._image_features(batch.image), self._text_features(batch.text)
        codes = self._hash(self.image_head, features[0]), self._hash(self.text_head, features[1])
        with torch.no_grad():
            self.image_codes[batch.index] = codes[0]
            self.text_codes[batch.index] = codes[1]

        critics = {
            "discriminator_feature": self._train_critic("feature_critic", self.feature_critic, features),
            "discriminator_hash": self._train_critic("code_critic", self.code_critic, codes),
        }
        for critic in (self.feature_critic, self.code_critic):
            critic.requires_grad_(requires_grad=False)
        with full_precision(batch.image):
            parts = self._metric_losses(*codes, batch.label, batch.index)
        parts |= self._adversarial_losses(features, codes, batch.text)
        for critic in (self.feature_critic, self.code_critic):
            critic.requires_grad_(requires_grad=True)
        parts["generator"] = self._weigh(parts)
        self._generator.zero_grad()
        torch.autograd.backward(parts["generator"])
        self._generator.step()
        return critics | {name: loss.detach() for name, loss in parts.items()}

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        assert self._label is not None, "begin_training was not called"
        self._update_codes(self._label)
        if epoch % self.options.decay_every == 0:
            for group in self._generator.param_groups:
                decayed = group["lr"] * self.options.learning_rate_decay
                group["lr"] = max(decayed, self.options.smallest_learning_rate)

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        self._check_input(modality, features)
        if modality == "image":
            return self._hash(self.image_head, self._image_features(features))
        return self._hash(self.text_head, self._text_features(features))

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"generator": self._generator, **self._critics}

    def _make_networks(self) -> None:
        config, once = self.options, _BATCH_NORM_MOMENTUM
        # The program passes every text batch twice through the text net. Without dropout the second pass
        # differs in nothing but a second update of the running statistics:
        # r <- (1-m)^2 r + (1 - (1-m)^2) batch.
        self._second_text_pass = config.dropout > 0
        momentum = once if self._second_text_pass else 1 - (1 - once) ** 2
        widths = config.layer_widths
        image_widths = config.image_layer_widths or widths
        make = partial(FeatureNet, dropout=config.dropout, batch_norm=self.batch_norm)
        self.image_net = make(self.data.image_shape[0], image_widths, momentum=once)
        self.text_net = make(self.data.text_width, widths, momentum=momentum)
        self.image_head = nn.Linear(widths[-1], config.bits)
        self.text_head = nn.Linear(widths[-1], config.bits)
        self.feature_critic = feature_critic(widths[-1])
        self.code_critic = code_critic(config.bits)

    def _make_optimisers(self) -> None:
        config = self.options
        image_rate, rest_rate, critic_rate = (rate * config.learning_rate for rate in self.rates)
        rest = nn.ModuleList([self.text_net, self.image_head, self.text_head])
        self._generator = StreamedAdam(
            [
                {"params": list(self.image_net.parameters()), "lr": image_rate},
                {"params": list(rest.parameters()), "lr": rest_rate},
            ],
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._critics = {
            name: torch.optim.Adam(
                critic.parameters(),
                lr=critic_rate,
                betas=config.critic_betas,
                weight_decay=config.critic_weight_decay,
                fused=True,
            )
            for name, critic in (("feature_critic", self.feature_critic), ("code_critic", self.code_critic))
        }

    def _image_features(self, image: torch.Tensor) -> torch.Tensor:
        known = self.data if self.options.standardise == "matrix" else self
        features: torch.Tensor = self.image_net((image - known.image_mean) / known.image_std)
        return features

    def _text_features(self, text: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.text_net(text)
        return features

    def _hash(self, head: nn.Module, features: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = head(features)
        return torch.tanh(codes.to(self.code_matrix.dtype))

    def _draw_mix(self, like: torch.Tensor) -> torch.Tensor:
        return torch.rand_like(like)

    def _train_critic(
        self, name: str, critic: nn.Sequential, sides: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        real, fake = (side.detach() for side in sides)
        as_real, as_fake, penalty = critic_losses(critic, real, fake, self._draw_mix(real))
        loss = self.options.gamma * (as_real + as_fake) + self.options.penalty * penalty
        self._critics[name].zero_grad()
        torch.autograd.backward(loss)
        self._critics[name].step()
        return loss.detach()

    def _metric_losses(
        self, image_codes: torch.Tensor, text_codes: torch.Tensor, label: torch.Tensor, index: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        weights, negative = triplet_weights(label)
        weights = self._scale_triplets(weights, ~negative)
        image_to_text, text_to_image = triplet_losses(
            image_codes, text_codes, weights, negative, self.options.margin
        )
        image_targets, text_targets = self._targets(index)
        quantisation = (image_targets - image_codes).square().sum()
        quantisation = quantisation + (text_targets - text_codes).square().sum()
        return {
            "triplet_image_text": image_to_text,
            "triplet_text_image": text_to_image,
            "quantisation": quantisation,
        }

    def _scale_triplets(self, weights: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        q = self.options.beta * self.options.gamma + _BETA_EXTRA
        # The program's mask of triplets is single precision always, and so is q in it.
        masked = c_float(q).value
        if self.options.alpha == _WEIGHTED_ALPHA:
            return 10 * q * masked * weights  # program
        return masked * positive.to(weights.dtype)

    def _targets(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shared = self.code_matrix[index]
        return shared, shared

    def _adversarial_losses(
        self,
        features: tuple[torch.Tensor, torch.Tensor],
        codes: tuple[torch.Tensor, torch.Tensor],  # noqa: ARG002 - a variant needs them
        text: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        # Only the text side is trained against the discriminators, and the second codes are made of features
        # without gradient: the adversary of codes trains the text head alone (program).
        repeated = features[1]
        if self._second_text_pass:
            with torch.no_grad():
                repeated = self._text_features(text)
        second_codes = self._hash(self.text_head, repeated.detach())
        return {
            "adversarial_feature": says_real(self.feature_critic(features[1])),
            "adversarial_hash": says_real(self.code_critic(second_codes)),
        }

    def _weigh(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        triplets = parts["triplet_image_text"] + parts["triplet_text_image"]
        adversarial = parts["adversarial_feature"] + parts["adversarial_hash"]
        return (
            self.options.alpha * triplets
            + (self.options.beta + _BETA_EXTRA) * parts["quantisation"]
            + self.options.gamma * adversarial
        )

    def _update_codes(self, label: torch.Tensor) -> None:
        projection = project_labels(label, self.code_matrix, self.options.ridge)  # P
        outputs = self.image_codes + self.text_codes
        # With mu = 1e-5 the outputs hardly ever turn a sign: B is a linear code of the labels, fixed by its
        # random start.
        self.code_matrix.copy_(signs(label @ projection + self.options.mu / 2 * outputs))
