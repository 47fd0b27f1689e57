"""What several trainings of one shape could gain at best if they were stacked: a bound, on one thread.

    python benchmarks/benchmark_stacked.py [--runs 4] [--images 128 1280] [--repeats 15] [--csv results.csv]

A step of each of `--runs` methods of preset `small`, one after another, against a step of a single method
with a batch as many times as large, plus the optimisers' steps of all methods and their triplets, whose pairs
grow with the square of a batch. No stack can be faster: the large batch runs as many operations as one step,
and all its rows share their weights, where stacked trainings multiply by weights of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from cmh_agah import AGAH, PRESETS, _method
from cmh_testing import benchmark_parser, random_steps, time_ways, timing_options
from cmh_train import DataSpec

if TYPE_CHECKING:
    from collections.abc import Callable

N_TRAIN, D_TEXT, N_LABEL = 2048, 100, 10
TRIPLETS = _method.triplet_losses


def without_triplets(*_: torch.Tensor, **__: object) -> dict[str, torch.Tensor]:
    """Losses that cost nothing."""
    return dict.fromkeys(("triplet_image_to_text", "triplet_text_to_image"), torch.zeros(()))


def at_best(methods: list[AGAH], large_step: Callable[[], None], label: torch.Tensor) -> Callable[[], None]:
    """Return what takes the large step without triplets and optimisers, and these of each method."""
    size, bits = methods[0].config.batch_size, methods[0].config.bits
    codes = [torch.tanh(torch.randn(size, bits)).requires_grad_() for _ in range(2)]

    def step() -> None:
        _method.triplet_losses = without_triplets
        large_step()
        _method.triplet_losses = TRIPLETS
        for method in methods:
            losses = TRIPLETS(*codes, label[:size], margin=method.config.margin)
            torch.autograd.backward(sum(losses.values()))
            for optimiser in method.optimisers().values():
                optimiser.step()

    return step


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=15)
    parser.set_defaults(threads=1)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--images", type=int, nargs="+", default=[128, 1280], help="width of their features")
    options = parser.parse_args()
    timing = {"benchmark": "stacked", **timing_options(options, "cmh-agah")}
    text, label = torch.randn(N_TRAIN, D_TEXT), torch.eye(N_LABEL)[torch.randint(N_LABEL, (N_TRAIN,))]
    for width in options.images:
        spec = DataSpec(n_train=N_TRAIN, image_shape=(width,), text_width=D_TEXT, n_label=N_LABEL)
        image, config = torch.randn(N_TRAIN, width), PRESETS["small"]
        size = config.batch_size

        def steps_of(method: AGAH, size: int) -> Callable[[], None]:
            return random_steps(method, image, text, label, batch_size=size)  # noqa: B023 - called in this turn

        methods = [AGAH(config, spec).train() for _ in range(options.runs)]
        steps = [steps_of(method, size) for method in methods]
        large = AGAH(config.model_copy(update={"batch_size": options.runs * size}), spec).train()
        for optimiser in large.optimisers().values():
            optimiser.step = lambda *_: None  # type: ignore[assignment]
        time_ways(
            {
                "one after another": lambda: [step() for step in steps],  # noqa: B023
                "stacked, at best": at_best(methods, steps_of(large, options.runs * size), label),
            },
            case=f"small, batch {size}, {width}-d images, {options.runs} runs",
            **timing,
        )


if __name__ == "__main__":
    main()
