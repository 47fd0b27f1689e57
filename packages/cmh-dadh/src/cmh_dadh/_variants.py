"""DADH without the program's known deviations, and DADH as the program of the paper's days has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from cmh_train import at_least_float32, frobenius_norm, full_precision
from torch import nn

from cmh_dadh._codes import project_labels, signs
from cmh_dadh._losses import fake_loss, real_loss
from cmh_dadh._method import DADH, LearningRateFactors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_train import DataSpec

    from cmh_dadh._config import DADHConfig


class _SymmetricDADH(DADH):
    """Both sides are trained against the discriminators, and loss weights are what their names say.

    Discriminators work in the weights' precision under autocast too: they are small, and bfloat16 would leave
    the gradient penalty two digits.
    """

    def _scaled_triplets(self, weights: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return weights

    def _weigh(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        triplets = parts["triplet_image_to_text"] + parts["triplet_text_to_image"]
        adversarial = parts["adversarial_feature"] + parts["adversarial_code"]
        return (
            self.config.triplet_weight * triplets
            + self.config.quantisation_weight * parts["quantisation"]
            + self.config.adversarial_weight * adversarial
        )

    def _generator_loss(
        self, name: str, image_side: torch.Tensor, text_side: torch.Tensor, *, by_sample: bool = False
    ) -> torch.Tensor:
        discriminator = self.discriminator[name]
        with full_precision(image_side):
            as_fake = fake_loss(discriminator(at_least_float32(image_side)), by_sample=by_sample)
            return as_fake + real_loss(discriminator(at_least_float32(text_side)), by_sample=by_sample)

    def _train_discriminator(self, name: str, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        with full_precision(real):
            return super()._train_discriminator(name, at_least_float32(real), at_least_float32(fake))


class CleanDADH(_SymmetricDADH):
    """The current program with plain weights, both sides adversarial, gradients through both adversaries."""

    variant: ClassVar[str] = "clean"

    def _adversarial_losses(
        self,
        features: tuple[torch.Tensor, torch.Tensor],
        codes: tuple[torch.Tensor, torch.Tensor],
        text: torch.Tensor,  # noqa: ARG002 - no second pass
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        return {
            "adversarial_feature": self._generator_loss("feature", *features, by_sample=by_sample),
            "adversarial_code": self._generator_loss("code", *codes, by_sample=by_sample),
        }

    def _make_networks(self) -> None:
        super()._make_networks()
        # One text pass, one update of the running statistics.
        self.text_net.set_momentum(self.image_net.momentum)


class DADH2020(_SymmetricDADH):
    """The program of June 2020, nearest to the ICMR paper.

    No batch norm; features are divided by the Frobenius norm of the whole batch, so codes depend on the batch
    they are made in; a code matrix for each modality; a pair loss. Its classifiers take part in no loss and
    are left out.
    """

    variant: ClassVar[str] = "icmr2020"
    batch_norm: ClassVar[bool] = False
    learning_rate_factors: ClassVar[LearningRateFactors] = LearningRateFactors(0.1, 10.0, 10.0)
    text_code_matrix: torch.Tensor  # B_t, (n_train, bits); B_i is the code matrix

    def __init__(self, config: DADHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        self.encode_batch_size = self.training_batch_size = config.batch_size
        self.register_buffer("text_code_matrix", self.code_matrix.clone())

    def _make_networks(self) -> None:
        super()._make_networks()
        # The feature nets only: the program's initialiser misses the heads.
        self.image_net.reset_as_relu()
        self.text_net.reset_as_relu()

    def _image_features(self, image: torch.Tensor) -> torch.Tensor:
        return _divide_by_norm(super()._image_features(image))

    def _text_features(self, text: torch.Tensor) -> torch.Tensor:
        return _divide_by_norm(super()._text_features(text))

    def _targets(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.code_matrix[index], self.text_code_matrix[index]

    def _metric_losses(
        self,
        image_codes: torch.Tensor,
        text_codes: torch.Tensor,
        label: torch.Tensor,
        index: torch.Tensor,
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        cosine = nn.functional.cosine_similarity(image_codes, text_codes)
        # The program subtracts the identity from the diagonal matrix of these cosines.
        deviations = (cosine - 1).square()
        pair = {"pair": deviations if by_sample else deviations.sum()}
        return super()._metric_losses(image_codes, text_codes, label, index, by_sample=by_sample) | pair

    def _adversarial_losses(
        self,
        features: tuple[torch.Tensor, torch.Tensor],
        codes: tuple[torch.Tensor, torch.Tensor],  # noqa: ARG002 - made anew below
        text: torch.Tensor,  # noqa: ARG002 - without dropout and batch norm a second pass gives the same features
        *,
        by_sample: bool = False,
    ) -> dict[str, torch.Tensor]:
        heads = (self.image_head, self.text_head)
        second_codes = [self._hash(head, side.detach()) for head, side in zip(heads, features, strict=True)]
        return {
            "adversarial_feature": self._generator_loss("feature", *features, by_sample=by_sample),
            "adversarial_code": self._generator_loss("code", *second_codes, by_sample=by_sample),
        }

    def _weigh(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return super()._weigh(parts) + self.config.pair_weight * parts["pair"]

    def _update_codes(self, label: torch.Tensor) -> None:
        for matrix, outputs in (
            (self.code_matrix, self.image_codes),
            (self.text_code_matrix, self.text_codes),
        ):
            projection = project_labels(label, matrix, self.config.ridge)
            matrix.copy_(signs(label @ projection + self.config.output_weight * outputs))


def _divide_by_norm(features: torch.Tensor) -> torch.Tensor:
    """Divide by the Frobenius norm of the batch, which takes no gradient, in single precision at least."""
    features = at_least_float32(features)
    return features / frobenius_norm(features)
