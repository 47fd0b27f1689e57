"""DCHMT once more, slow and obvious: formulas as loops, and the training as its authors wrote it.

The benchmark takes its baseline, `PlainLoop`, from here.
"""

import math

import torch
from torch import nn


def choices(features, hidden_weight, hidden_bias, choice_weight, choice_bias):
    """One sample, bit by bit."""
    hidden = [
        max(sum(w * x for w, x in zip(row, features, strict=True)) + bias, 0.0)
        for row, bias in zip(hidden_weight, hidden_bias, strict=True)
    ]
    outputs = []
    for weights, biases in zip(choice_weight, choice_bias, strict=True):
        scores = [
            sum(w * x for w, x in zip(row, hidden, strict=True)) + bias
            for row, bias in zip(weights, biases, strict=True)
        ]
        shifted = [math.exp(score - max(scores)) for score in scores]
        outputs += [value / sum(shifted) for value in shifted]
    return outputs


def distance_losses(image, text, similar, margin_share):
    margin = math.sqrt(len(image[0]) * margin_share)
    losses = {}
    for name, first, second in (("image_text", image, text), ("image", image, image), ("text", text, text)):
        near, far = [], []
        for one, row in zip(first, similar, strict=True):
            for other, alike in zip(second, row, strict=True):
                distance = math.dist(one, other)
                near.append(distance**2 if alike else 0.0)
                far.append(0.0 if alike else max(margin - distance, 0.0) ** 2)
        losses[f"similar_{name}"] = sum(near) / len(near)
        losses[f"dissimilar_{name}"] = sum(far) / len(far)
    return losses


class PlainHash(nn.Module):
    """A module for every bit, as the program has it."""

    def __init__(self, input_width, hidden_width, bits):
        super().__init__()
        self.hidden = nn.Linear(input_width, hidden_width)
        self.bits = nn.ModuleList(nn.Linear(hidden_width, 2) for _ in range(bits))
        for layer in (self.hidden, *self.bits):
            nn.init.kaiming_uniform_(layer.weight, mode="fan_out")
            nn.init.zeros_(layer.bias)

    def forward(self, features):
        hidden = torch.relu(self.hidden(features))
        return torch.cat([torch.softmax(bit(hidden), dim=-1) for bit in self.bits], dim=-1)


class PlainLoop:
    """A training step with a tensor for every bit, and a loss that is read at the end."""

    def __init__(self, image_width, text_width, *, bits, hidden_width=128, lr=1e-4, n_step=1000):
        torch.manual_seed(0)
        self.nets = nn.ModuleList(PlainHash(width, hidden_width, bits) for width in (image_width, text_width))
        self.margin = math.sqrt(2 * bits * 0.75)
        self.lr, self.n_step, self.taken = lr, n_step, 0
        self.means = [torch.zeros_like(parameter) for parameter in self.nets.parameters()]
        self.squares = [torch.zeros_like(parameter) for parameter in self.nets.parameters()]

    def loss(self, image, text, label):
        similar = (label @ label.T > 0).to(image.dtype)
        image, text = (net(x) for net, x in zip(self.nets, (image, text), strict=True))
        loss = 0.0
        for first, second in ((image, text), (image, image), (text, text)):
            distance = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
            loss = loss + (similar * distance**2).mean()
            loss = loss + ((1 - similar) * torch.clamp(self.margin - distance, min=0) ** 2).mean()
        return loss

    def step(self, image, text, label):
        loss = self.loss(image, text, label)
        self.nets.zero_grad()
        loss.backward()
        share = self.taken / self.n_step
        rate = self.lr * (share / 0.1 if share < 0.1 else (1 + math.cos(math.pi * share)) / 2)
        self.taken += 1
        for parameter, mean, square in zip(self.nets.parameters(), self.means, self.squares, strict=True):
            nn.utils.clip_grad_norm_(parameter, 1.0)
            mean.mul_(0.9).add_(parameter.grad, alpha=0.1)
            square.mul_(0.98).addcmul_(parameter.grad, parameter.grad, value=0.02)
            update = mean / (square.sqrt() + 1e-6) + 0.2 * parameter.data
            parameter.data.add_(update, alpha=-rate)
        return loss.item()
