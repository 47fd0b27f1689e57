"""What a cross-modal hashing method is: the class that every method package implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Modality = Literal["image", "text"]


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a method must know about its data before it can be built.

    Args:
        n_train: number of training rows, `> 0`.
        image_shape: shape of one image input: `(d_image,)` for features, `(3, height, width)` for pixels.
        text_width: width of one text input.
        n_label: number of label columns; 0 when there are no labels.
        image_mean: mean over every entry of the full image matrix, before any sample was emptied.
        image_std: standard deviation over the same entries, `> 0`.
    """

    n_train: int
    image_shape: tuple[int, ...]
    text_width: int
    n_label: int = 0
    image_mean: float = 0.0
    image_std: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One training batch, already on the method's device.

    Args:
        image: `(batch, *image_shape)` floating point. A sample whose image was removed holds the fill value.
        text: `(batch, text_width)` floating point. Likewise.
        label: `(batch, n_label)` floating point zeros and ones, or None.
        index: `(batch,)` int64, rows of the training set.
        image_present: `(batch,)` bool, False where the image was removed.
        text_present: `(batch,)` bool, False where the text was removed.
    """

    image: torch.Tensor
    text: torch.Tensor
    label: torch.Tensor | None
    index: torch.Tensor
    image_present: torch.Tensor
    text_present: torch.Tensor


class MethodConfig(BaseModel):
    """The options that every method has; each method adds its own. Frozen, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int = Field(default=64, ge=8, le=512, description="code length")
    epochs: int = Field(default=300, ge=1, description="passes over the training set")
    batch_size: int = Field(default=128, ge=1, description="samples in one step")


class HashingMethod(torch.nn.Module):
    """A cross-modal hashing method in training and in use.

    A method owns its optimisers and keeps what it knows of the whole training set (codes, labels, label
    memory) as buffers of fixed shape, so that a state dict is the whole state. It draws random numbers from
    torch's default generators, which `fit` seeds for every epoch and restores afterwards.

    Class attributes:
        drop_last: leave out the last batch of an epoch when it is not full.
        encode_batch_size: rows that `encode` must get at once because codes depend on the batch; None: any
            number.
        training_batch_size: rows that `fit` must give in a step (all, where there are fewer), for a method
            that counts on them when it encodes; None: any number.
        smallest_batch: a last batch with fewer samples is left out, for example 2 where batch norm needs a
            variance.
        data_spec: the data it was built for; `build_method` sets it, `fit` and `encode_dataset` check against
            it.
        config: the options it was built with; `build_method` sets it, checkpoints hold it.
    """

    drop_last: ClassVar[bool] = False
    encode_batch_size: int | None = None
    training_batch_size: int | None = None
    smallest_batch: int = 1
    data_spec: DataSpec | None = None
    config: MethodConfig | None = None
    bits: int

    def begin_training(self, label: torch.Tensor | None) -> None:
        """Called once before the first epoch, and again after a checkpoint was loaded.

        Args:
            label: `(n_train, n_label)` floating point labels of the whole training set on the method's
                device, or None.
        """

    def see_images(self, image: torch.Tensor, present: torch.Tensor) -> None:
        """Called after every `begin_training`, for a method that scales images by the training rows alone.

        It may wait for the device. A method that was not trained may be shown images, too.

        Args:
            image: `(n_train, *image_shape)` raw images on the method's device, in the type they came in.
            present: `(n_train,)` bool, False where the image was removed.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first batch of every epoch, counted from 0."""

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one training step; return its named losses, detached, without waiting for the device.

        The names are the same in every step. A sum of losses comes after its parts, so that the part that
        became NaN is named.
        """
        raise NotImplementedError

    def end_epoch(self, epoch: int) -> None:
        """Called after the last batch of every epoch: learning-rate schedules, code updates."""

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to real-valued codes; a bit is 1 where the value is `>= 0`.

        The method applies its own scaling of inputs (by the statistics in `DataSpec`, or those that
        `see_images` took), so callers give raw features. The caller sets evaluation mode and disables
        gradients; `encode_dataset` does both.

        Args:
            modality: "image" or "text".
            features: `(n, *image_shape)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` floating point.
        """
        raise NotImplementedError

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """The optimisers by name, so that checkpoints hold their state."""
        return {}


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """How to find and build a method; packages publish one in the entry-point group `cmh.methods`.

    Args:
        name: the name on the command line, lower case.
        title: name, authors, venue: one line.
        config_type: the method's options.
        build: makes the method from its options and the data's shapes; initial weights come from torch's
            default generator.
        supervised: whether training needs labels.
        presets: named option sets, for example of the paper's data sets. "small" is for data sets of a few
            thousand rows on a CPU. A preset fixes options and no widths of inputs: other features of the same
            data set may be used with it.
    """

    name: str
    title: str
    config_type: type[MethodConfig]
    build: Callable[[MethodConfig, DataSpec], HashingMethod]
    supervised: bool
    presets: Mapping[str, MethodConfig]
