"""What shallow methods share that are fitted as a whole and hash by similarities to anchor rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import Field

from cmh_train._contract import FullBatchConfig, HashingMethod
from cmh_train._device import at_least_float32, full_precision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmh_train._contract import DataSpec, Modality

_MODALITIES: tuple[Modality, ...] = ("image", "text")


class KernelHashingConfig(FullBatchConfig):
    """Options of a `KernelHashingMethod`.

    Example:
        >>> KernelHashingConfig(database="learned").database
        'learned'
    """

    database: Literal["encoded", "learned"] = Field(
        default="encoded",
        description="codes of the items that are ranked; encoded: by the hash function, as a new item's "
        "(ours, comparable with other methods); learned: those that training made from the items' own labels "
        "(program)",
    )
    anchors: int = Field(
        default=500,
        ge=1,
        description="anchor rows of each kernel, or all rows where there are fewer; program",
    )


class KernelHashingMethod(HashingMethod):
    """A supervised method with hash functions that are linear in Gaussian similarities to anchor rows.

    A method learns the codes of its training items in `update`, sets `_codes_moved` where it moved them, and
    gives in `_fit_function` the hash function of what it learned; `prepare_encoding` calls it. It fills the
    buffers `image_anchors`, `text_anchors` `(anchors, width)` and `image_kernel_width`, `text_kernel_width`
    `()` in `begin_training`.

    Args:
        config: the options, a `KernelHashingConfig`.
        data_spec: shapes of the data; features only, at least one label.

    Raises:
        ValueError: if images are pixels or there are no labels.

    Example:
        >>> from cmh_train import DataSpec
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3, n_label=2)
        >>> KernelHashingMethod(KernelHashingConfig(bits=16), spec).encode("text", torch.ones(5, 3)).shape
        torch.Size([5, 16])
    """

    full_batch: ClassVar[bool] = True
    config: KernelHashingConfig
    data_spec: DataSpec

    def __init__(self, config: KernelHashingConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        name = type(self).__name__
        if len(data_spec.image_shape) != 1:
            raise ValueError(
                f"images of {name} must be features (d,), but they have shape {data_spec.image_shape}; "
                "encode them first"
            )
        if data_spec.n_label == 0:
            raise ValueError(f"{name} learns from labels, but the data have none; give label=... to the data")
        anchors = min(config.anchors, data_spec.n_train)
        for modality, width in zip(_MODALITIES, (*data_spec.image_shape, data_spec.text_width), strict=True):
            self.register_buffer(f"{modality}_anchors", torch.zeros(anchors, width))
            self.register_buffer(f"{modality}_kernel_width", torch.ones(()))
            function = torch.nn.Parameter(
                torch.randn(anchors, self.code_length(modality)), requires_grad=False
            )
            self.register_parameter(f"{modality}_function", function)
        self._codes_moved = False

    def _fit_function(self, modality: Modality) -> torch.Tensor:
        """Return the hash function of the codes learned so far, `(anchors used, bits)`."""
        raise NotImplementedError

    def _fitted_modalities(self) -> Iterable[Modality]:
        """Name the modalities that have training items."""
        raise NotImplementedError

    @torch.no_grad()
    def prepare_encoding(self) -> None:
        """Fit the hash functions, if rounds have moved the codes since they were fitted."""
        if not self._codes_moved:
            return
        for modality in self._fitted_modalities():
            stored = getattr(self, f"{modality}_function")
            with full_precision(stored):
                function = self._fit_function(modality)
            stored.zero_()
            stored[: len(function)] = function
        self._codes_moved = False

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to what the hash function says of them, each row for itself.

        Args:
            modality: "image" or "text".
            features: `(n, d_image)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype.

        Raises:
            ValueError: for features of another shape than the method was built for.
        """
        self._check_input(modality, features)
        function = getattr(self, f"{modality}_function")
        with full_precision(features):
            kernel = gaussian_kernel(
                at_least_float32(features).to(function),
                getattr(self, f"{modality}_anchors"),
                getattr(self, f"{modality}_kernel_width"),
            )
            return self._score(modality, kernel)

    def _score(self, modality: Modality, kernel: torch.Tensor) -> torch.Tensor:
        """Say what the hash function makes of similarities to the anchors, `(n, anchors)`."""
        scores: torch.Tensor = kernel @ getattr(self, f"{modality}_function")
        return scores

    def learned_codes(self, modality: Modality) -> torch.Tensor | None:
        """Return the codes of the training items, with `database="learned"`.

        Args:
            modality: "image" or "text".

        Returns:
            `(n_train, bits)` floating point, -1 and 1; rows without the modality mean nothing. None with
            `database="encoded"`.
        """
        if self.config.database == "encoded":
            return None
        return self._sign(getattr(self, f"{modality}_codes"))

    def _sign(self, codes: torch.Tensor) -> torch.Tensor:
        """Return 1 where a value is `>= 0`, else -1."""
        return torch.where(codes >= 0, 1.0, -1.0).to(codes)


def gaussian_kernel(rows: torch.Tensor, anchors: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Return exp(-||a - b||^2 / width) of all rows and anchors.

    Args:
        rows: `(n, d)` floating point.
        anchors: `(a, d)` floating point.
        width: `()` floating point, positive.

    Returns:
        `(n, a)` floating point in 0..1.

    Example:
        >>> rows, anchors = torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0], [0.0, 3.0]])
        >>> gaussian_kernel(rows, anchors, torch.tensor(25.0)).round(decimals=3).tolist()
        [[0.36800000071525574, 1.0]]
    """
    return torch.cdist(rows, anchors).square_().div_(-width).exp_()
