"""The training loop."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cmh_train._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cmh_train._contract import Batch, TrainingRows
from cmh_train._data import to_tensor
from cmh_train._device import Precision, autocast_for, check_precision, find_device, weight_dtype
from cmh_train._memory import check_memory
from cmh_train._partners import draw_partners
from cmh_train._record import EpochRecord, FitResult
from cmh_train._seeds import (
    BEGIN,
    COMPLETION,
    ORDER,
    STEPS,
    VIEWS,
    check_seed,
    derive_seed,
    deterministic_cudnn,
    preserve_rng_state,
    seed_generators,
)
from cmh_train._views import draw_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cmh_train._contract import HashingMethod
    from cmh_train._data import TrainingData
    from cmh_train._partners import Partners
    from cmh_train._views import ImageViews

_WEIGHTS = "weights"


class TrainingDivergedError(ValueError):
    """A loss or the weights became NaN or infinite.

    Gradients are not looked at by themselves: an optimiser that gets one that is not finite makes weights of
    it that are not, and their norms are read once an epoch.

    Args:
        name: the first loss that was not finite, or "weights": all losses became so in the same step, so the
            step before it had spoiled the weights, or no loss has met the weights yet.
        epoch: counted from 0.
        step: of the epoch, counted from 0.
    """

    def __init__(self, name: str, epoch: int, step: int) -> None:
        super().__init__(
            f"{name} became NaN or infinite in epoch {epoch}, step {step}; "
            "try a smaller learning rate or precision='float32'"
        )
        self.name = name
        self.epoch = epoch
        self.step = step


def fit(
    method: HashingMethod,
    data: TrainingData,
    *,
    epochs: int,
    batch_size: int,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    seed: int = 0,
    on_epoch_end: Callable[[EpochRecord], None] | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    partners: Partners | None = None,
    image_views: ImageViews | None = None,
) -> FitResult:
    """Train a method. The same seed on the same machine gives the same result, interrupted or not.

    The data lie on the device as a whole and steps pick their rows there. Nothing waits for the device inside
    an epoch; losses come back once at its end.

    Args:
        method: trained in place; moved to `device` and `precision` first, its optimisers too.
        data: the training rows.
        epochs: passes over the rows, `>= 1`; of a method with `full_batch`, rounds.
        batch_size: rows in a step, between 1 and the number of rows. A last batch that is not full is used
            too, unless the method says otherwise. A method whose codes depend on the batch takes the one it
            was built with, or all rows where there are fewer. A method with `full_batch` takes all rows,
            whatever is given.
        device: "cpu", "cuda", "cuda:1".
        precision: "float32"; "bf16": float32 weights, matrix products in bfloat16; "float64".
        seed: non-negative; decides the order of rows and every number that the method draws.
        on_epoch_end: called with each `EpochRecord`. It may encode with the method; it cannot disturb the
            run's random numbers. After an interruption it may see an epoch again.
        checkpoint: save after epochs, and continue from the file where it is there: a path, or a
            `Checkpoint`.
        partners: real items that stand in for missing ones, drawn anew in every epoch, such as
            `cmh_unpair.find_donors` gives for the same training rows. What is present stays as it is, the
            presence flags too; nothing is copied, a step picks other rows. None: missing items stay as they
            are in `data`.
        image_views: gives the features of the images anew in every step, such as those of random crops;
            `begin_training` sees those in `data`. None: they are those in `data` in every step.

    Returns:
        The named losses and the time of every epoch.

    Raises:
        TrainingDivergedError: at the end of an epoch in which a loss or the weights became NaN or infinite.
        ValueError: for settings that do not fit the data, the device or the checkpoint.

    Example:
        >>> from cmh_train import HashingMethod, MethodConfig, TrainingData
        >>> class Bias(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.bias = torch.nn.Parameter(torch.zeros(()))
        ...         self.adam = torch.optim.Adam(self.parameters())
        ...
        ...     def update(self, batch):
        ...         total = (self.bias - batch.image.mean()).square()
        ...         self.adam.zero_grad()
        ...         total.backward()
        ...         self.adam.step()
        ...         return {"total": total.detach()}
        ...
        ...     def optimisers(self):
        ...         return {"adam": self.adam}
        >>> data = TrainingData.from_arrays(image=[[1.0, 2.0]] * 4, text=[[1.0]] * 4)
        >>> method = Bias(MethodConfig(), data.spec)
        >>> [round(loss, 2) for loss in fit(method, data, epochs=2, batch_size=4).losses["total"]]
        [2.25, 2.25]
    """
    target = find_device(device)
    check_precision(precision)
    check_seed(seed)
    _check_sizes(method, data, epochs=epochs, batch_size=batch_size)
    for name, given in (("partners", partners), ("image_views", image_views)):
        if method.full_batch and given is not None:
            raise ValueError(
                f"{name} must be None for a method that trains on each modality's own rows (full_batch), "
                f"but they are given; leave them out"
            )
    check_memory(method, data, target, precision)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(path=checkpoint)

    dtype = weight_dtype(precision)
    method.to(target, dtype)
    _move_optimisers(method)
    rows = _DeviceRows(data, target, dtype, partners, image_views)
    run = _describe_run(method, data, batch_size=batch_size, precision=precision, seed=seed)
    run["partners"] = None if partners is None else partners.digest
    run["image_views"] = None if image_views is None else image_views.digest
    records: list[EpochRecord] = []
    if checkpoint is not None and Path(checkpoint.path).exists():
        records.extend(load_checkpoint(checkpoint.path, method, run=run))
        if len(records) > epochs:
            raise ValueError(
                f"{checkpoint.path} holds {len(records)} epochs already, more than epochs={epochs}; "
                "ask for at least as many, or give another checkpoint file to train anew"
            )
    resumed_from = len(records)
    last_save = time.monotonic()
    with preserve_rng_state(target), deterministic_cudnn():
        seed_generators(target, derive_seed(seed, BEGIN))
        method.begin_training(rows.tensors)
        for epoch in range(resumed_from, epochs):
            record = _run_epoch(
                method, rows, epoch, epochs=epochs, batch_size=batch_size, seed=seed, precision=precision
            )
            records.append(record)
            if on_epoch_end is not None:
                on_epoch_end(record)
            if checkpoint is None:
                continue
            if epoch + 1 == epochs or time.monotonic() - last_save >= 60 * checkpoint.every_minutes:
                save_checkpoint(checkpoint.path, method, epochs=records, run=run)
                last_save = time.monotonic()
    return FitResult(epochs=tuple(records), resumed_from=resumed_from)


def prepare_untrained(method: HashingMethod, data: TrainingData, *, seed: int = 0) -> None:
    """Let a method that is not trained look at the training rows, so that it scales inputs as if it were.

    `fit` does the same before the first epoch. The method stays on its device and in its precision.

    Args:
        method: `begin_training` is called.
        data: the training rows, images `(n_train, *image_shape)` and texts `(n_train, text_width)`.
        seed: non-negative; the same as for `fit`.

    Raises:
        ValueError: if the method was built for other data.

    Example:
        >>> from cmh_train import HashingMethod, MethodConfig, TrainingData
        >>> class Centred(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.scale = torch.nn.Parameter(torch.ones(()))
        ...
        ...     def begin_training(self, rows):
        ...         self.centre = rows.image.mean(dim=0)
        >>> data = TrainingData.from_arrays(image=[[1.0, 2.0], [3.0, 4.0]], text=[[1.0]] * 2)
        >>> method = Centred(MethodConfig(), data.spec)
        >>> prepare_untrained(method, data)
        >>> method.centre.tolist()
        [2.0, 3.0]
    """
    check_seed(seed)
    _check_spec(method, data)
    parameter = next(method.parameters())
    with preserve_rng_state(parameter.device):
        seed_generators(parameter.device, derive_seed(seed, BEGIN))
        method.begin_training(_DeviceRows(data, parameter.device, parameter.dtype).tensors)


class _DeviceRows:
    """The training rows on the device, in their own compact types; a batch is made of floating point."""

    def __init__(
        self,
        data: TrainingData,
        device: torch.device,
        dtype: torch.dtype,
        partners: Partners | None = None,
        image_views: ImageViews | None = None,
    ) -> None:
        self.dtype = dtype
        self.partners = partners
        self.image_views = image_views
        self.n_train = data.spec.n_train
        self.device = device
        self.tensors = TrainingRows(
            image=to_tensor(data.image).to(device),
            text=to_tensor(data.text).to(device),
            label=None if data.label is None else to_tensor(data.label).to(device, dtype),
            image_present=to_tensor(data.image_present).to(device),
            text_present=to_tensor(data.text_present).to(device),
            completed=partners is not None,
        )

    def everything(self) -> Batch:
        """All rows in their order, not copied where they have the right type."""
        rows = self.tensors
        return Batch(
            image=rows.image.to(self.dtype),
            text=rows.text.to(self.dtype),
            label=rows.label,
            index=torch.arange(self.n_train, device=self.device),
            image_present=rows.image_present,
            text_present=rows.text_present,
        )

    def batches(self, indices: Sequence[torch.Tensor], seed: int, *, epoch: int) -> Iterator[Batch]:
        rows = self.tensors
        image_rows, text_rows = self._item_rows(derive_seed(seed, COMPLETION, epoch))
        rng = np.random.default_rng(derive_seed(seed, VIEWS, epoch))
        for index in indices:
            of_images, images_donated = self._taken(index, image_rows, rows.image_present)
            of_texts, texts_donated = self._taken(index, text_rows, rows.text_present)
            yield Batch(
                image=self._images(of_images, rng),
                text=rows.text[of_texts].to(self.dtype),
                label=None if rows.label is None else rows.label[index],
                index=index,
                image_present=rows.image_present[index],
                text_present=rows.text_present[index],
                image_donated=images_donated,
                text_donated=texts_donated,
            )

    @staticmethod
    def _taken(
        index: torch.Tensor, item_rows: torch.Tensor | None, present: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The rows that give some rows their item, and where that is a real item of another row."""
        if item_rows is None:
            return index, None
        taken = item_rows[index]
        return taken, (taken != index) & present[taken]

    def _images(self, index: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """The images of some rows, or a new view of each that is there."""
        image = self.tensors.image[index].to(self.dtype)
        if self.image_views is None:
            return image
        there = self.tensors.image_present[index]
        drawn = draw_views(self.image_views, index[there].cpu().numpy(), tuple(image.shape[1:]), rng)
        image[there] = torch.from_numpy(drawn).to(image)
        return image

    def _item_rows(self, seed: int) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
        """The rows that give each row its image and its text in one epoch; None: itself."""
        if self.partners is None:
            return None, None
        image_rows, text_rows = draw_partners(self.partners, self.n_train, seed)
        return torch.from_numpy(image_rows).to(self.device), torch.from_numpy(text_rows).to(self.device)


def _run_epoch(
    method: HashingMethod,
    rows: _DeviceRows,
    epoch: int,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    precision: Precision,
) -> EpochRecord:
    started = time.perf_counter()
    batches = _batches(method, rows, epoch, batch_size, seed)
    seed_generators(rows.device, derive_seed(seed, STEPS, epoch))
    method.train()
    method.begin_epoch(epoch)
    totals = _LossTotals(rows.dtype)
    for batch in batches:
        with autocast_for(precision, rows.device):
            losses = method.update(batch)
        totals.add(losses)
    method.end_epoch(epoch)
    if epoch + 1 == epochs:
        method.prepare_encoding()
    means = totals.read(method, epoch)
    return EpochRecord(epoch=epoch, losses=means, seconds=time.perf_counter() - started)


def _batches(
    method: HashingMethod, rows: _DeviceRows, epoch: int, batch_size: int, seed: int
) -> Iterable[Batch]:
    if method.full_batch:
        return [rows.everything()]
    generator = torch.Generator().manual_seed(derive_seed(seed, ORDER, epoch))
    drawn = method.draw_batches(rows.n_train, batch_size, generator)
    indices = torch.split(torch.cat(tuple(drawn)).to(rows.device), [len(index) for index in drawn])
    return rows.batches(indices, seed, epoch=epoch)


class _LossTotals:
    """The losses of an epoch, summed on the device, and how many steps each of them stayed finite."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._names: tuple[str, ...] = ()
        self._n_step = 0

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        self._check(losses)
        values = torch.stack([loss.to(self._dtype) for loss in losses.values()])
        if self._n_step == 0:
            self._names = tuple(losses)
            self._sums = torch.zeros_like(values)
            self._finite = torch.ones_like(values, dtype=torch.bool)
            self._survived = torch.zeros_like(values)
        self._n_step += 1
        self._sums += values
        self._finite &= values.isfinite()
        self._survived += self._finite

    def _check(self, losses: object) -> None:
        if not isinstance(losses, dict) or not losses:
            raise ValueError(f"update must return a dictionary of named losses, but it returned {losses!r}")
        for name, loss in losses.items():
            if not isinstance(loss, torch.Tensor) or loss.ndim:
                found = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
                raise ValueError(f"loss {name!r} of update must be a scalar tensor, but it is {found}")
        if self._n_step and tuple(losses) != self._names:
            raise ValueError(
                f"update must return the same losses in every step, {', '.join(self._names)}, "
                f"but it returned {', '.join(losses)}"
            )

    def read(self, method: HashingMethod, epoch: int) -> dict[str, float]:
        """Wait for the device, once for everything, and return the means.

        Raises:
            TrainingDivergedError: a loss, or the norm of a weight, is not finite.
        """
        # Norms tell NaN weights that no loss has met yet.
        norms = torch.stack([parameter.detach().norm() for parameter in method.parameters()])
        values = torch.cat([self._sums, self._survived, norms.sum()[None]]).tolist()
        n_loss = len(self._names)
        sums, survived, norm = values[:n_loss], values[n_loss:-1], values[-1]
        first = int(min(survived))
        if first < self._n_step:
            # Of the losses that went in one step the first counts: a sum of losses comes after its parts.
            if first > 0 and n_loss > 1 and max(survived) == first:
                raise TrainingDivergedError(_WEIGHTS, epoch, first - 1)
            raise TrainingDivergedError(self._names[survived.index(first)], epoch, first)
        if not math.isfinite(norm):
            raise TrainingDivergedError(_WEIGHTS, epoch, self._n_step - 1)
        return {name: total / self._n_step for name, total in zip(self._names, sums, strict=True)}


def _move_optimisers(method: HashingMethod) -> None:
    """After an earlier training elsewhere: put what the optimisers keep where the weights are now."""
    for optimiser in method.optimisers().values():
        if optimiser.state:
            optimiser.load_state_dict(optimiser.state_dict())  # casts and moves, and copies nothing else


def _check_sizes(method: HashingMethod, data: TrainingData, *, epochs: int, batch_size: int) -> None:
    n_train = data.spec.n_train
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, but it is {epochs}")
    _check_spec(method, data)
    if method.full_batch:
        return
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but it is {batch_size}")
    if batch_size > n_train:
        raise ValueError(
            f"batch_size is {batch_size}, but there are only {n_train} training rows; make it smaller"
        )
    if batch_size < method.smallest_batch:
        raise ValueError(
            f"batch_size is {batch_size}, but this method needs at least {method.smallest_batch} samples "
            "in a step; make it larger"
        )
    wanted = method.training_batch_size
    if wanted is not None and batch_size != min(wanted, n_train):
        raise ValueError(
            f"batch_size is {batch_size}, but the codes of this method depend on the batch and it was built "
            f"with batch_size={wanted}; give fit batch_size={min(wanted, n_train)} or build it with "
            f"batch_size={batch_size}"
        )


def _check_spec(method: HashingMethod, data: TrainingData) -> None:
    if method.data_spec is not None and method.data_spec != data.spec:
        for name, built in asdict(method.data_spec).items():
            given = getattr(data.spec, name)
            if built != given:
                raise ValueError(
                    f"the method was built for {name}={built}, but the data have {name}={given}; "
                    "build it with the spec of these data (TrainingData.spec)"
                )


def _describe_run(
    method: HashingMethod, data: TrainingData, *, batch_size: int, precision: Precision, seed: int
) -> dict[str, Any]:
    # A run may go on for more epochs than it was started with; the batch size is the one that `fit` was
    # given.
    config = (
        {}
        if method.config is None
        else method.config.model_dump(mode="json", exclude={"epochs", "batch_size"})
    )
    return {
        "method": type(method).__qualname__,
        "config": config,
        "data_spec": asdict(data.spec),
        "batch_size": data.spec.n_train if method.full_batch else batch_size,
        "precision": precision,
        "seed": int(seed),
    }
