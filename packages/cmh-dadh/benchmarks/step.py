"""Time a DADH step at the sizes of the paper against a plain re-statement of the original loop.

    python step.py --steps 6 --threads 2
    MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 python step.py

The plain loop has a per-sample data set behind a DataLoader, cubes of triplets, a second text pass, gradients
freed and allocated in each step, and reads every loss at once. Both loops run in turns in one process on the
same data. Wall time and processor time are printed: on a machine that others use, compare processor time.
`--triplets` times the loss alone. With `--device cuda` each step ends with waiting for the GPU, and the plain
loop's samples stay in main memory, as the original's.
"""

from __future__ import annotations

import argparse
import platform
import time
from itertools import pairwise
from statistics import median, quantiles

import numpy as np
import torch
from cmh_dadh import METHOD
from cmh_dadh._losses import triplet_losses, triplet_weights
from cmh_train import Batch, TrainingData, build_method
from torch import nn
from torch.nn.functional import normalize, softplus
from torch.utils.data import DataLoader, Dataset

WIDTHS = (8192, 4096, 2048)
IMAGE, TEXT, LABELS, BITS, MARGIN = 4096, 1386, 24, 64, 0.4


class Samples(Dataset):
    """One sample at a time, as the original's."""

    def __init__(self, data: TrainingData) -> None:
        self.arrays = [torch.from_numpy(a) for a in (data.image, data.text, data.label)]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, row: int) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]:
        image, text, label = (array[row] for array in self.arrays)
        return row, image, text, label


def dense(*widths: int, norm: bool) -> nn.Sequential:
    layers = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), nn.ReLU()]
    return nn.Sequential(*(layers if norm else layers[:-1]))


def cube_loss(codes: torch.Tensor, others: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    shared = label @ label.T
    distance = (1 - normalize(codes) @ normalize(others).T).clamp(min=0)
    ranking = shared.sort(dim=1, descending=True).values
    ideal = ((2**ranking - 1) / torch.log2(torch.arange(len(label), device=label.device) + 2.0)).sum(dim=1)
    weight = (2 ** shared[:, :, None] - 2 ** shared[:, None, :]) / ideal[:, None, None]
    mask = (shared[:, :, None] > 0).float() * (shared[:, None, :] == 0).float()
    hinge = distance[:, :, None] - distance[:, None, :] + MARGIN
    return (10 * (weight * 1.1) * (mask * 1.1) * hinge).clamp(min=0).sum()


class Plain:
    """The plain loop."""

    def __init__(self, data: TrainingData, batch_size: int, device: torch.device) -> None:
        self.device = device
        self.image, self.text = dense(IMAGE, *WIDTHS, norm=True), dense(TEXT, *WIDTHS, norm=True)
        self.heads = nn.ModuleList(nn.Linear(WIDTHS[-1], BITS) for _ in range(2))
        width = WIDTHS[-1]
        self.critics = [dense(width, width // 2, width // 4, 1, norm=False), dense(BITS, 512, 1, norm=False)]
        self.codes = torch.randn(len(data.image), BITS).sign()
        everything = nn.ModuleList([self.image, self.text, self.heads]).to(device)
        self.codes = self.codes.to(device)
        for critic in self.critics:
            critic.to(device)
        self.adam = torch.optim.Adam(everything.parameters(), lr=5e-5, weight_decay=5e-4)
        self.critic_adams = [
            torch.optim.Adam(c.parameters(), lr=5e-5, betas=(0.5, 0.9), weight_decay=1e-4)
            for c in self.critics
        ]
        self.loader = iter(DataLoader(Samples(data), batch_size=batch_size, shuffle=True))

    def step(self) -> None:
        """Take one step."""
        index, image, text, label = (array.to(self.device) for array in next(self.loader))
        features = self.image(image), self.text(text)
        codes = [torch.tanh(head(side)) for head, side in zip(self.heads, features, strict=True)]
        again = torch.tanh(self.heads[1](self.text(text).detach()))
        for critic, adam, (real, fake) in zip(
            self.critics, self.critic_adams, (features, codes), strict=True
        ):
            adam.zero_grad()
            real, fake = real.detach(), fake.detach()  # noqa: PLW2901 - the graph ends here
            mix = torch.rand_like(real)
            between = (mix * real + (1 - mix) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            loss = softplus(-critic(real)).mean() + softplus(critic(fake)).mean()
            (loss + 10 * (slope.norm(dim=1) - 1).square().mean()).backward()
            adam.step()
        targets = self.codes[index]
        triplets = cube_loss(codes[0], codes[1], label), cube_loss(codes[1], codes[0], label)
        quantisation = sum((targets - side).square().sum() for side in codes)
        adversarial = softplus(-self.critics[0](features[1])).mean(), softplus(-self.critics[1](again)).mean()
        loss = 10 * sum(triplets) + 1.1 * quantisation + sum(adversarial)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        [part.item() for part in (*triplets, quantisation, *adversarial)]


class Ours:
    """The package's step."""

    def __init__(self, data: TrainingData, batch_size: int, precision: str, device: torch.device) -> None:
        method = build_method(METHOD, {"text_widths": WIDTHS, "bits": BITS}, data.spec, 0)
        self.method = method.train().to(device)
        self.arrays = [torch.from_numpy(a).to(device) for a in (data.image, data.text, data.label)]
        self.order = iter(torch.randperm(len(data.image)).to(device).split(batch_size))
        self.precision, self.device = precision, device

    def step(self) -> None:
        """Take one step."""
        index = next(self.order)
        image, text, label = (array[index] for array in self.arrays)
        present = torch.ones(len(index), dtype=torch.bool, device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            self.method.update(
                Batch(
                    image=image,
                    text=text,
                    label=label,
                    index=index,
                    image_present=present,
                    text_present=present,
                )
            )


class Triplets:
    """The triplet loss alone, both directions, with its gradient."""

    def __init__(self, batch: int, device: torch.device, *, plain: bool) -> None:
        codes = (torch.tanh(torch.randn(batch, BITS, device=device)) for _ in range(2))
        self.codes = [code.requires_grad_() for code in codes]
        self.label = (torch.rand(batch, LABELS, device=device) < 0.15).float()
        self.label[:, 0] = (self.label.sum(dim=1) == 0).float()
        self.plain = plain

    def step(self) -> None:
        """Take one step."""
        first, second = self.codes
        if self.plain:
            loss = cube_loss(first, second, self.label) + cube_loss(second, first, self.label)
        else:
            loss = triplet_losses(first, second, *triplet_weights(self.label), MARGIN).sum()
        loss.backward()


def measure(loops: dict[str, object], steps: int, device: torch.device) -> None:
    """Run the loops in turns; the first step of each warms up."""
    wall: dict[str, list[float]] = {name: [] for name in loops}
    processor: dict[str, list[float]] = {name: [] for name in loops}
    for step in range(steps + 1):
        for name, loop in loops.items():
            started = time.perf_counter(), time.process_time()
            loop.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if step:
                wall[name].append(time.perf_counter() - started[0])
                processor[name].append(time.process_time() - started[1])
    baseline = next(iter(loops))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {name}")
    print("| loop | wall p50 (p25-p75), s | processor p50 (p25-p75), s | ratio, wall | ratio, processor |")
    print("|---|---|---|---|---|")
    for name in loops:
        cells = []
        for times in (wall[name], processor[name]):
            low, middle, high = quantiles(times, n=4)
            cells.append(f"{middle:.4f} ({low:.4f}-{high:.4f})")
        ratios = [median(times[baseline]) / median(times[name]) for times in (wall, processor)]
        print(f"| {name} | {cells[0]} | {cells[1]} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="measure bfloat16 too")
    parser.add_argument("--triplets", action="store_true", help="measure the triplet loss alone")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = options.device
    batch_size = 128
    if options.triplets:
        measure(
            {name: Triplets(batch_size, device, plain=name == "plain") for name in ("plain", "ours")},
            options.steps,
            device,
        )
        return
    rng = np.random.default_rng(0)
    rows = batch_size * (options.steps + 1)
    label = (rng.random((rows, LABELS)) < 0.15).astype(np.float32)
    label[:, 0] = label.sum(axis=1) == 0
    data = TrainingData.from_arrays(
        image=rng.normal(size=(rows, IMAGE)).astype(np.float32),
        text=(rng.random((rows, TEXT)) < 0.01).astype(np.float32),
        label=label,
        image_mean=0.0,
        image_std=1.0,
    )
    loops = {
        "plain": Plain(data, batch_size, device),
        "ours": Ours(data, batch_size, "float32", device),
    }
    if options.bf16:
        loops["ours, bf16"] = Ours(data, batch_size, "bf16", device)
    measure(loops, options.steps, device)


if __name__ == "__main__":
    main()
