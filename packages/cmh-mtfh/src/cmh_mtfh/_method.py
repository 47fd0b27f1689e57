"""MTFH: its rounds and its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

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
    gaussian_kernel,
)

from cmh_mtfh._config import PRESETS, MTFHConfig
from cmh_mtfh._hash_functions import fit_logistic, kernel_width
from cmh_mtfh._rounds import Codes, Settings, losses, one_round, sign

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODALITIES: tuple[Modality, ...] = ("image", "text")
# Codes by their names in `Codes`: whose rows they are, and in whose space.
_CODES: dict[str, tuple[Modality, Modality]] = {
    "image": ("image", "image"),
    "text": ("text", "text"),
    "text_as_image": ("text", "image"),
    "image_as_text": ("image", "text"),
}


class MTFH(KernelHashingMethod):
    """Matrix tri-factorization hashing: shallow, supervised, for unpaired data and codes of two lengths.

    Images and texts have code spaces of their own. Rounds (`update`) learn the codes of the training items in
    both spaces, and mappings between the spaces, from the numbers of labels that an image and a text share;
    then a kernel logistic regression for each bit is fitted (`prepare_encoding`). An image query is mapped
    into the texts' space, and conversely. Images and texts may differ in number, and no row need have both.

    Args:
        config: the options.
        data_spec: shapes of the data; features only, at least one label.

    Raises:
        ValueError: if images are pixels or there are no labels.

    Source: Liu, Hu, Ling, Cheung, "MTFH: A Matrix Tri-Factorization Hashing Framework for Efficient
    Cross-Modal Retrieval", TPAMI 2021 (arXiv 1805.01963), and the authors' program.

    Example:
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3, n_label=2)
        >>> method = MTFH(MTFHConfig(bits=16, text_bits=24), spec)
        >>> method.encode("image", torch.ones(5, 4)).shape  # looks in the texts' space
        torch.Size([5, 24])
        >>> method.encode_database("text", torch.ones(5, 3)).shape
        torch.Size([5, 24])
    """

    one_space: ClassVar[bool] = False
    config: MTFHConfig
    image_mapping: torch.Tensor  # H1
    text_mapping: torch.Tensor  # H2
    last_objective: torch.Tensor
    finished: torch.Tensor

    def __init__(self, config: MTFHConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        lengths = {modality: self.code_length(modality) for modality in _MODALITIES}
        for name, (_, space) in _CODES.items():
            self.register_buffer(f"{name}_codes", torch.zeros(data_spec.n_train, lengths[space]))
        self.register_buffer("image_mapping", torch.randn(lengths["image"], lengths["text"]))
        self.register_buffer("text_mapping", torch.randn(lengths["image"], lengths["text"]))
        self.register_buffer("last_objective", torch.zeros(()))
        self.register_buffer("finished", torch.zeros((), dtype=torch.bool))
        self._rows: TrainingRows | None = None
        self._there: dict[Modality, torch.Tensor] = {}

    def code_length(self, modality: Modality) -> int:
        """Return the bits of the codes by which items of a modality are ranked.

        Args:
            modality: "image" or "text".
        """
        text_bits = self.config.text_bits
        return self.bits if modality == "image" or text_bits is None else text_bits

    @torch.no_grad()
    def begin_training(self, rows: TrainingRows) -> None:
        """Draw anchors among the rows that have a modality.

        Args:
            rows: the training set; `image` is `(n_train, d_image)`.
        """
        self._rows = rows
        self._there = {
            modality: getattr(rows, f"{modality}_present").nonzero().squeeze(1) for modality in _MODALITIES
        }
        for modality, there in self._there.items():
            order = torch.randperm(len(there))[: self.config.anchors].to(there.device)
            self._take_anchors(modality, there[order])

    def _take_anchors(self, modality: Modality, anchor_rows: torch.Tensor) -> None:
        assert self._rows is not None
        features = getattr(self._rows, modality)
        anchors, width = getattr(self, f"{modality}_anchors"), getattr(self, f"{modality}_kernel_width")
        anchors.zero_()
        width.fill_(1)
        anchors[: len(anchor_rows)] = features[anchor_rows].to(anchors)
        if len(anchor_rows):
            measured = kernel_width(features[self._there[modality]].to(anchors))
            width.copy_(torch.where(measured > 0, measured, torch.ones_like(measured)))

    @torch.no_grad()
    def begin_epoch(self, epoch: int) -> None:
        """Start from random signs in epoch 0.

        Args:
            epoch: counted from 0.
        """
        if epoch:
            return
        self.finished.fill_(value=False)
        for name, (modality, _) in _CODES.items():
            codes = getattr(self, f"{name}_codes")
            codes.zero_()
            there = self._there[modality]
            codes[there] = sign(torch.randn(len(there), codes.shape[1])).to(codes)

    @torch.no_grad()
    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Do one round: the mappings, the images' codes, the texts' in their space, and conversely.

        Once the objective has fallen by less than `smallest_fall`, nothing changes any more.

        Args:
            batch: all training rows; what `begin_training` took of them is what counts.

        Returns:
            The terms of the objective after the round, weighted: `image_space`, `text_space`, `mapping`, and
            their sum `total`; `()` floating point.

        Raises:
            ValueError: for inputs of another shape than the method was built for.
        """
        self._check_batch(batch)
        assert batch.label is not None
        image_labels, text_labels = (batch.label[self._there[modality]] for modality in _MODALITIES)
        config = self.config
        settings = Settings(
            config.image_share, config.mapping_weight, config.mapping_ridge, config.text_mapping
        )
        with full_precision(batch.image):
            codes = self._codes()
            if not bool(self.finished):
                one_round(codes, image_labels, text_labels, settings, self._sweep_order)
                self._keep(codes)
            found = losses(codes, image_labels, text_labels, settings)
        is_first = bool(self.last_objective == 0)
        if not is_first and bool(self.last_objective - found["total"] < config.smallest_fall):
            self.finished.fill_(value=True)
        self.last_objective.copy_(found["total"])
        return found

    def _sweep_order(self, bits: int) -> Iterable[int]:
        if self.config.sweep == "permutation":
            return [int(bit) for bit in torch.randperm(bits)]
        return range(int(torch.randint(1, bits + 1, ())))

    def _codes(self) -> Codes:
        own = {
            name: getattr(self, f"{name}_codes")[self._there[modality]]
            for name, (modality, _) in _CODES.items()
        }
        return Codes(**own, image_mapping=self.image_mapping, text_mapping=self.text_mapping)

    def _keep(self, codes: Codes) -> None:
        for name, (modality, _) in _CODES.items():
            getattr(self, f"{name}_codes")[self._there[modality]] = getattr(codes, name)
        self.image_mapping.copy_(codes.image_mapping)
        self.text_mapping.copy_(codes.text_mapping)
        self._codes_moved = True

    def _fitted_modalities(self) -> Iterable[Modality]:
        return [modality for modality, there in self._there.items() if len(there)]

    def _fit_function(self, modality: Modality) -> torch.Tensor:
        assert self._rows is not None
        there = self._there[modality]
        anchors = getattr(self, f"{modality}_anchors")[: len(there)]
        width = getattr(self, f"{modality}_kernel_width")
        return fit_logistic(
            gaussian_kernel(getattr(self._rows, modality)[there].to(anchors), anchors, width),
            gaussian_kernel(anchors, anchors, width),
            getattr(self, f"{modality}_codes")[there],
            ridge=self.config.logistic_ridge,
            iterations=self.config.logistic_iterations,
        )

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes of queries, in the space of the items that they are compared with.

        Args:
            modality: "image" or "text".
            features: `(n, d_image)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype, with the bits of the other modality's space.

        Raises:
            ValueError: for features of another shape than the method was built for.
        """
        own = sign(self.encode_database(modality, features))
        with full_precision(features):
            return own @ (self.text_mapping if modality == "image" else self.image_mapping.T)

    def encode_database(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes in the modality's own space, by which its items are ranked.

        Args:
            modality: "image" or "text".
            features: `(n, d_image)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype.

        Raises:
            ValueError: for features of another shape than the method was built for.
        """
        return super().encode(modality, features)


def _build(config: MethodConfig, data_spec: DataSpec) -> HashingMethod:
    return MTFH(cast("MTFHConfig", config), data_spec)


#: What the package announces in the entry-point group `cmh.methods`.
METHOD = MethodSpec(
    name="mtfh",
    title="MTFH: matrix tri-factorization hashing for unpaired data (Liu et al., TPAMI 2021)",
    config_type=MTFHConfig,
    build=_build,
    supervised=True,
    presets=PRESETS,
    needs_pairs=False,
)
