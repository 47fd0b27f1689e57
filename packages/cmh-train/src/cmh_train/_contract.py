"""What a cross-modal hashing method is: the class that every method package implements."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The two kinds of items: "image" or "text".
Modality = Literal["image", "text"]
#: What an item is encoded as: a query for items of the other modality, or an item of the database.
Role = Literal["query", "database"]
Completion = Literal["label", "neighbour", "none"]


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a method must know about its data before it can be built.

    Args:
        n_train: number of training rows, `> 0`.
        image_shape: shape of one image input: `(d_image,)` for features, `(3, height, width)` for pixels.
        text_width: width of one text input.
        n_label: number of label columns; 0 when there are no labels.
        image_mean: mean over every entry of the full image matrix, before any sample was zero-filled.
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
        image_donated: `(batch,)` bool, True where the image of another row stands in for one that was removed
            (`partners` of `fit`); None: nowhere.
        text_donated: `(batch,)` bool, likewise.
    """

    image: torch.Tensor
    text: torch.Tensor
    label: torch.Tensor | None
    index: torch.Tensor
    image_present: torch.Tensor
    text_present: torch.Tensor
    image_donated: torch.Tensor | None = None
    text_donated: torch.Tensor | None = None

    @property
    def has_image(self) -> torch.Tensor:
        """`(batch,)` bool, True where `image` holds a real image, the sample's own or another row's."""
        return self.image_present if self.image_donated is None else self.image_present | self.image_donated

    @property
    def has_text(self) -> torch.Tensor:
        """`(batch,)` bool, True where `text` holds a real text, the sample's own or another row's."""
        return self.text_present if self.text_donated is None else self.text_present | self.text_donated


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """The whole training set on the method's device: the tensors that training itself reads, not copies.

    Args:
        image: `(n_train, *image_shape)` raw images in the type they came in, for example uint8 pixels. A
            sample whose image was removed holds the fill value.
        text: `(n_train, text_width)` raw texts in the type they came in, any real dtype. Likewise.
        label: `(n_train, n_label)` zeros and ones, floating point as the weights, or None.
        image_present: `(n_train,)` bool, False where the image was removed.
        text_present: `(n_train,)` bool, False where the text was removed.
        completed: whether batches hold items of other rows in the place of missing ones, by `partners` of
            `fit`; the presence flags and these tensors stay as they are.
    """

    image: torch.Tensor
    text: torch.Tensor
    label: torch.Tensor | None
    image_present: torch.Tensor
    text_present: torch.Tensor
    completed: bool = False


class MethodConfig(BaseModel):
    """The options that every method has; each method adds its own. Frozen, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int = Field(default=64, ge=8, le=512, description="code length")
    epochs: int = Field(default=300, ge=1, description="passes over the training set")
    batch_size: int = Field(default=128, ge=1, description="samples in one step")


class FullBatchConfig(MethodConfig):
    """The options of a method whose step takes all training rows; see `HashingMethod.full_batch`.

    Example:
        >>> FullBatchConfig(bits=16, epochs=15, batch_size=64).batch_size
        0
    """

    epochs: int = Field(default=15, ge=1, description="rounds over the training set")
    batch_size: int = Field(
        default=0, ge=0, description="0: a round takes all training rows, whatever is given here"
    )

    @field_validator("batch_size")
    @classmethod
    def _all_rows(cls, _given: int) -> int:
        return 0


class HashingMethod(torch.nn.Module):
    """A cross-modal hashing method in training and in use.

    A method owns its optimisers and keeps what it knows of the whole training set (codes, label memory) as
    buffers of fixed shape, so that a state dict is the whole state. It draws random numbers from torch's
    default generators, which `build_method` and `fit` seed and restore afterwards.

    Most methods have one code space: the code of an item is the same whether it queries or is ranked. Where
    images and texts are ranked in spaces of their own, of different code lengths perhaps, a method sets
    `one_space` to False: `encode` gives the code of a query, in the space of the items that it is compared
    with, `encode_database` that of a ranked item in its own space, and `code_length` the bits of each space.

    A method that is fitted as a whole, in closed-form rounds and not in batches, sets `full_batch`: every
    epoch is then one round, a single `update` with all training rows, so that losses, checkpoints,
    interruptions and evaluations between rounds are those of any other method. What it needs of all rows
    (kernels, anchors) it makes in `begin_training`, where it starts in `begin_epoch(0)`, and what is fitted
    to the finished codes, such as hash functions, in `prepare_encoding`. It trains on the rows that have a
    modality, by the presence flags: numbers of images and of texts may differ, and no row need have both.

    Class attributes:
        one_space: whether the codes of images and texts, of queries and of the database, lie in one space.
        full_batch: a step takes all training rows at once, in their order; `batch_size` plays no part.
        drop_last: leave out the last batch of an epoch when it is not full.
        encode_batch_size: rows that `encode` must get at once because codes depend on the batch; None: any
            number.
        training_batch_size: rows that `fit` must give in a step (all, where there are fewer), for a method
            that counts on them when it encodes; None: any number.
        smallest_batch: a last batch with fewer samples is left out, for example 2 where batch norm needs a
            variance.

    Args:
        config: the options; kept as `config`, and their code length as `bits`.
        data_spec: the data it is built for; kept as `data_spec`. `fit` and `encode_dataset` check against it.
            `build_method` sets what a method has not handed on.

    Example:
        >>> class LinearMethod(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.image_net = torch.nn.Linear(data_spec.image_shape[0], self.bits)
        ...         self.text_net = torch.nn.Linear(data_spec.text_width, self.bits)
        ...
        ...     def encode(self, modality, features):
        ...         self._check_input(modality, features)
        ...         return (self.image_net if modality == "image" else self.text_net)(features)
        >>> method = LinearMethod(MethodConfig(bits=16), DataSpec(n_train=8, image_shape=(4,), text_width=3))
        >>> method.encode("text", torch.ones(2, 3)).shape
        torch.Size([2, 16])
    """

    one_space: ClassVar[bool] = True
    full_batch: ClassVar[bool] = False
    drop_last: ClassVar[bool] = False
    encode_batch_size: int | None = None
    training_batch_size: int | None = None
    smallest_batch: int = 1
    data_spec: DataSpec | None = None
    config: MethodConfig | None = None
    bits: int

    def __init__(self, config: MethodConfig | None = None, data_spec: DataSpec | None = None) -> None:
        super().__init__()
        self.config, self.data_spec = config, data_spec
        if config is not None:
            self.bits = config.bits

    def begin_training(self, rows: TrainingRows) -> None:
        """Look at the whole training set; called before the first epoch and again after a checkpoint.

        Here a method keeps the labels for its updates at the end of an epoch, or measures what scales its
        inputs. It may wait for the device. `prepare_untrained` calls it for a method that is not trained.

        Args:
            rows: the training set on the method's device; `image` is `(n_train, *image_shape)`.
        """

    def draw_batches(
        self, n_train: int, batch_size: int, generator: torch.Generator
    ) -> Sequence[torch.Tensor]:
        """Draw the rows of every step of an epoch; `fit` calls it before `begin_epoch`, unless `full_batch`.

        Each row comes once, in random order. A method that takes its steps otherwise, for example with a
        fresh permutation for every step, replaces this.

        Args:
            n_train: number of training rows.
            batch_size: rows in a step, `<= n_train`.
            generator: on the CPU, seeded anew for every epoch; nothing else may be random here.

        Returns:
            The rows of each step, `(batch,)` int64 on the CPU, at least one step.
        """
        order = torch.randperm(n_train, generator=generator)
        rest = n_train % batch_size
        if rest and (self.drop_last or rest < self.smallest_batch):
            order = order[:-rest]
        return torch.split(order, batch_size)

    def begin_epoch(self, epoch: int) -> None:
        """Do what is due before the first batch of an epoch.

        Args:
            epoch: counted from 0.
        """

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take one training step without waiting for the device.

        Args:
            batch: `image` is `(batch, *image_shape)`, and so on.

        Returns:
            Named losses: detached scalars `()`, floating point, of the same names in every step. Their
            weighted sum is called `total` and comes after its parts, so that the part that became NaN is
            named.

        Raises:
            NotImplementedError: if a method has no training.
        """
        raise NotImplementedError

    def sample_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what each sample of a batch contributes to the loss of the networks, without a step.

        A method that has it sets `MethodSpec.sample_losses`. It changes nothing and draws no random numbers.

        Args:
            batch: as in `update`.

        Returns:
            `(batch,)` floating point for each named loss that `update` counts in `total`, weighted as there:
            the terms of all samples add up to the batch's `total`. What belongs to two samples alike, such as
            a pair of a similarity matrix, is counted half for each of them.

        Raises:
            NotImplementedError: if the method does not tell its samples' losses apart.
        """
        raise NotImplementedError

    def end_epoch(self, epoch: int) -> None:
        """Do what is due after the last batch of an epoch: learning-rate schedules, code updates.

        Args:
            epoch: counted from 0.
        """

    def prepare_encoding(self) -> None:
        """Make ready to encode after training went on, for example fit hash functions to the codes so far.

        `fit` calls it after the last epoch and `encode_dataset` before it encodes, so that a method that is
        encoded with after some of its epochs only fits after those. It must change nothing where nothing was
        trained since the last call, and draw no random numbers.
        """

    def encode(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to real-valued codes; a bit is 1 where the value is `>= 0`.

        The method applies its own scaling of inputs (by the statistics in `DataSpec`, or those that it
        measured in `begin_training`), so callers give raw features. The caller sets evaluation mode and
        disables gradients; `encode_dataset` does both.

        Args:
            modality: "image" or "text".
            features: `(n, *image_shape)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` floating point.

        Raises:
            NotImplementedError: if a method has no codes.
        """
        raise NotImplementedError

    def encode_database(self, modality: Modality, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to the codes by which items are ranked; by default those of `encode`.

        Args:
            modality: "image" or "text".
            features: `(n, *image_shape)` or `(n, text_width)` floating point.

        Returns:
            `(n, bits)` floating point, with the bits of `code_length(modality)`.
        """
        return self.encode(modality, features)

    def code_length(self, modality: Modality) -> int:
        """Return the bits of the codes by which items of a modality are ranked; by default `bits`.

        Args:
            modality: "image" or "text".
        """
        del modality
        return self.bits

    def learned_codes(self, modality: Modality) -> torch.Tensor | None:
        """Return codes of the training items that were learned with the method, where these are ranked.

        Some methods learn the codes of their training items from the items' labels, and their authors rank
        those instead of what the hash function makes of the items: such a method has the option
        `database="learned"`. The numbers that follow have seen the labels of what is ranked.

        Args:
            modality: "image" or "text".

        Returns:
            None, the default: the database is encoded as any new item is. Otherwise `(n_train, bits)`
            floating point without zeros; rows that lack the modality mean nothing.
        """
        del modality
        return None

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimisers by name, so that checkpoints hold their state."""
        return {}

    def _check_input(self, modality: Modality, features: torch.Tensor) -> None:
        """Refuse inputs that the method was not built for; an `encode` begins with it.

        Raises:
            ValueError: for an unknown modality or another shape than `data_spec` says.
        """
        check_shape(self.data_spec, modality, tuple(features.shape))

    def _check_batch(self, batch: Batch) -> None:
        """Refuse a batch that the method was not built for; an `update` begins with it.

        Raises:
            ValueError: for other shapes than `data_spec` says, or labels that are missing or too many.
        """
        self._check_input("image", batch.image)
        self._check_input("text", batch.text)
        wanted = 0 if self.data_spec is None else self.data_spec.n_label
        given = 0 if batch.label is None else batch.label.shape[1]
        if wanted and wanted != given:
            raise ValueError(
                f"label must have {wanted} columns, as the method was built for, but it has {given}; "
                "build the method with the spec of these data (TrainingData.spec)"
            )


def check_shape(spec: DataSpec | None, modality: str, shape: tuple[int, ...]) -> None:
    """Refuse inputs of another shape than a method was built for.

    Args:
        spec: what it was built for; None: unknown, nothing is compared.
        modality: "image" or "text".
        shape: `(n, *image_shape)` or `(n, text_width)`.

    Raises:
        ValueError: for an unknown modality or another shape.
    """
    if modality not in get_args(Modality):
        raise ValueError(f"modality must be 'image' or 'text', but it is {modality!r}")
    if spec is None:
        return
    expected = spec.image_shape if modality == "image" else (spec.text_width,)
    if shape[1:] != expected:
        raise ValueError(
            f"{modality} inputs must have shape {expected}, as the method was built for, "
            f"but they have {shape[1:]}; give features as it was trained with or build it with the spec of "
            "these data"
        )


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
        presets: named option sets, for example of the paper's data sets: instances of `config_type`, or
            dictionaries, which become such. "small" is for data sets of a few thousand rows on a CPU. A
            preset fixes options and no widths of inputs: other features of the same data set may be used
            with it.
        aliases: other names that it is found by, lower case.
        completion: which donors `--complete auto` gives this method for missing items, `"label"`,
            `"neighbour"` or `"none"`. By default by label for a supervised method, by neighbour for another.
        needs_pairs: False for a method that trains on each modality's own rows: images and texts may differ
            in number and share no row, and completing what is missing would change nothing.
        fine_tuned: the networks that the authors train further, for example "CNN-F", where this method takes
            their features as they are: its results are marked "frozen features" and cannot be expected to
            reach the published ones. None: features are fixed in the original too.
        sample_losses: whether the method tells its samples' losses apart (`HashingMethod.sample_losses`), so
            that `score_samples` can rank them.

    Raises:
        ValueError: for a preset with an unknown option or a value out of range; the message names it.

    Example:
        >>> spec = MethodSpec(
        ...     name="linear",
        ...     title="Two linear layers",
        ...     config_type=MethodConfig,
        ...     build=HashingMethod,
        ...     supervised=False,
        ...     presets={"small": {"epochs": 5}},
        ... )
        >>> spec.presets["small"].epochs
        5
    """

    name: str
    title: str
    config_type: type[MethodConfig]
    build: Callable[[MethodConfig, DataSpec], HashingMethod]
    supervised: bool
    presets: Mapping[str, MethodConfig]
    aliases: tuple[str, ...] = ()
    completion: Completion | None = None
    needs_pairs: bool = True
    fine_tuned: str | None = None
    sample_losses: bool = False

    def __post_init__(self) -> None:
        if self.completion is None:
            by_default = "label" if self.supervised else "neighbour"
            object.__setattr__(self, "completion", by_default if self.needs_pairs else "none")
        presets = {name: self._preset(name, preset) for name, preset in self.presets.items()}
        object.__setattr__(self, "presets", MappingProxyType(presets))

    def _preset(self, name: str, preset: object) -> MethodConfig:
        if isinstance(preset, self.config_type):
            return preset
        try:
            return self.config_type.model_validate(preset)
        except ValidationError as error:
            raise ValueError(f"preset {name!r}: {explain_options(self, error)}") from None


def explain_options(spec: MethodSpec, error: ValidationError) -> str:
    """Say in one sentence which option of a method is wrong, and why."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(spec.config_type.model_fields)
        return f"method {spec.name!r} has no option {name!r}; options: {known}"
    if not name:
        return f"method {spec.name!r}: {first['msg']}"
    return f"option {name!r} of method {spec.name!r}: {first['msg']}, not {first['input']!r}"
