"""DADH as the authors' current program computes it: its training step and its codes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    FastLinear,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
    PlainAdam,
    TrainingRows,
    full_precision,
)
from torch import nn

from cmh_dadh._codes import project_labels, signs
from cmh_dadh._config import PRESETS, DADHConfig
from cmh_dadh._losses import (
    discriminator_losses,
    real_loss,
    reference_losses,
    triplet_losses,
    triplet_weights,
)
from cmh_dadh._networks import FeatureNet, code_discriminator, feature_discriminator
from cmh_dadh._streamed import StreamedAdam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BATCH_NORM_MOMENTUM = 0.1
_ROWS_AT_ONCE = 512  # of images in double precision
_VARIES = 1e-12  # deviation in units of the mean: below it is rounding
# The program adds this to the weight of the quantisation loss, and to the factor q of the triplets.
_EXTRA_WEIGHT = 0.1
# Only with this weight of the triplet loss the program weights its triplets.
_WEIGHTED_TRIPLETS = 10.0


class LearningRateFactors(NamedTuple):
    """Learning rates in units of the option `learning_rate`."""

    image_net: float = 1.0
    other_networks: float = 1.0
    discriminators: float = 1.0


class DADH(HashingMethod):
    """Deep adversarial discrete hashing (Bai et al., ICMR 2020): the authors' program of March 2021.

    Two feature nets and two hash heads are trained by a weighted triplet loss across the modalities, by the
    distance to a discrete code matrix that is updated in closed form after every epoch, and against
    discriminators that tell text from image. What the program does and the paper does not say is kept: see
    the package's README. The other variants are classes of their own, which `METHOD.build` chooses.

    Args:
        config: the options.
        data_spec: shapes and scaling statistics of the data; images are `(d_image,)` features.

    Raises:
        ValueError: if images are pixels, or the options are those of another variant.

    Source: Bai et al., "Deep Adversarial Discrete Hashing for Cross-Modal Retrieval", ICMR 2020, and the
    authors' program where the paper is silent.

    Example:
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3, n_label=2)
        >>> method = DADH(DADHConfig(bits=16, layer_widths=(8, 4)), spec).eval()
        >>> method.encode("text", torch.ones(5, 3)).shape
        torch.Size([5, 16])
    """

    variant: ClassVar[str] = "umml2022"
    batch_norm: ClassVar[bool] = True
    learning_rate_factors: ClassVar[LearningRateFactors] = LearningRateFactors()
    config: DADHConfig
    data_spec: DataSpec
    code_matrix: torch.Tensor  # B, (n_train, bits)
    image_codes: torch.Tensor  # H_i, (n_train, bits), as each row was last seen
    text_codes: torch.Tensor  # H_t
    image_mean: torch.Tensor  # (d_image,), and so the next, where the training rows are to tell
    image_std: torch.Tensor

    def __init__(self, config: DADHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        if config.variant != self.variant:
            raise ValueError(
                f"variant must be {self.variant!r} for {type(self).__name__}, but it is {config.variant!r}; "
                "build the method with METHOD.build, which chooses the class"
            )
        if len(data_spec.image_shape) != 1:
            raise ValueError(
                f"DADH takes a row of features an image, not shape {data_spec.image_shape}; "
                "give features of a network such as CNN-F instead of pixels"
            )
        self.smallest_batch = 2 if self.batch_norm else 1  # batch norm needs a variance
        self._make_networks()
        self.register_buffer("code_matrix", signs(torch.randn(data_spec.n_train, config.bits)))
        self.register_buffer("image_codes", torch.zeros(data_spec.n_train, config.bits))
        self.register_buffer("text_codes", torch.zeros(data_spec.n_train, config.bits))
        if config.standardise != "matrix":  # until images are seen, by what the spec says
            for name, value in (("image_mean", data_spec.image_mean), ("image_std", data_spec.image_std)):
                self.register_buffer(name, torch.full(data_spec.image_shape, float(value)))
        self.reference_points: nn.Parameter | None = None  # z of images and of texts, (2, bits)
        if config.reference_point == "learned":
            self.reference_points = nn.Parameter(torch.randn(2, config.bits))
        self._optimisers = self._make_optimisers()
        self._triplet_scale = _triplet_scale(config)
        self._label: torch.Tensor | None = None
        self._margin = config.margin

    def begin_training(self, rows: TrainingRows) -> None:
        """Keep the labels for the code updates, measure what scales the images, and settle the margin.

        All zero-filled texts have one code z, at one distance d_iz from an image i. Triplets with a true
        positive p and z as the negative ask for d_iz >= d_ip + m, those with z as the positive and a true
        negative n for d_in >= d_iz + m; together d_in >= d_ip + 2 m. Where donors take the place of z, the
        option `completed_margin` keeps what z did, and `reference_point` puts a z of its own there.

        Args:
            rows: the training set; images are `(n_train, d_image)`.
        """
        self._label = rows.label
        doubled = rows.completed and self.reference_points is None
        self._margin = self.config.margin * (self.config.completed_margin if doubled else 1.0)
        if self.config.standardise != "matrix":
            self._measure_images(rows.image, rows.image_present)

    @torch.no_grad()
    def _measure_images(self, image: torch.Tensor, present: torch.Tensor) -> None:
        if not present.any():
            self.image_mean.fill_(self.data_spec.image_mean)
            self.image_std.fill_(self.data_spec.image_std)
            return
        groups = torch.split(present.nonzero()[:, 0], _ROWS_AT_ONCE)
        over = (0, 1) if self.config.standardise == "training" else (0,)

        def mean_of(what: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            means = torch.stack([what(image[rows].double()).mean(dim=over) for rows in groups])
            weights = means.new_tensor([len(rows) for rows in groups]) / present.sum()
            return weights @ means

        mean = mean_of(lambda rows: rows)
        std = mean_of(lambda rows: (rows - mean).square()).sqrt()
        self.image_mean.copy_(mean)
        self.image_std.copy_(torch.where(std > _VARIES * mean.abs(), std, 1.0))

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one step of both discriminators, then one of the networks.

        Args:
            batch: images `(batch, d_image)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            The discriminators' whole losses `discriminator_feature` and `discriminator_code`; the networks'
            losses `triplet_image_to_text, triplet_text_to_image, quantisation, adversarial_feature,
            adversarial_code`, in the variant icmr2020 also `pair`; and their weighted sum `total`. Each is
            `()` floating point.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        features = self._image_features(batch.image), self._text_features(batch.text)
        codes = self._hash(self.image_head, features[0]), self._hash(self.text_head, features[1])
        with torch.no_grad():
            self.image_codes[batch.index] = codes[0]
            self.text_codes[batch.index] = codes[1]

        losses = {
            "discriminator_feature": self._train_discriminator("feature", *features),
            "discriminator_code": self._train_discriminator("code", *codes),
        }
        self.discriminator.requires_grad_(requires_grad=False)  # this step does not change them
        with full_precision(batch.image):
            parts = self._metric_losses(*codes, batch.label, batch.index)
        parts |= self._adversarial_losses(features, codes, batch.text)
        self.discriminator.requires_grad_(requires_grad=True)
        parts["total"] = self._weigh(parts)
        self._optimisers["networks"].zero_grad()
        torch.autograd.backward(parts["total"])
        self._optimisers["networks"].step()
        return losses | {name: loss.detach() for name, loss in parts.items()}

    def sample_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what each sample adds to the networks' loss, weighted: the triplets that it anchors, ...

        Args:
            batch: images `(batch, d_image)`, texts `(batch, text_width)`, labels `(batch, n_label)`.

        Returns:
            `(batch,)` floating point for each of the networks' losses that `update` names, against the
            discriminators as they are.

        Raises:
            ValueError: for inputs or labels of other widths than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        features = self._image_features(batch.image), self._text_features(batch.text)
        codes = self._hash(self.image_head, features[0]), self._hash(self.text_head, features[1])
        with full_precision(batch.image):
            parts = self._metric_losses(*codes, batch.label, batch.index, by_sample=True)
        parts |= self._adversarial_losses(features, codes, batch.text, by_sample=True)
        nothing = {name: torch.zeros_like(part) for name, part in parts.items()}
        return {name: self._weigh(nothing | {name: part}) for name, part in parts.items()}

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        """Update the code matrix; lower the networks' learning rates after epochs 0, 100, 200, ...

        Args:
            epoch: counted from 0.
        """
        assert self._label is not None, "begin_training was not called"
        self._update_codes(self._label)
        if epoch % self.config.decay_every == 0:
            for group in self._optimisers["networks"].param_groups:
                lower = group["lr"] * self.config.learning_rate_factor
                group["lr"] = max(lower, self.config.smallest_learning_rate)

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes in -1..1.

        Args:
            modality: "image" or "text".
            features: `(n, d_image)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype.

        Raises:
            ValueError: for features of another width than the method was built for.
        """
        self._check_input(modality, features)
        if modality == "image":
            return self._hash(self.image_head, self._image_features(features))
        return self._hash(self.text_head, self._text_features(features))

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers `networks`, `discriminator_feature` and `discriminator_code`."""
        return self._optimisers

    def _make_networks(self) -> None:
        config, once = self.config, _BATCH_NORM_MOMENTUM
        # The program passes every text batch twice through the text net. Without dropout the second pass
        # differs in nothing but a second update of the running statistics:
        # r <- (1-m)^2 r + (1 - (1-m)^2) batch.
        self._second_text_pass = config.dropout > 0
        momentum = once if self._second_text_pass else 1 - (1 - once) ** 2
        widths = config.layer_widths
        make = partial(FeatureNet, dropout=config.dropout, batch_norm=self.batch_norm)
        self.image_net = make(self.data_spec.image_shape[0], config.image_widths or widths, momentum=once)
        self.text_net = make(self.data_spec.text_width, widths, momentum=momentum)
        self.image_head = FastLinear(widths[-1], config.bits)
        self.text_head = FastLinear(widths[-1], config.bits)
        self.discriminator = nn.ModuleDict(
            {"feature": feature_discriminator(widths[-1]), "code": code_discriminator(config.bits)}
        )

    def _make_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        config, factors = self.config, self.learning_rate_factors
        rest = nn.ModuleList([self.text_net, self.image_head, self.text_head])
        others = list(rest.parameters())
        if self.reference_points is not None:
            others.append(self.reference_points)
        networks = StreamedAdam(
            [
                {
                    "params": list(self.image_net.parameters()),
                    "lr": factors.image_net * config.learning_rate,
                },
                {"params": others, "lr": factors.other_networks * config.learning_rate},
            ],
            weight_decay=config.weight_decay,
            fused=True,
        )
        discriminators = {
            f"discriminator_{name}": PlainAdam(
                discriminator.parameters(),
                lr=factors.discriminators * config.learning_rate,
                betas=config.discriminator_betas,
                weight_decay=config.discriminator_weight_decay,
                fused=True,
            )
            for name, discriminator in self.discriminator.items()
        }
        return {"networks": networks, **discriminators}

    def _image_features(self, image: torch.Tensor) -> torch.Tensor:
        mean, std = self._image_scaling()
        features: torch.Tensor = self.image_net((image - mean) / std)
        return features

    def _image_scaling(self) -> tuple[torch.Tensor | float, torch.Tensor | float]:
        """Mean and deviation: numbers of the whole matrix, or `(d_image,)` as measured."""
        if self.config.standardise == "matrix":
            return self.data_spec.image_mean, self.data_spec.image_std
        return self.image_mean, self.image_std

    def _text_features(self, text: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.text_net(text)
        return features

    def _hash(self, head: nn.Module, features: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = head(features)
        return torch.tanh(codes.to(self.code_matrix.dtype))

    def _draw_shares(self, like: torch.Tensor) -> torch.Tensor:
        """Draw the share of the real side in the points of the penalty, for every entry."""
        return torch.rand_like(like)

    def _train_discriminator(self, name: str, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """Take one step of a discriminator; images are real, texts fake."""
        config, discriminator = self.config, cast("nn.Sequential", self.discriminator[name])
        real, fake = real.detach(), fake.detach()
        as_real, as_fake, penalty = discriminator_losses(discriminator, real, fake, self._draw_shares(real))
        loss = config.adversarial_weight * (as_real + as_fake) + config.gradient_penalty_weight * penalty
        optimiser = self._optimisers[f"discriminator_{name}"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        return loss.detach()

    def _metric_losses(
        self,
        image_codes: torch.Tensor,
        text_codes: torch.Tensor,
        label: torch.Tensor,
        index: torch.Tensor,
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        weights, negative = triplet_weights(label)
        weights = self._scaled_triplets(weights, ~negative)
        triplets = triplet_losses(
            image_codes, text_codes, weights, negative, self._margin, by_anchor=by_sample
        )
        if self.reference_points is not None:
            codes = torch.stack([image_codes, text_codes])
            triplets = triplets + reference_losses(
                codes, self.reference_points, weights, negative, margin=self._margin, by_anchor=by_sample
            )
        image_to_text, text_to_image = triplets
        image_targets, text_targets = self._targets(index)
        summed = 1 if by_sample else None
        quantisation = (image_targets - image_codes).square().sum(summed)
        quantisation = quantisation + (text_targets - text_codes).square().sum(summed)
        return {
            "triplet_image_to_text": image_to_text,
            "triplet_text_to_image": text_to_image,
            "quantisation": quantisation,
        }

    def _scaled_triplets(self, weights: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        if self.config.triplet_weight == _WEIGHTED_TRIPLETS:
            return self._triplet_scale * weights
        return self._triplet_scale * positive.to(weights.dtype)

    def _targets(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shared = self.code_matrix[index]
        return shared, shared

    def _adversarial_losses(
        self,
        features: tuple[torch.Tensor, torch.Tensor],
        codes: tuple[torch.Tensor, torch.Tensor],  # noqa: ARG002 - a variant needs them
        text: torch.Tensor,
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        # Only the text side is trained against the discriminators, and the second codes are made of features
        # without gradient: the adversary of codes trains the text head alone (program).
        repeated = features[1]
        if self._second_text_pass:
            with torch.no_grad():
                repeated = self._text_features(text)
        second_codes = self._hash(self.text_head, repeated.detach())
        return {
            "adversarial_feature": real_loss(self.discriminator["feature"](features[1]), by_sample=by_sample),
            "adversarial_code": real_loss(self.discriminator["code"](second_codes), by_sample=by_sample),
        }

    def _weigh(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        config = self.config
        triplets = parts["triplet_image_to_text"] + parts["triplet_text_to_image"]
        adversarial = parts["adversarial_feature"] + parts["adversarial_code"]
        return (
            config.triplet_weight * triplets  # alpha
            + (config.quantisation_weight + _EXTRA_WEIGHT) * parts["quantisation"]  # beta
            + config.adversarial_weight * adversarial  # gamma
        )

    def _update_codes(self, label: torch.Tensor) -> None:
        projection = project_labels(label, self.code_matrix, self.config.ridge)  # P
        outputs = self.image_codes + self.text_codes
        # With a weight of 1e-5 the outputs hardly ever turn a sign: B is a linear code of the labels, fixed
        # by its random start.
        self.code_matrix.copy_(signs(label @ projection + self.config.output_weight / 2 * outputs))


def _triplet_scale(config: DADHConfig) -> float:
    """The program's factor of all triplets: q = beta gamma + 0.1 in the mask, and 10 q in the weights.

    The mask is single precision always, and so is q in it.
    """
    q = config.quantisation_weight * config.adversarial_weight + _EXTRA_WEIGHT
    in_mask = torch.tensor(q, dtype=torch.float32).item()
    return 10 * q * in_mask if config.triplet_weight == _WEIGHTED_TRIPLETS else in_mask


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    from cmh_dadh._variants import DADH2020, CleanDADH  # noqa: PLC0415 - they derive from the class above

    options = cast("DADHConfig", config)
    classes: dict[str, type[DADH]] = {each.variant: each for each in (DADH, DADH2020, CleanDADH)}
    return classes[options.variant](options, data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="dadh",
    title="DADH: deep adversarial discrete hashing for cross-modal retrieval (Bai et al., ICMR 2020)",
    config_type=DADHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    completion="none",  # by label it gains on some data sets and loses on others: docs/completion.md
    sample_losses=True,
)
