"""The authors' training loop, written plainly: what the benchmark compares with."""

from itertools import pairwise

import torch
from cmh_train import TrainingData
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
