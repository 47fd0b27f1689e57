"""What several trainings of one shape would gain if they were stacked into one: a prototype, on one thread.

    python benchmarks/benchmark_stacked.py [--runs 4 8] [--repeats 15] [--csv results.csv]

A step of each of `--runs` methods of preset `small`, one after another, against one step of all of them at
once: `torch.func` gives products of stacks of matrices and one fused update of all weights. Data are of the
size of the data set emoji. Both begin with the same weights and see the same batches; the script ends with an
error where their weights then differ by more than rounding.
"""

# ruff: noqa: SLF001 - a prototype takes the method apart

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from cmh_jdsh import JDSH
from cmh_jdsh._config import PRESETS
from cmh_jdsh._losses import similarity_losses, total_loss
from cmh_testing import benchmark_parser, time_ways, timing_options
from cmh_train import Batch, DataSpec, SparseInputLinear
from torch.func import functional_call, grad, stack_module_state, vmap

if TYPE_CHECKING:
    from collections.abc import Callable

N_TRAIN, D_IMAGE, D_TEXT = 1200, 1280, 615
TOLERANCE = 1e-3


class Stacked:
    """Steps of several methods at once.

    Args:
        methods: of the same options, past their first epoch; their weights are copied.
    """

    def __init__(self, methods: list[JDSH]) -> None:
        self.method, config = methods[0], methods[0].config
        self.nets = without_own_products(methods[0].image_net), without_own_products(methods[0].text_net)
        self.image, _ = stack_module_state([method.image_net for method in methods])
        self.text, _ = stack_module_state([method.text_net for method in methods])
        self.optimisers = [
            torch.optim.SGD(
                weights.values(), lr=rate, fused=True,
                momentum=config.momentum, weight_decay=config.weight_decay,
            )
            for weights, rate in (
                (self.image, config.image_learning_rate), (self.text, config.text_learning_rate),
            )
        ]  # fmt: skip
        self.gradients = vmap(grad(self._loss, argnums=(0, 1)))

    def _loss(
        self,
        image_weights: dict[str, torch.Tensor],
        text_weights: dict[str, torch.Tensor],
        image: torch.Tensor,
        text: torch.Tensor,
    ) -> torch.Tensor:
        method = self.method
        image = method._image_input(image)
        image_code = method._code(functional_call(self.nets[0], image_weights, (image,)))
        text_code = method._code(functional_call(self.nets[1], text_weights, (text,)))
        target = method._target(method._joint_similarity(image, text))
        losses = similarity_losses(image_code, text_code, target, variant=method.config.variant)
        return total_loss(losses, intra_weight=method.config.intra_weight)

    def step(self, image: torch.Tensor, text: torch.Tensor) -> None:
        """Take a step of each: images `(runs, batch, width)`, texts likewise."""
        weights = (
            {k: v.detach() for k, v in self.image.items()},
            {k: v.detach() for k, v in self.text.items()},
        )
        for held, found in zip((self.image, self.text), self.gradients(*weights, image, text), strict=True):
            for name, parameter in held.items():
                parameter.grad = found[name]
        for optimiser in self.optimisers:
            optimiser.step()


def without_own_products(net: torch.nn.Module) -> torch.nn.Module:
    """The same network of torch's own linear layers, which `torch.func` can stack."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, torch.nn.Linear):
            module.__class__ = torch.nn.Linear
        if isinstance(module, SparseInputLinear):
            module.__class__ = DenseInput
    return net


class DenseInput(SparseInputLinear):
    """Multiplies everything: where zeros are, a stack does not tell."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Multiply and add the bias."""
        return inputs @ self.transposed_weight + self.bias


def methods_past_first_epoch(runs: int, image: torch.Tensor, text: torch.Tensor) -> list[JDSH]:
    """Methods with weights of their own that sharpen alike, so that one can stand for all."""
    spec = DataSpec(
        n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT,
        image_mean=image.mean().item(), image_std=image.std().item(),
    )  # fmt: skip
    methods = []
    for seed in range(runs):
        torch.manual_seed(seed)
        method = JDSH(PRESETS["small"].model_copy(update={"bits": 64}), spec)
        method.begin_epoch(0)
        similarity = method._joint_similarity(method._image_input(image[:64]), text[:64])
        if method.distribution is not None:
            method.distribution.add(similarity, torch.ones(64, dtype=torch.bool))
        method.begin_epoch(1)
        methods.append(method)
    return methods


def batches(runs: int, size: int, seed: int) -> Callable[[], torch.Tensor]:
    """Rows of the next batch of every run, `(runs, size)`."""
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.stack([torch.randperm(N_TRAIN, generator=generator)[:size] for _ in range(runs)])


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=15)
    parser.set_defaults(threads=1)
    parser.add_argument("--runs", type=int, nargs="+", default=[4, 8])
    options = parser.parse_args()
    timing = timing_options(options, "cmh-jdsh")
    image, text = torch.rand(N_TRAIN, D_IMAGE), (torch.rand(N_TRAIN, D_TEXT) < 0.02).float()
    for runs in options.runs:
        methods = methods_past_first_epoch(runs, image, text)
        size = methods[0].config.batch_size
        stacked = Stacked(methods)
        everything = torch.ones(size, dtype=torch.bool)
        next_rows, next_stack = batches(runs, size, 0), batches(runs, size, 0)

        def one_after_another() -> None:
            for method, rows in zip(methods, next_rows(), strict=True):  # noqa: B023 - called in this turn
                method.update(
                    Batch(
                        image=image[rows], text=text[rows], label=None, index=rows,
                        image_present=everything, text_present=everything,  # noqa: B023
                    )
                )  # fmt: skip

        def all_at_once() -> None:
            rows = next_stack()  # noqa: B023
            stacked.step(image[rows], text[rows])  # noqa: B023

        time_ways(
            {"one after another": one_after_another, "stacked": all_at_once},
            benchmark="stacked", case=f"small, batch {size}, {runs} runs", **timing,
        )  # fmt: skip
        for number, method in enumerate(methods):
            for name, weight in method.image_net.named_parameters():
                torch.testing.assert_close(
                    stacked.image[name][number], weight, rtol=TOLERANCE, atol=TOLERANCE
                )


if __name__ == "__main__":
    main()
