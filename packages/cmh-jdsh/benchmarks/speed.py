"""Compare a training step with a plain restatement of the original loop.

    python benchmarks/speed.py [--repeat 15] [--threads 2] [--device cuda]

Prints the median milliseconds of both, taken in turn in one process, and their ratio. On a GPU every step
ends with waiting for it; the plain loop's samples stay in main memory, as the original's.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from cmh_jdsh import JDSH, JDSHConfig
from cmh_train import Batch, DataSpec
from torch import nn
from torch.nn.functional import mse_loss, normalize
from torch.utils.data import DataLoader, Dataset

BATCH, N_TRAIN, BITS, D_IMAGE, D_TEXT = 128, 512, 64, 4096, 1386


class Samples(Dataset):
    """One sample at a time, as the original loop reads them."""

    def __init__(self, image: torch.Tensor, text: torch.Tensor) -> None:
        self.image, self.text = image.numpy(), text.numpy()

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        return torch.from_numpy(self.image[index]), torch.from_numpy(self.text[index]), index


class PlainLoop:
    """The same mathematics, written as the original writes it."""

    def __init__(self, device: torch.device) -> None:
        self.image_net = nn.Linear(D_IMAGE, BITS).to(device)
        text_net = nn.Sequential(nn.Linear(D_TEXT, 4096), nn.ReLU(), nn.Linear(4096, BITS))
        self.text_net = text_net.to(device)
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            for net in (self.image_net, self.text_net)
        ]

    def target(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The similarity that codes should have, with constants for MIR-Flickr25K."""
        image, text = normalize(image), normalize(text)
        of_image, of_text = 2 * image @ image.T - 1, 2 * text @ text.T - 1
        both = normalize(of_image) @ normalize(of_text).T
        similarity = 0.5 * of_image + 0.1 * of_text + 0.4 * (both + both.T) / 2
        left = similarity < -0.528
        similarity[left] = (1 + 0.1 * torch.exp(-(similarity[left] + 0.52))) * similarity[left]
        right = similarity > -0.138
        similarity[right] = (1 + 0.2 * torch.exp(similarity[right] - 0.68)) * similarity[right]
        return 1.4 * similarity

    def step(self, image: torch.Tensor, text: torch.Tensor) -> float:
        """Take one step and wait for its loss."""
        image_codes, text_codes = torch.tanh(self.image_net(image)), torch.tanh(self.text_net(text))
        target = self.target(image, text)
        unit_image, unit_text = normalize(image_codes), normalize(text_codes)
        loss = 0.1 * mse_loss(unit_image @ unit_image.T, target) + 0.1 * mse_loss(
            unit_text @ unit_text.T, target
        )
        loss = loss + mse_loss(unit_image @ unit_text.T, target) + mse_loss(unit_text @ unit_image.T, target)
        loss = loss - (unit_image * unit_text).sum(dim=1).mean()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    device = options.device
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image, text = torch.rand(N_TRAIN, D_IMAGE), (torch.rand(N_TRAIN, D_TEXT) < 0.01).float()

    plain = PlainLoop(device)
    loader = DataLoader(Samples(image, text), batch_size=BATCH, shuffle=True, drop_last=True)
    batches = iter(loader)

    def plain_step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        plain.step(batch[0].to(device), batch[1].to(device))

    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = JDSH(JDSHConfig(bits=BITS), spec).to(device)
    method.begin_epoch(0)
    everything = torch.ones(BATCH, dtype=torch.bool, device=device)
    image, text = image.to(device), text.to(device)

    def our_step() -> None:
        index = torch.randperm(N_TRAIN, device=device)[:BATCH]
        method.update(
            Batch(
                image=image[index],
                text=text[index],
                label=None,
                index=index,
                image_present=everything,
                text_present=everything,
            )
        )

    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for round_number in range(options.repeat + 1):
        for kind, call in (("plain", plain_step), ("ours", our_step)):
            started = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if round_number:  # the first round warms up
                times[kind].append(1000 * (time.perf_counter() - started))
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    spread = {kind: f"{min(values):.1f}..{max(values):.1f}" for kind, values in times.items()}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"torch {torch.__version__}, {name}, {options.threads} threads, median ms (least..most) "
        f"of {options.repeat}"
    )
    print("| what | plain | ours | ratio |\n|---|---|---|---|")
    print(
        f"| training step | {medians['plain']:.1f} ({spread['plain']}) "
        f"| {medians['ours']:.1f} ({spread['ours']}) | {medians['plain'] / medians['ours']:.1f} |"
    )


if __name__ == "__main__":
    main()
