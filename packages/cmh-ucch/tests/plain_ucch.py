"""UCCH once more, slow and obvious: formulas as loops over samples, and a plain training.

The benchmark takes its baselines, `PlainLoop` and `BareNetworks`, from here.
"""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def sign(row):
    return [(value > 0) - (value < 0) for value in row]


def unit(row):
    length = math.sqrt(dot(row, row))
    return [value / length for value in row] if length else list(row)


def log_sum_exp(values):
    return math.log(sum(math.exp(value) for value in values))


def mean(values):
    return sum(values) / len(values) if values else 0.0


def memory_contrast(codes, memory, positives, negatives, temperature, present):
    """Sample by sample: the own key among those drawn for it."""
    losses = []
    for code, own, others, there in zip(codes, positives, negatives, present, strict=True):
        products = [dot(code, sign(memory[row])) / temperature for row in (own, *others)]
        if there:
            losses.append(log_sum_exp(products) - products[0])
    return mean(losses)


def batch_contrast(codes, mean_codes, temperature, present, keys_present):
    losses = []
    for i, code in enumerate(codes):
        if present[i]:
            products = {
                j: dot(code, sign(key)) / temperature for j, key in enumerate(mean_codes) if keys_present[j]
            }
            losses.append(log_sum_exp(products.values()) - products[i])
    return mean(losses)


def ranking_loss(image, text, margin, shift, has_image, has_text):
    def one_direction(anchors, others, has_other):
        losses = []
        for i, anchor in enumerate(anchors):
            if has_image[i] and has_text[i]:
                own = dot(anchor, others[i])
                products = [dot(anchor, other) for j, other in enumerate(others) if has_other[j]]
                lowered = [value if value >= own - margin else value - shift for value in products]
                losses.append(log_sum_exp(lowered) - own + margin)
        return mean(losses)

    return one_direction(image, text, has_text) + one_direction(text, image, has_image)


def remembered(old, image, text, momentum, *, normalised, has_image=True, has_text=True):
    """One row of the memory after a step."""
    if not has_image and not has_text:
        return old
    said = [a * has_image + b * has_text for a, b in zip(image, text, strict=True)]
    new = [momentum * a + (1 - momentum) * b for a, b in zip(old, unit(said), strict=True)]
    return unit(new) if normalised else new


class BareNetworks:
    """Forward, backward and Adam of both networks, and next to nothing beside."""

    def __init__(self, d_image, d_text, *, bits, width=8192, seed=0):
        torch.manual_seed(seed)
        self.image_net = nn.Sequential(
            nn.Linear(d_image, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, bits),
        )
        self.text_net = nn.Sequential(nn.Linear(d_text, width), nn.ReLU(), nn.Linear(width, bits))
        self.parameters = [*self.image_net.parameters(), *self.text_net.parameters()]
        self.adam = torch.optim.Adam(self.parameters, lr=1e-4, weight_decay=1e-6, fused=True)

    def step(self, image, text):
        self.adam.zero_grad()
        (self.image_net(image) * self.text_net(text)).mean().backward()
        self.adam.step()


class PlainLoop(BareNetworks):
    """A training as the authors write theirs: the keys of every sample side by side, losses read."""

    def __init__(
        self,
        image,
        text,
        *,
        bits,
        width=8192,
        batch_size=256,
        negatives=4096,
        temperature=0.9,
        shift=0.1,
        seed=0,
    ):
        super().__init__(image.shape[1], text.shape[1], bits=bits, width=width, seed=seed)
        self.adam = torch.optim.Adam(self.parameters, lr=1e-4, weight_decay=1e-6)
        self.memory = (2 * torch.randn(len(image), bits) - 1).sign() / math.sqrt(bits)
        self.negatives, self.shift, self.temperature = negatives, shift, temperature * math.sqrt(bits)
        rows = TensorDataset(image, text, torch.arange(len(image)))
        self.loader = DataLoader(rows, batch_size=batch_size, shuffle=True, drop_last=True)

    def code(self, output):
        output = torch.tanh(output)
        return output / output.norm(dim=1, keepdim=True)

    def contrasts(self, image, text, index, drawn, *, warming_up):
        if warming_up:
            keys = ((image + text) / 2).sign().detach()
            own = torch.arange(len(image))
            return [cross_entropy(code @ keys.t() / self.temperature, own) for code in (image, text)]
        chosen = torch.cat((index.unsqueeze(1), drawn), dim=1)
        keys = self.memory.index_select(0, chosen.view(-1)).sign().view(len(image), -1, image.shape[1])
        first = torch.zeros(len(image), dtype=torch.long)
        return [
            cross_entropy(torch.bmm(keys, code.unsqueeze(2)).squeeze(2) / self.temperature, first)
            for code in (image, text)
        ]

    def ranking(self, image, text):
        products, total = image.mm(text.t()), 0.0
        for scores in (products, products.t()):
            own = scores.diag().view(-1, 1)
            mask = (scores >= own - 0.2).to(scores.dtype).detach()
            lowered = scores * mask + (scores - self.shift) * (1 - mask)
            total = total + (-scores.diag() + lowered.exp().sum(dim=1).log() + 0.2).mean()
        return total

    def step(self, image, text, index, drawn=None, *, warming_up=False):
        self.adam.zero_grad()
        image, text = self.code(self.image_net(image)), self.code(self.text_net(text))
        if drawn is None:
            drawn = torch.randint(len(self.memory), (len(index), self.negatives))
        contrasts = self.contrasts(image, text, index, drawn, warming_up=warming_up)
        loss = 0.7 * sum(contrasts) + 0.3 * self.ranking(image, text)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        with torch.no_grad():
            new = image + text
            new = new / new.norm(dim=1, keepdim=True)
            share = 0.0 if warming_up else 0.4
            new = share * self.memory[index] + (1 - share) * new
            self.memory[index] = new / new.norm(dim=1, keepdim=True)
        return loss.item()
