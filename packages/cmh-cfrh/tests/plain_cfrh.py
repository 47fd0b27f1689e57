"""CFRH's reconstruction once more, slow and obvious: formulas as loops over samples, and a plain training.

The benchmark takes its baseline, `PlainLoop`, from here: the loop of the authors' other programs.
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


def sign(value):
    return (value > 0) - (value < 0)


def affinity(rows, text_similarity="cosine"):
    cosines = [[dot(unit(a), unit(b)) for b in rows] for a in rows]
    if text_similarity == "binary":
        cosines = [[sign(dot(a, b)) for b in rows] for a in rows]
    return [[2 * value - 1 for value in row] for row in cosines]


def joint_similarity(
    image,
    text,
    has_image,
    has_text,
    image_share,
    text_share,
    joint_share,
    scale,
    text_similarity,
    second_order,
):
    """Pairs one by one; None where nothing is known."""
    of_image, of_text = affinity(image), affinity(text, text_similarity)
    places = range(len(image))
    complete = [k for k in places if has_image[k] and has_text[k]]
    left = [of_image[i] if has_image[i] else of_text[i] for i in places]
    right = [of_text[j] if has_text[j] else of_image[j] for j in places]
    left, right = ([[row[k] for k in complete] for row in rows] for rows in (left, right))
    rows = []
    for i in places:
        rows.append([])
        if second_order == "cosine":
            joint = [dot(unit(left[i]), unit(right[j])) for j in places]
        else:
            joint = unit([dot(left[i], right[j]) if has_image[j] or has_text[j] else 0 for j in places])
        for j in places:
            direct = []
            if has_image[i] and has_image[j]:
                direct.append((image_share, of_image[i][j]))
            if has_text[i] and has_text[j]:
                direct.append((text_share, of_text[i][j]))
            weight = sum(share for share, _ in direct)
            if not weight:
                rows[-1].append(None)
                continue
            mean = sum(share * value for share, value in direct) / weight
            rows[-1].append(scale * ((image_share + text_share) * mean + joint_share * joint[j]))
    return rows


def mean_squared_error(left, right, target, has_left, has_right):
    total, n_pair = 0.0, 0
    for i, row in enumerate(left):
        for j, column in enumerate(right):
            if has_left[i] and has_right[j] and target[i][j] is not None:
                total += (dot(unit(row), unit(column)) - target[i][j]) ** 2
                n_pair += 1
    return total / n_pair if n_pair else 0.0


def similarity_losses(image, text, target, has_image, has_text):
    complete = [i for i in range(len(image)) if has_image[i] and has_text[i]]
    cosines = [dot(unit(image[i]), unit(text[i])) for i in complete]
    return {
        "intra_image": mean_squared_error(image, image, target, has_image, has_image),
        "intra_text": mean_squared_error(text, text, target, has_text, has_text),
        "cross": mean_squared_error(image, text, target, has_image, has_text)
        + mean_squared_error(text, image, target, has_text, has_image),
        "pair": -sum(cosines) / len(complete) if complete else 0.0,
    }


def reconstruction_loss(decoded, target, present):
    errors = [
        (a - b) ** 2
        for row, wanted, there in zip(decoded, target, present, strict=True)
        if there
        for a, b in zip(row, wanted, strict=True)
    ]
    return sum(errors) / len(errors) if errors else 0.0


class PlainLoop:
    """A training as the authors write theirs: samples collated one by one, four optimisers, losses read."""

    def __init__(self, image, text, *, bits, width=4096, batch_size=32, seed=0):
        torch.manual_seed(seed)

        def net(width_in, width_out):
            return nn.Sequential(nn.Linear(width_in, width), nn.ReLU(), nn.Linear(width, width_out))

        self.image_net, self.text_net = net(image.shape[1], bits), net(text.shape[1], bits)
        self.image_decoder, self.text_decoder = net(bits, image.shape[1]), net(bits, text.shape[1])
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            for net in (self.image_net, self.text_net, self.image_decoder, self.text_decoder)
        ]
        rows = TensorDataset(image, text, torch.arange(len(image)))
        self.loader = DataLoader(rows, batch_size=batch_size, shuffle=True, drop_last=True)

    @staticmethod
    def target(image, text):
        image, text = normalize(image), normalize(text)
        of_image = image.mm(image.t()) * 2 - 1
        of_text = text.mm(text.t()) * 2 - 1
        both = normalize(of_image.mm(of_text))
        return 1.4 * (0.5 * of_image + 0.2 * of_text + 0.3 * both)

    def step(self, image, text, sharpness):
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        target = self.target(image, text)
        code_image = torch.tanh(sharpness * self.image_net(image))
        code_text = torch.tanh(sharpness * self.text_net(text))
        decoded = mse_loss(self.image_decoder(code_image), normalize(image))
        decoded = decoded + mse_loss(self.text_decoder(code_text), normalize(text))
        image, text = normalize(code_image), normalize(code_text)
        inside = mse_loss(image.mm(image.t()), target) + mse_loss(text.mm(text.t()), target)
        across = mse_loss(image.mm(text.t()), target) + mse_loss(text.mm(image.t()), target)
        across = across - (image * text).sum(dim=1).mean()
        loss = 0.1 * inside + across + decoded
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.item()
