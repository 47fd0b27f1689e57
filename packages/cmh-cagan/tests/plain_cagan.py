"""CAGAN once more, slow and obvious: formulas as loops over samples, and training as its authors wrote it.

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


def sign(value):
    return (value > 0) - (value < 0)


def affinity(rows, text_similarity="cosine"):
    cosines = [[dot(unit(a), unit(b)) for b in rows] for a in rows]
    if text_similarity == "binary":
        cosines = [[sign(dot(a, b)) for b in rows] for a in rows]
    return [[2 * value - 1 for value in row] for row in cosines]


def joint_similarity(image, text, image_share, text_share, joint_share, scale, text_similarity):
    of_image, of_text = affinity(image), affinity(text, text_similarity)
    places = range(len(image))
    return [
        [
            scale
            * (
                image_share * of_image[i][j]
                + text_share * of_text[i][j]
                + joint_share * dot(unit(of_image[i]), unit(of_text[j]))
            )
            for j in places
        ]
        for i in places
    ]


def joint_similarity_of_present(
    image, text, has_image, has_text, image_share, text_share, joint_share, scale, text_similarity
):
    """Pairs one by one; None where nothing is known."""
    of_image, of_text = affinity(image), affinity(text, text_similarity)
    places = range(len(image))
    complete = [k for k in places if has_image[k] and has_text[k]]
    rows = []
    for i in places:
        rows.append([])
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
            left = of_image[i] if has_image[i] else of_text[i]
            right = of_text[j] if has_text[j] else of_image[j]
            joint = dot(unit([left[k] for k in complete]), unit([right[k] for k in complete]))
            mean = sum(share * value for share, value in direct) / weight
            rows[-1].append(scale * ((image_share + text_share) * mean + joint_share * joint))
    return rows


def enhance(rows):
    values = [value for row in rows for value in row]
    mean, least, most = sum(values) / len(values), min(values), max(values)

    def spread(value):
        if value <= mean:
            return value * math.exp(-(mean - value) / (2 * (mean - least))) if mean > least else value
        return value * math.exp((value - mean) / (most - mean))

    return [[spread(value) for value in row] for row in rows]


def graph_layer(features, adjacency, weight, bias):
    """Node by node."""
    outputs = []
    for taken in adjacency:
        total = list(bias)
        for share, node in zip(taken, features, strict=True):
            for out in range(len(bias)):
                total[out] += share * sum(value * weight[k][out] for k, value in enumerate(node))
        outputs.append(total)
    return outputs


def mean_squared_error(left, right, target, has_left, has_right):
    total, n_pair = 0.0, 0
    for i, row in enumerate(left):
        for j, column in enumerate(right):
            if has_left[i] and has_right[j] and target[i][j] is not None:
                total += (dot(unit(row), unit(column)) - target[i][j]) ** 2
                n_pair += 1
    return total / n_pair if n_pair else 0.0


def losses(image, text, graph_image, graph_text, target, has_image, has_text, *, text_graph_code=False):
    complete = [i for i in range(len(image)) if has_image[i] and has_text[i]]
    cosines = [dot(unit(image[i]), unit(text[i])) for i in complete]
    of_text = (graph_text, has_text) if text_graph_code else (graph_image, has_image)
    return {
        "intra_image": mean_squared_error(image, image, target, has_image, has_image),
        "intra_text": mean_squared_error(text, text, target, has_text, has_text),
        "cross": mean_squared_error(image, text, target, has_image, has_text)
        + mean_squared_error(text, image, target, has_text, has_image),
        "pair": -sum(cosines) / len(complete) if complete else 0.0,
        "graph": mean_squared_error(graph_image, graph_text, target, has_image, has_text),
        "graph_image": mean_squared_error(graph_image, image, target, has_image, has_image),
        "graph_text": mean_squared_error(of_text[0], text, target, of_text[1], has_text),
    }


class PlainGraph(nn.Module):
    """Two graph layers and a linear one."""

    def __init__(self, width, widths, bits, batch_size, attention_weight):
        super().__init__()
        first, second = widths
        self.attention_weight = attention_weight
        self.adjacency = nn.Parameter(torch.zeros(batch_size, batch_size))
        nn.init.kaiming_uniform_(self.adjacency)
        self.first, self.first_bias = self.uniform(width, first), self.uniform(first, first)[0]
        self.second, self.second_bias = self.uniform(first, second), self.uniform(second, second)[0]
        self.first_bias, self.second_bias = nn.Parameter(self.first_bias), nn.Parameter(self.second_bias)
        self.linear = nn.Linear(second, bits)

    @staticmethod
    def uniform(width_in, width_out):
        bound = 1 / math.sqrt(width_out)
        return nn.Parameter(torch.empty(width_in, width_out).uniform_(-bound, bound))

    def forward(self, features, similarity):
        adjacency = similarity + self.attention_weight * self.adjacency
        hidden = torch.relu(torch.mm(adjacency, torch.mm(features, self.first)) + self.first_bias)
        hidden = torch.relu(torch.mm(adjacency, torch.mm(hidden, self.second)) + self.second_bias)
        return self.linear(hidden)


class PlainLoop:
    """The training as the original writes it: samples collated one by one, four optimisers, losses read."""

    def __init__(
        self, image, text, *, bits, widths=(4096, 4096), graph_widths=(2048, 1024), batch_size=32, seed=0
    ):
        image_width, text_width = image.shape[1], text.shape[1]
        torch.manual_seed(seed)
        self.image_net = nn.Sequential(
            nn.Linear(image_width, widths[0]), nn.ReLU(), nn.Linear(widths[0], bits)
        )
        self.text_net = nn.Sequential(nn.Linear(text_width, widths[1]), nn.ReLU(), nn.Linear(widths[1], bits))
        self.image_graph = PlainGraph(image_width, graph_widths, bits, batch_size, 0.45)
        self.text_graph = PlainGraph(text_width, graph_widths, bits, batch_size, 0.45)
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
            for net in (self.image_net, self.text_net, self.image_graph, self.text_graph)
        ]
        rows = TensorDataset(image, text, torch.arange(len(image)))
        self.loader = DataLoader(rows, batch_size=batch_size, shuffle=True, drop_last=True)

    @staticmethod
    def target(image, text):
        image, text = normalize(image), normalize(text)
        of_image = image.mm(image.t()) * 2 - 1
        of_text = torch.sign(text.mm(text.t())) * 2 - 1
        both = normalize(of_image).mm(normalize(of_text).t())
        return 1.4 * (0.5 * of_image + 0.2 * of_text + 0.3 * both)

    def step(self, image, text, sharpness):
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        target = self.target(image, text)
        code_image = torch.tanh(sharpness * self.image_net(image))
        code_text = torch.tanh(sharpness * self.text_net(text))
        graph_image = torch.tanh(sharpness * self.image_graph(image, target))
        graph_text = torch.tanh(sharpness * self.text_graph(text, target))
        image, text = normalize(code_image), normalize(code_text)
        graph_image, graph_text = normalize(graph_image), normalize(graph_text)
        inside = mse_loss(image.mm(image.t()), target) + mse_loss(text.mm(text.t()), target)
        across = mse_loss(image.mm(text.t()), target) + mse_loss(text.mm(image.t()), target)
        across = across - (image * text).sum(dim=1).mean() + mse_loss(graph_image.mm(graph_text.t()), target)
        graph = mse_loss(graph_image.mm(image.t()), target) + mse_loss(graph_image.mm(text.t()), target)
        loss = 0.1 * inside + across + 0.15 * graph
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.item()

    def epoch(self, number):
        return [self.step(image, text, math.sqrt(number + 1)) for image, text, _ in self.loader]
