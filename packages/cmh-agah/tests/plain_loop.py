"""The authors' training loop, written plainly: what the benchmark compares with."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.utils.data import Dataset

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
