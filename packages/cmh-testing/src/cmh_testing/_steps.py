"""What benchmarks of training steps have in common: command line, steps to time, memory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from cmh_train import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cmh_train import HashingMethod

B = TypeVar("B")


def benchmark_parser(description: str | None, script: str, *, repeats: int) -> argparse.ArgumentParser:
    """Make the command line of a benchmark: `--repeats`, `--threads`, `--device` and `--csv`.

    Args:
        description: what it times, the script's docstring.
        script: the script, `__file__`; rows go to `results.csv` beside it unless `--csv` says otherwise.
        repeats: counted calls of each way, unless `--repeats` says otherwise.

    Returns:
        The parser, for more options of the script's own.

    Example:
        >>> benchmark_parser("Time a step.", "benchmark_step.py", repeats=7).parse_args([]).repeats
        7
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--csv", type=Path, default=Path(script).with_name("results.csv"))
    return parser


def timing_options(options: argparse.Namespace, package: str) -> dict[str, Any]:
    """Set threads and the random seed as a benchmark's options say, and give what `time_ways` takes of them.

    Args:
        options: of a `benchmark_parser`.
        package: what is timed, for example "cmh-dadh"; recorded with cmh-train and torch.

    Returns:
        `repeats`, `device`, `packages` and `record` by name.

    Example:
        >>> options = benchmark_parser("Time a step.", "benchmark_step.py", repeats=7).parse_args([])
        >>> timing_options(options, "cmh-dadh")["packages"]
        ('cmh-dadh', 'cmh-train', 'torch')
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return {
        "repeats": options.repeats,
        "device": options.device,
        "packages": (package, "cmh-train", "torch"),
        "record": options.csv,
    }


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


def peak_memory(device: torch.device) -> float:
    """Return the most memory that this process has held so far, in MB; on a GPU that of the tensors there.

    Args:
        device: the CPU or a GPU.

    Returns:
        Megabytes of 10^6 bytes.

    Example:
        >>> peak_memory(torch.device("cpu")) > 10
        True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
