"""DJSRH once more, slow and obvious: formulas as loops over samples, and a plain training.

The benchmark takes its baseline, `PlainLoop`, from here.
"""

import math

import torch
from torch import nn
from torch.nn.functional import mse_loss, normalize
from torch.utils.data import DataLoader, TensorDataset


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def unit(row):
    length = math.sqrt(dot(row, row))
    return [value / length for value in row] if length else list(row)


def affinity(rows):
    return [[2 * dot(unit(a), unit(b)) - 1 for b in rows] for a in rows]


def joint_similarity(image, text, has_image, has_text, image_share, joint_share, scale):
    """Pairs one by one; None where nothing is known."""
    of_image, of_text = affinity(image), affinity(text)
    places = range(len(image))

    def joint(i, j):
        known = []
        if has_image[i] and has_image[j]:
            known.append((image_share, of_image[i][j]))
        if has_text[i] and has_text[j]:
            known.append((1 - image_share, of_text[i][j]))
        weight = sum(share for share, _ in known)
        return sum(share * value for share, value in known) / weight if weight else None

    first = [[joint(i, j) for j in places] for i in places]

    def target(i, j):
        if first[i][j] is None:
            return None
        both = [k for k in places if first[i][k] is not None and first[j][k] is not None]
        second = sum(first[i][k] * first[j][k] for k in both) / len(both)
        return scale * ((1 - joint_share) * first[i][j] + joint_share * second)

    return [[target(i, j) for j in places] for i in places]


def mean_squared_error(left, right, target, has_left, has_right):
    total, n_pair = 0.0, 0
    for i, row in enumerate(left):
        for j, column in enumerate(right):
            if has_left[i] and has_right[j] and target[i][j] is not None:
                total += (dot(unit(row), unit(column)) - target[i][j]) ** 2
                n_pair += 1
    return total / n_pair if n_pair else 0.0


def similarity_losses(image, text, target, has_image, has_text):
    return {
        "intra_image": mean_squared_error(image, image, target, has_image, has_image),
        "cross": mean_squared_error(image, text, target, has_image, has_text),
        "intra_text": mean_squared_error(text, text, target, has_text, has_text),
    }


class PlainLoop:
    """A training as the authors write theirs: samples collated one by one, two optimisers, losses read."""

    def __init__(self, image, text, *, bits, width=4096, batch_size=32, seed=0):
        torch.manual_seed(seed)
        self.image_net = nn.Sequential(nn.Linear(image.shape[1], bits))
        self.text_net = nn.Sequential(nn.Linear(text.shape[1], width), nn.ReLU(), nn.Linear(width, bits))
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
            for net, rate in ((self.image_net, 0.001), (self.text_net, 0.01))
        ]
        rows = TensorDataset(image, text, torch.arange(len(image)))
        self.loader = DataLoader(rows, batch_size=batch_size, shuffle=True, drop_last=True)

    @staticmethod
    def target(image, text):
        image, text = normalize(image), normalize(text)
        of_image = image.mm(image.t()) * 2 - 1
        of_text = text.mm(text.t()) * 2 - 1
        joint = 0.9 * of_image + 0.1 * of_text
        return 1.5 * (0.6 * joint + 0.4 * joint.mm(joint) / len(image))

    def step(self, image, text, sharpness):
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        code_image = normalize(torch.tanh(sharpness * self.image_net(image)))
        code_text = normalize(torch.tanh(sharpness * self.text_net(text)))
        target = self.target(image, text)
        loss = 0.1 * mse_loss(code_image.mm(code_image.t()), target)
        loss = loss + mse_loss(code_image.mm(code_text.t()), target)
        loss = loss + 0.1 * mse_loss(code_text.mm(code_text.t()), target)
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.item()
