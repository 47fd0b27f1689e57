"""What methods share whose codes come from one network for images and one for texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field

from cmh_train._contract import HashingMethod, MethodConfig
from cmh_train._device import at_least_float32

if TYPE_CHECKING:
    from cmh_train._contract import DataSpec, Modality


class TwoNetworkConfig(MethodConfig):
    """Options of a `TwoNetworkMethod`.

    Example:
        >>> TwoNetworkConfig(standardise="matrix").standardise
        'matrix'
    """

    standardise: Literal["none", "matrix"] = Field(
        default="none",
        description="what scales the images; none: nothing (program); matrix: one mean and deviation of the "
        "whole matrix, needed where features are signed and large (ours)",
    )


class TwoNetworkMethod(HashingMethod):
    """A method whose codes are the tanh of a network for images and of one for texts, each row for itself.

    A method sets `image_net` and `text_net`, networks from `(n, width)` to `(n, bits)`, and gets `encode`.
    It changes `_image_input`, `_text_input` or `_code` where its inputs or codes are made otherwise.

    Args:
        config: the options, a `TwoNetworkConfig`.
        data_spec: shapes of the data, and the images' mean and deviation for `standardise`.

    Example:
        >>> from cmh_train import DataSpec
        >>> class LinearMethod(TwoNetworkMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.image_net = torch.nn.Linear(image_feature_width(data_spec, "Linear"), self.bits)
        ...         self.text_net = torch.nn.Linear(data_spec.text_width, self.bits)
        >>> spec = DataSpec(n_train=8, image_shape=(4,), text_width=3)
        >>> LinearMethod(TwoNetworkConfig(bits=16), spec).encode("text", torch.ones(2, 3)).shape
        torch.Size([2, 16])
    """

    image_net: torch.nn.Module
    text_net: torch.nn.Module
    config: TwoNetworkConfig
    data_spec: DataSpec

    def __init__(self, config: TwoNetworkConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to codes in -1..1, each row for itself.

        Args:
            modality: "image" or "text".
            features: `(n, *image_shape)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` of the weights' dtype, float32 under autocast.

        Raises:
            ValueError: for features of another shape than the method was built for.
        """
        self._check_input(modality, features)
        if modality == "text":
            return self._code(self.text_net(self._text_input(features)))
        return self._code(self.image_net(self._image_input(features)))

    def _image_input(self, image: torch.Tensor) -> torch.Tensor:
        """Scale raw images as `standardise` says."""
        if self.config.standardise == "none":
            return image
        return (image - self.data_spec.image_mean) / self.data_spec.image_std

    def _text_input(self, text: torch.Tensor) -> torch.Tensor:
        """Give raw texts to the network as they are."""
        return text

    def _code(self, output: torch.Tensor) -> torch.Tensor:
        """Make codes of what a network gave."""
        return torch.tanh(at_least_float32(output))


class SharpenedMethod(TwoNetworkMethod):
    """A `TwoNetworkMethod` whose codes are `tanh(a x)` with `a = sqrt(epoch + 1)`, as in DJSRH and after it.

    Args:
        config: the options, a `TwoNetworkConfig`.
        data_spec: shapes of the data.

    Example:
        >>> from cmh_train import DataSpec
        >>> method = SharpenedMethod(
        ...     TwoNetworkConfig(), DataSpec(n_train=8, image_shape=(4,), text_width=3)
        ... )
        >>> method.begin_epoch(3)
        >>> method.code_sharpness
        tensor(2.)

    Source: Cao, Long, Wang, Yu, "HashNet", ICCV 2017; Su, Zhong, Zhang, ICCV 2019.
    """

    code_sharpness: torch.Tensor  # a

    def __init__(self, config: TwoNetworkConfig, data_spec: DataSpec) -> None:
        super().__init__(config, data_spec)
        self.register_buffer("code_sharpness", torch.ones(()))

    def begin_epoch(self, epoch: int) -> None:
        """Sharpen the codes' tanh.

        Args:
            epoch: counted from 0.
        """
        self.code_sharpness.fill_(math.sqrt(epoch + 1))

    def _code(self, output: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.code_sharpness * at_least_float32(output))


def image_feature_width(data_spec: DataSpec, method: str) -> int:
    """Return the width of the images' features, for a method that takes no pixels.

    Args:
        data_spec: shapes of the data.
        method: its name, for the message.

    Returns:
        The width of a row.

    Raises:
        ValueError: images are pixels.

    Example:
        >>> from cmh_train import DataSpec
        >>> image_feature_width(DataSpec(n_train=8, image_shape=(4,), text_width=3), "CFRH")
        4
    """
    if len(data_spec.image_shape) != 1:
        raise ValueError(
            f"images of {method} must be features, one row each, "
            f"but they have shape {data_spec.image_shape}; encode the pixels first, for example with CLIP"
        )
    return data_spec.image_shape[0]
