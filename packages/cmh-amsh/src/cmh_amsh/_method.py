"""AMSH: its rounds and its codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from cmh_train import (
    Batch,
    DataSpec,
    HashingMethod,
    KernelHashingMethod,
    MethodConfig,
    MethodSpec,
    Modality,
    TrainingRows,
    full_precision,
    zero_as_bit_0,
)

from cmh_amsh._config import PRESETS, AMSHConfig
from cmh_amsh._hash_functions import fit_hash_function
from cmh_amsh._kernel import gaussian, principal_directions, squared_distances
from cmh_amsh._rounds import (
    Labels,
    State,
    Weights,
    cross_loss,
    label_projection,
    new_codes,
    new_factors,
    new_slack,
    own_losses,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MODALITIES: tuple[Modality, ...] = ("image", "text")


@dataclass(frozen=True)
class _Side:
    """The training items of a modality: their rows `(n_m,)`, kernel features `(n_m, a)` and labels."""

    rows: torch.Tensor
    kernel: torch.Tensor
    labels: Labels


class AMSH(KernelHashingMethod):
    """Shallow, supervised, closed-form hashing that needs no pairs: only labels join the modalities.

    Codes of the training items are learned from their labels in rounds (`update`), then a hash function of
    each modality, a regression on kernel features, is fitted to them (`prepare_encoding`). Images and texts
    may differ in number, and no row need have both; no matrix has a row and a column for each item.

    Args:
        config: the options.
        data_spec: shapes of the data; features only, at least one label.

    Raises:
        ValueError: if images are pixels or there are no labels.

    Source: the authors' program AMSH (LKYLKYZ/AMSH on GitHub).

    Example:
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3, n_label=2)
        >>> AMSH(AMSHConfig(bits=16), spec).encode("text", torch.ones(5, 3)).shape
        torch.Size([5, 16])
    """

    config: AMSHConfig
    image_kernel_width: torch.Tensor

    def __init__(self, config: AMSHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        n, anchors = data_spec.n_train, min(config.anchors, data_spec.n_train)
        for modality in _MODALITIES:
            self.register_buffer(f"{modality}_kernel_mean", torch.zeros(anchors))
            self.register_buffer(f"{modality}_factors", torch.zeros(n, config.bits))  # V
            self.register_buffer(f"{modality}_codes", torch.zeros(n, config.bits))  # B
            self.register_buffer(f"{modality}_slack", torch.zeros(n, data_spec.n_label))  # E
        self._sides: dict[Modality, _Side] = {}

    @torch.no_grad()
    def begin_training(self, rows: TrainingRows) -> None:
        """Draw anchors among the rows that have a modality, and make the kernel features of these rows.

        Args:
            rows: the training set; `image` is `(n_train, d_image)`.
        """
        self._sides = {}
        order = torch.randperm(self.data_spec.n_train)
        for modality in _MODALITIES:
            if self.config.anchor_rows == "independent":
                order = torch.randperm(self.data_spec.n_train)
            present = getattr(rows, f"{modality}_present")
            there = order[present.cpu()[order]][: self.config.anchors]
            self._begin_side(modality, rows, there.to(present.device))

    def _begin_side(self, modality: Modality, rows: TrainingRows, anchor_rows: torch.Tensor) -> None:
        """Take what a modality has.

        Args:
            modality: which.
            rows: the training set.
            anchor_rows: `(a,)` int64, rows of the training set that have it.
        """
        features, present = getattr(rows, modality), getattr(rows, f"{modality}_present")
        label = rows.label
        for name in ("anchors", "kernel_mean"):
            getattr(self, f"{modality}_{name}").zero_()
        getattr(self, f"{modality}_kernel_width").fill_(1)
        if label is None or len(anchor_rows) == 0:
            return
        there = present.nonzero().squeeze(1)
        anchors = getattr(self, f"{modality}_anchors")
        anchors[: len(anchor_rows)] = features[anchor_rows].to(anchors)
        with full_precision(anchors):
            kernel = squared_distances(features[there].to(anchors), anchors[: len(anchor_rows)])
            width = 2 * kernel.mean()
            if width > 0:
                getattr(self, f"{modality}_kernel_width").copy_(width)
            kernel = gaussian(kernel, getattr(self, f"{modality}_kernel_width"))
            mean = kernel.mean(dim=0)
            kernel -= mean
        getattr(self, f"{modality}_kernel_mean")[: len(anchor_rows)] = mean
        self._sides[modality] = _Side(there, kernel, Labels.of(label[there].double()))

    @torch.no_grad()
    def begin_epoch(self, epoch: int) -> None:
        """Start from principal components of the kernel features in epoch 0.

        Args:
            epoch: counted from 0.
        """
        if epoch:
            return
        for modality, side in self._sides.items():
            chosen = torch.randperm(len(side.rows))[: self.config.start_rows].to(side.rows.device)
            self._start(modality, chosen)

    def _start(self, modality: Modality, chosen: torch.Tensor) -> None:
        """Set V and B from principal components of the chosen ones of a modality's items."""
        kernel = self._sides[modality].kernel
        with full_precision(kernel):
            factors = kernel @ principal_directions(kernel[chosen], self.bits)
        self._keep(
            modality, State(factors, factors.sign(), torch.zeros_like(self._sides[modality].labels.values))
        )

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Do one round: P of both, V of the images, V of the texts with the new V of the images, B, E.

        Args:
            batch: all training rows; what `begin_training` took of them is what counts.

        Returns:
            The terms of the objective after the round, weighted: `label`, `quantisation`, `intra`, `cross`,
            and their sum `total`; `()` floating point.

        Raises:
            ValueError: for inputs of another shape than the method was built for.
        """
        self._check_batch(batch)
        with full_precision(batch.image):
            return self._round()

    def _round(self) -> dict[str, torch.Tensor]:
        weights = Weights(
            quantisation=self.config.quantisation_weight,
            intra=self.config.intra_weight * self.bits,
            cross=self.config.cross_weight * self.bits,
        )
        labels = {modality: side.labels for modality, side in self._sides.items()}
        states = {modality: self._state(modality) for modality in self._sides}
        projections = {m: label_projection(labels[m], states[m]) for m in states}
        for modality, state in states.items():
            others = [(labels[m], states[m]) for m in states if m != modality]
            state.factors = new_factors(
                labels[modality], state, projections[modality], weights, others[0] if others else None
            )
        for modality, state in states.items():
            state.codes = new_codes(labels[modality], state.factors, weights)
            state.slack = new_slack(labels[modality], state.factors, projections[modality])
            self._keep(modality, state)
        return self._losses(labels, states, projections, weights)

    def _losses(
        self,
        labels: Mapping[Modality, Labels],
        states: Mapping[Modality, State],
        projections: Mapping[Modality, torch.Tensor],
        weights: Weights,
    ) -> dict[str, torch.Tensor]:
        zero = torch.zeros_like(self.image_kernel_width, dtype=torch.float64)
        losses = {"label": zero, "quantisation": zero, "intra": zero, "cross": zero}
        for modality, state in states.items():
            own = own_losses(labels[modality], state, projections[modality])
            losses["label"] = losses["label"] + own["label"]
            losses["quantisation"] = losses["quantisation"] + weights.quantisation * own["quantisation"]
            losses["intra"] = losses["intra"] + weights.intra * own["intra"]
        if len(states) == 2:
            both = [(labels[modality], states[modality]) for modality in _MODALITIES]
            losses["cross"] = weights.cross * cross_loss(*both)
        return {**losses, "total": torch.stack(list(losses.values())).sum()}

    def _state(self, modality: Modality) -> State:
        rows = self._sides[modality].rows
        # In double precision: eigenvalues of the V step lie 1e7 apart with some thousand rows.
        return State(
            *(getattr(self, f"{modality}_{name}")[rows].double() for name in ("factors", "codes", "slack"))
        )

    def _keep(self, modality: Modality, state: State) -> None:
        rows = self._sides[modality].rows
        for name in ("factors", "codes", "slack"):
            kept = getattr(self, f"{modality}_{name}")
            kept[rows] = getattr(state, name).to(kept)
        self._codes_moved = True

    def _fitted_modalities(self) -> Iterable[Modality]:
        return self._sides

    def _fit_function(self, modality: Modality) -> torch.Tensor:
        side = self._sides[modality]
        codes = getattr(self, f"{modality}_codes")[side.rows]
        return fit_hash_function(
            side.kernel, codes, rounds=self.config.hash_rounds, ridge=self.config.hash_ridge
        )

    def _score(self, modality: Modality, kernel: torch.Tensor) -> torch.Tensor:
        scores = super()._score(modality, kernel - getattr(self, f"{modality}_kernel_mean"))
        return zero_as_bit_0(scores)  # program

    def _sign(self, codes: torch.Tensor) -> torch.Tensor:
        return zero_as_bit_0(codes).sign()  # program


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return AMSH(cast("AMSHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="amsh",
    title="AMSH: adaptive marginalized semantic hashing for unpaired data (Luo et al., arXiv 2207.11880)",
    config_type=AMSHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    needs_pairs=False,
)
