"""DSPH once more, slow and obvious: formulas as loops, and the training as its authors wrote it.

The benchmark takes its baseline, `PlainLoop`, from here.
"""

import math

import torch
from torch import nn
from torch.nn.functional import normalize


def cosine(first, second):
    dot, lengths = (
        sum(a * b for a, b in zip(first, second, strict=True)),
        math.hypot(*first) * math.hypot(*second),
    )
    return dot / lengths if lengths else 0.0


def mean(values):
    return sum(values) / len(values) if values else 0.0


def proxy_loss(codes, proxies, label, threshold):
    pull, push = [], []
    for code, labels in zip(codes, label, strict=True):
        for proxy, has in zip(proxies, labels, strict=True):
            if has:
                pull.append(1 - cosine(code, proxy))
            else:
                push.append(max(cosine(code, proxy) - threshold, 0))
    return mean(pull) + mean(push)


def separation_loss(image_codes, text_codes, label, threshold):
    several = [i for i, labels in enumerate(label) if sum(labels) > 1]
    shares = [[any(a * b for a, b in zip(one, other, strict=True)) for other in label] for one in label]
    pairs = [(i, j) for i in several for j in several if not shares[i][j]]
    kinds = ((image_codes, image_codes), (text_codes, text_codes), (image_codes, text_codes))
    return sum(
        mean([max(cosine(first[i], second[j]) - threshold, 0) for i, j in pairs]) for first, second in kinds
    )


class PlainBertAdam:
    """Tensor by tensor, as the program writes it."""

    def __init__(self, parameters, lr, n_step):
        self.parameters, self.lr, self.n_step, self.taken = list(parameters), lr, n_step, 0
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    def step(self):
        share = self.taken / self.n_step
        rate = self.lr * (share / 0.1 if share < 0.1 else (1 + math.cos(math.pi * share)) / 2)
        self.taken += 1
        for parameter, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            nn.utils.clip_grad_norm_(parameter, 1.0)
            mean.mul_(0.9).add_(parameter.grad, alpha=0.1)
            square.mul_(0.98).addcmul_(parameter.grad, parameter.grad, value=0.02)
            update = mean / (square.sqrt() + 1e-6) + 0.2 * parameter.data
            parameter.data.add_(update, alpha=-rate)


class PlainLoop:
    """A training step with losses that pick entries, and a loss that is read at the end."""

    def __init__(self, image_width, text_width, n_label, *, bits, threshold, dropout=0.2, n_step=1000):
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(width, bits) for width in (image_width, text_width))
        self.proxies = nn.Parameter(torch.empty(n_label, bits))
        nn.init.kaiming_normal_(self.proxies, mode="fan_out")
        self.threshold, self.dropout = threshold, nn.Dropout(dropout)
        self.optimiser = PlainBertAdam(self.layers.parameters(), 1e-3, n_step)
        self.sgd = torch.optim.SGD([self.proxies], lr=0.02, momentum=0.9, weight_decay=5e-4)

    def loss(self, image, text, label):
        codes = [
            normalize(torch.tanh(self.dropout(layer(x))), dim=1)
            for layer, x in zip(self.layers, (image, text), strict=True)
        ]
        proxies = normalize(self.proxies, dim=1)
        loss = 0.0
        for code in codes:
            cosines = code @ proxies.T
            loss = loss + (1 - cosines[label == 1]).mean()
            loss = loss + torch.relu(cosines[label == 0] - self.threshold).mean()
        several = label.sum(dim=1) > 1
        shared = label[several] @ label[several].T
        if several.any() and (shared == 0).any():
            image, text = (code[several] for code in codes)
            for first, second in ((image, image), (text, text), (image, text)):
                loss = loss + 0.8 * torch.relu((first @ second.T)[shared == 0] - self.threshold).mean()
        return loss

    def step(self, image, text, label):
        loss = self.loss(image, text, label)
        self.layers.zero_grad()
        self.sgd.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.sgd.step()
        return loss.item()
