"""Compare a training step, the triplet loss and the label codes with plain restatements of the original loop.

    python benchmarks/speed.py [--repeat 7] [--threads 2] [--small] [--device cuda]

Each line: median milliseconds of the plain form and of ours, taken in turn in one process, and how often ours
fits in. On a GPU every call ends with waiting for it; the plain loop's samples stay in main memory, as the
original's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from cmh_agah import AGAH, AGAHConfig
from cmh_agah._losses import triplet_losses
from cmh_agah._updates import update_label_codes
from cmh_train import Batch, DataSpec
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import plain_agah

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, N_TRAIN, N_LABEL, BITS, WIDTH = 128, 512, 24, 64, 512


class Samples(Dataset):
    """One sample at a time, as the original loop reads them."""

    def __init__(self, image: torch.Tensor, text: torch.Tensor, label: torch.Tensor) -> None:
        self.image, self.text, self.label = image.numpy(), text.numpy(), label.numpy()

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return (
            torch.from_numpy(self.image[index]),
            torch.from_numpy(self.text[index]),
            torch.from_numpy(self.label[index]),
            torch.tensor(index),
        )


def dense(*widths: int) -> nn.Sequential:
    """Dense layers as convolutions over a column, as the original writes them."""
    layers: list[nn.Module] = [nn.Conv2d(1, widths[1], (widths[0], 1)), nn.ReLU()]
    for narrow, wide in pairwise(widths[1:]):
        layers += [nn.Conv2d(narrow, wide, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def plain_triplets(
    left: torch.Tensor, right: torch.Tensor, label: torch.Tensor, margin: float
) -> torch.Tensor:
    distance = (1 - cosine_similarity(left[:, None], right[None], dim=2)).clamp_min(0)
    similar = (label @ label.T > 0).float()
    mask = similar[:, :, None] * (1 - similar)[:, None, :]
    return ((distance[:, :, None] - distance[:, None, :] + margin).clamp_min(0) * mask).sum()


class PlainLoop:
    """The same mathematics, written as the original writes it."""

    def __init__(self, d_image: int, d_text: int, text_widths: tuple[int, ...], device: torch.device) -> None:
        self.trunks = nn.ModuleList([dense(d_image, WIDTH), dense(d_text, *text_widths, WIDTH)]).to(device)
        self.heads = nn.ModuleList([nn.Conv2d(WIDTH, BITS, 1) for _ in range(2)]).to(device)
        self.classes = nn.ModuleList([nn.Conv2d(WIDTH, N_LABEL, 1) for _ in range(2)]).to(device)
        self.discriminators = nn.ModuleList(
            [nn.Sequential(*dense(WIDTH, 512, 256), nn.Conv2d(256, 1, 1)) for _ in range(2)]
        ).to(device)
        rest = [*self.trunks[1].parameters(), *self.heads.parameters(), *self.classes.parameters()]
        self.optimiser = torch.optim.Adamax(
            [{"params": self.trunks[0].parameters(), "lr": 1e-4}, {"params": rest, "lr": 1e-3}],
            weight_decay=5e-4,
        )
        self.critic_optimisers = [
            torch.optim.Adamax(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.9), weight_decay=1e-4)
            for discriminator in self.discriminators
        ]
        self.memory = torch.randn(N_LABEL, WIDTH, device=device)
        self.label_codes = torch.randn(N_LABEL, BITS, device=device).sign()
        self.tables = [torch.zeros(N_TRAIN, w, device=device) for w in (WIDTH, WIDTH, BITS, BITS)]

    def step(
        self, image: torch.Tensor, text: torch.Tensor, label: torch.Tensor, index: torch.Tensor
    ) -> float:
        """Take one step and wait for its loss."""
        features, codes, classes = [], [], []
        for trunk, head, classifier, sample in zip(
            self.trunks, self.heads, self.classes, (image, text), strict=True
        ):
            feature = trunk(sample[:, None, :, None]).squeeze()
            feature = feature / feature.norm().detach()
            weight = torch.sigmoid(5 * feature @ self.memory.T)
            recalled = weight @ self.memory / weight.sum(dim=1, keepdim=True)
            attended = (0.8 * feature + 0.2 * recalled)[:, :, None, None]
            features.append(feature)
            codes.append(torch.tanh(head(attended).squeeze()))
            classes.append(torch.sigmoid(classifier(attended).squeeze()))
        for table, values in zip(self.tables, (*features, *codes), strict=True):
            for row, value in zip(index, values, strict=True):
                table[row] = value.detach()
        for this in (1, 0):
            self.discriminator_step(
                self.discriminators[this], self.critic_optimisers[this], features[this], features[1 - this]
            )
        loss = plain_triplets(*codes, label, 0.3) + plain_triplets(*codes[::-1], label, 0.3)
        for code, probability in zip(codes, classes, strict=True):
            loss = loss + torch.sigmoid(-cosine_similarity(code.abs(), torch.ones_like(code), dim=1)).sum()
            loss = loss + 0 * nn.functional.binary_cross_entropy(probability, label, reduction="sum")
            loss = loss + 0.001 * (code @ self.label_codes.T - BITS * (2 * label - 1)).square().sum()
            loss = loss + (code - code.detach().sign()).square().sum()
        loss = loss - self.discriminators[1](features[0][:, None, :, None]).mean()
        loss = loss - self.discriminators[0](features[1][:, None, :, None]).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def discriminator_step(
        self,
        discriminator: nn.Module,
        optimiser: torch.optim.Optimizer,
        real: torch.Tensor,
        fake: torch.Tensor,
    ) -> None:
        """Take one step of a discriminator, its penalty by two passes of autograd."""
        real, fake = real.detach()[:, None, :, None], fake.detach()[:, None, :, None]
        share = torch.rand_like(real)
        point = (share * real + (1 - share) * fake).requires_grad_()
        score = discriminator(point)
        (slope,) = torch.autograd.grad(score, point, torch.ones_like(score), create_graph=True)
        penalty = (slope.reshape(len(slope), -1).norm(dim=1) - 1).square().mean()
        optimiser.zero_grad()
        (discriminator(fake).mean() - discriminator(real).mean() + 10 * penalty).backward()
        optimiser.step()


def compare(
    name: str,
    plain: Callable[[], object],
    ours: Callable[[], object],
    *,
    repeat: int,
    device: torch.device,
) -> None:
    """Time both in turn and print the medians, their spread and the ratio."""
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for round_number in range(repeat + 1):
        for kind, call in (("plain", plain), ("ours", ours)):
            started = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if round_number:  # the first round warms up
                times[kind].append(1000 * (time.perf_counter() - started))
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    spread = {kind: f"{min(values):.1f}..{max(values):.1f}" for kind, values in times.items()}
    print(
        f"| {name} | {medians['plain']:.1f} ({spread['plain']}) | {medians['ours']:.1f} ({spread['ours']}) "
        f"| {medians['plain'] / medians['ours']:.1f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="narrow nets, to see that the script works")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    device = options.device
    timing = {"repeat": options.repeat, "device": device}
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    d_image, d_text, text_widths = (64, 32, (64, 32)) if options.small else (4096, 1386, (8192, 4096))
    image, text = torch.rand(N_TRAIN, d_image), (torch.rand(N_TRAIN, d_text) < 0.01).float()
    label = (torch.rand(N_TRAIN, N_LABEL) < 0.15).float()
    label[:, 0] += label.sum(dim=1) == 0

    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{options.threads} threads"
    print(f"torch {torch.__version__}, {where}, median ms (least..most) of {options.repeat}")
    print("| what | plain | ours | ratio |\n|---|---|---|---|")
    codes = [torch.randn(10_000, BITS, device=device) for _ in range(2)]
    labels = (torch.rand(10_000, N_LABEL, device=device) < 0.15).float()
    start = torch.randn(N_LABEL, BITS, device=device).sign()
    arguments = (start, *codes, labels)
    assert torch.equal(update_label_codes(*arguments), plain_agah.update_label_codes(*arguments))
    compare(
        "label codes",
        lambda: plain_agah.update_label_codes(*arguments),
        lambda: update_label_codes(*arguments),
        **timing,
    )

    left, right = (torch.tanh(torch.randn(BATCH, BITS, device=device)).requires_grad_() for _ in range(2))
    on_device = {
        name: value.to(device) for name, value in (("image", image), ("text", text), ("label", label))
    }
    some_labels = on_device["label"][:BATCH]

    def plain_triplet_step() -> None:
        both = ((left, right), (right, left))
        sum(plain_triplets(*codes, some_labels, 0.3) for codes in both).backward()

    def our_triplet_step() -> None:
        sum(triplet_losses(left, right, some_labels).values()).backward()

    compare("triplet losses and gradients", plain_triplet_step, our_triplet_step, **timing)

    plain = PlainLoop(d_image, d_text, text_widths, device)
    loader = DataLoader(Samples(image, text, label), batch_size=BATCH, shuffle=True, drop_last=True)
    batches = iter(loader)

    def plain_step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        plain.step(*(values.to(device) for values in batch))

    spec = DataSpec(n_train=N_TRAIN, image_shape=(d_image,), text_width=d_text, n_label=N_LABEL)
    method = AGAH(AGAHConfig(text_widths=text_widths), spec).to(device)
    everything = torch.ones(BATCH, dtype=torch.bool, device=device)

    def our_step() -> None:
        index = torch.randperm(N_TRAIN, device=device)[:BATCH]
        method.update(
            Batch(
                **{name: values[index] for name, values in on_device.items()},
                index=index,
                image_present=everything,
                text_present=everything,
            )
        )

    compare("training step", plain_step, our_step, **timing)


if __name__ == "__main__":
    main()
