"""The loss of every training sample: which samples a method finds hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cmh_train._device import Precision, autocast_for, check_precision
from cmh_train._fit import _DeviceRows
from cmh_train._seeds import SAMPLES, check_seed, derive_seed, deterministic_cudnn, preserve_rng_state

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cmh_train._contract import HashingMethod
    from cmh_train._data import TrainingData


def score_samples(
    method: HashingMethod,
    data: TrainingData,
    *,
    batch_size: int,
    seed: int = 0,
    precision: Precision = "float32",
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the loss of every training sample, each named term apart; nothing is trained.

    Losses of this field compare a sample with the others of its batch. So every sample is scored once, in
    evaluation mode, among others drawn at random; a last batch that is not full is filled with samples of the
    first. The same seed gives the same batches whatever the weights, so that epochs can be compared and
    averaged. Call it from `on_epoch_end` of `fit`: it disturbs neither weights nor random numbers.

    Args:
        method: has `HashingMethod.sample_losses`, and has begun training on these data.
        data: the training rows.
        batch_size: samples in a batch, `>= 1`; more than there are: all of them.
        seed: non-negative; decides which samples share a batch.
        precision: as for `fit`.

    Returns:
        Name of each term to `(n_train,)` float64. Their sum is the sample's share of the loss `total`.

    Raises:
        NotImplementedError: if the method does not tell its samples' losses apart.
        ValueError: for a batch size or seed that is none, or a method whose losses have another shape.

    Example:
        >>> from cmh_train import HashingMethod, MethodConfig, TrainingData
        >>> class Distance(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.shift = torch.nn.Parameter(torch.zeros(()))
        ...
        ...     def sample_losses(self, batch):
        ...         return {"distance": (batch.image - batch.text + self.shift).abs().sum(dim=1)}
        >>> data = TrainingData.from_arrays(image=[[1.0], [5.0], [2.0]], text=[[1.0], [1.0], [1.0]])
        >>> score_samples(Distance(MethodConfig(), data.spec), data, batch_size=2)
        {'distance': array([0., 4., 1.])}
    """
    check_precision(precision)
    check_seed(seed)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but it is {batch_size}")
    parameter = next(method.parameters())
    n_train = data.spec.n_train
    rows = _DeviceRows(data, parameter.device, parameter.dtype)
    generator = torch.Generator().manual_seed(derive_seed(seed, SAMPLES))
    order = torch.randperm(n_train, generator=generator)
    circle = torch.cat((order, order[: -n_train % min(batch_size, n_train)])).to(parameter.device)
    terms: dict[str, torch.Tensor] = {}
    was_training = method.training
    method.eval()
    try:
        with (
            torch.no_grad(),
            preserve_rng_state(parameter.device),
            autocast_for(precision, parameter.device),
            deterministic_cudnn(),
        ):
            # Backwards, so that the samples that filled the last batch keep what they have in the first.
            for batch in rows.batches(torch.split(circle, min(batch_size, n_train))[::-1], seed, epoch=0):
                for name, values in _checked(method.sample_losses(batch), len(batch.index)).items():
                    terms.setdefault(name, torch.zeros(n_train, dtype=torch.float64))
                    terms[name][batch.index.cpu()] = values.double().cpu()
    finally:
        method.train(was_training)
    return {name: values.numpy() for name, values in terms.items()}


def _checked(losses: dict[str, torch.Tensor], n: int) -> dict[str, torch.Tensor]:
    for name, values in losses.items():
        if tuple(values.shape) != (n,):
            raise ValueError(
                f"sample_losses must return ({n},) numbers for {name!r}, one for each sample, "
                f"but their shape is {tuple(values.shape)}; correct the method"
            )
    return losses
