"""DCMH once more, slow and obvious: formulas as loops, and the training as its authors wrote it.

The benchmark takes its baseline, `PlainLoop`, from here.
"""

import math

import torch
from torch import nn


def share_a_label(first, second):
    return any(a and b for a, b in zip(first, second, strict=True))


def softplus(value):
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def step_losses(outputs, others, codes, column_sums, similar):
    """Entry by entry; `similar[j][i]` of row j of the others and row i of the batch."""
    likelihood = quantisation = 0.0
    for i, output in enumerate(outputs):
        for j, other in enumerate(others):
            log_odds = sum(a * b for a, b in zip(output, other, strict=True)) / 2
            likelihood += softplus(log_odds) - similar[j][i] * log_odds
        quantisation += sum((b - a) ** 2 for a, b in zip(output, codes[i], strict=True))
    entries = len(outputs) * len(others)
    return {
        "likelihood": likelihood / entries,
        "quantisation": quantisation / entries,
        "balance": sum(value**2 for value in column_sums) / entries,
    }


def objective(image_outputs, text_outputs, codes, label):
    """J of the paper, over the whole training set; gamma and eta are 1."""
    similar = (label @ label.T > 0).to(image_outputs.dtype)
    log_odds = image_outputs @ text_outputs.T / 2
    likelihood = nn.functional.softplus(log_odds) - similar * log_odds
    quantisation = (codes - image_outputs).square().sum() + (codes - text_outputs).square().sum()
    balance = image_outputs.sum(dim=0).square().sum() + text_outputs.sum(dim=0).square().sum()
    return likelihood.sum() + quantisation + balance


def mean_average_precision(query_codes, retrieval_codes, query_labels, retrieval_labels):
    """Over the whole ranking; equal distances in the order of the retrieval set, no hit counts as 0."""
    values = []
    for code, label in zip(query_codes, query_labels, strict=True):
        order = torch.argsort((retrieval_codes != code).sum(dim=1), stable=True)
        hits = (retrieval_labels[order] @ label > 0).double()
        precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
        values.append(float((precision * hits).sum() / hits.sum()) if hits.any() else 0.0)
    return sum(values) / len(values)


class PlainLoop:
    """The MATLAB training on features: gradients of the outputs in closed form, similarities looked up."""

    def __init__(self, image, text, label, *, bits, text_width=8192, batch_size=128, seed=0):
        torch.manual_seed(seed)
        self.inputs = {"image": image, "text": text - text.mean(dim=0)}
        self.similar = (label @ label.T > 0).to(image.dtype)  # the whole matrix, as the program keeps it
        self.nets = {
            "image": nn.Sequential(nn.Linear(image.shape[1], bits)),
            "text": nn.Sequential(
                nn.Linear(text.shape[1], text_width), nn.ReLU(), nn.Linear(text_width, bits)
            ),
        }
        for net in self.nets.values():
            for weight in net.parameters():
                nn.init.normal_(weight, std=0.01)
        self.outputs = {name: torch.zeros(len(image), bits, dtype=image.dtype) for name in self.nets}
        self.batch_size = batch_size
        self.codes = torch.zeros(len(image), bits, dtype=image.dtype)

    def begin_epoch(self):
        self.codes = torch.sign(self.outputs["image"] + self.outputs["text"])

    def step(self, name, learning_rate, index=None):
        n = len(self.codes)
        index = torch.randperm(n)[: self.batch_size] if index is None else index
        net, own = self.nets[name], self.outputs[name]
        other = self.outputs["text" if name == "image" else "image"]
        output = net(self.inputs[name][index])
        own[index] = output.detach()
        log_odds = own[index] @ other.T / 2
        gradient = (torch.sigmoid(log_odds) - self.similar[index]) @ other / 2
        gradient = gradient + 2 * (own[index] - self.codes[index]) + 2 * own.sum(dim=0)
        net.zero_grad()
        output.backward(gradient / (len(index) * n))
        with torch.no_grad():
            for weight in net.parameters():
                weight.sub_(learning_rate * (weight.grad + 5e-4 * weight))
