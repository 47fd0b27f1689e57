"""Training steps to time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from cmh_train import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cmh_train import HashingMethod

B = TypeVar("B")


def random_steps(
    method: HashingMethod,
    image: torch.Tensor,
    text: torch.Tensor,
    label: torch.Tensor | None = None,
    *,
    batch_size: int,
) -> Callable[[], None]:
    """Return what takes one step of a method each time it is called, on rows picked at random.

    Args:
        method: as built; its first epoch is begun.
        image: `(n, ...)` floating point, on the method's device, with nothing missing.
        text: `(n, text_width)` floating point.
        label: `(n, n_label)` floating point, of a supervised method.
        batch_size: rows in a step.

    Returns:
        A function without arguments.

    Example:
        >>> from cmh_testing import example_data
        >>> from cmh_train import HashingMethod
        >>> class Counting(HashingMethod):
        ...     sizes = []
        ...
        ...     def update(self, batch):
        ...         self.sizes.append(len(batch.index))
        >>> step = random_steps(Counting(), torch.ones(9, 4), torch.ones(9, 3), batch_size=5)
        >>> step(), step(), Counting.sizes
        (None, None, [5, 5])
    """
    method.begin_epoch(0)
    everything = torch.ones(batch_size, dtype=torch.bool, device=image.device)

    def step() -> None:
        index = torch.randperm(len(image), device=image.device)[:batch_size]
        method.update(
            Batch(
                image=image[index],
                text=text[index],
                label=None if label is None else label[index],
                index=index,
                image_present=everything,
                text_present=everything,
            )
        )

    return step


def loader_steps(loader: Iterable[B], step: Callable[[B], object]) -> Callable[[], None]:
    """Return what gives the next batch of a loader to `step` each time it is called, without end.

    Args:
        loader: for example a `torch.utils.data.DataLoader`; begun anew when it is through.
        step: called with one batch.

    Returns:
        A function without arguments.

    Example:
        >>> seen = []
        >>> steps = loader_steps("ab", seen.append)
        >>> steps(), steps(), steps(), seen
        (None, None, None, ['a', 'b', 'a'])
    """
    batches = iter(loader)

    def next_step() -> None:
        nonlocal batches
        try:
            batch = next(batches)
        except StopIteration:
            batches = iter(loader)
            batch = next(batches)
        step(batch)

    return next_step
