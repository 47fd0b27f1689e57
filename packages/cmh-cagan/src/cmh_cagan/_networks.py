"""The network of CAGAN that hashes a batch as a graph."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from cmh_train import FastLinear

from cmh_cagan._products import graph_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

Attention = Literal["additive", "multiplicative"]


class GraphLayer(torch.nn.Module):
    """A graph convolution, `A (X W) + b`, initially uniform in `+-1 / sqrt(output_width)`.

    Args:
        input_width: width of a node's features.
        output_width: width of a node's output.

    Example:
        >>> layer = GraphLayer(3, 2)
        >>> layer(torch.ones(4, 3), torch.eye(4)).shape
        torch.Size([4, 2])

    Source: Kipf, Welling, ICLR 2017; here the adjacency is not normalised.
    """

    def __init__(self, input_width: int, output_width: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(output_width)
        self.weight = torch.nn.Parameter(torch.empty(input_width, output_width).uniform_(-bound, bound))
        self.bias = torch.nn.Parameter(torch.empty(output_width).uniform_(-bound, bound))

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """Mix the nodes' transformed features by the adjacency.

        Args:
            features: `(batch, input_width)` floating point, X.
            adjacency: `(batch, batch)` floating point, A; row i says what node i takes from each node.

        Returns:
            `(batch, output_width)` floating point, before the ReLU.
        """
        return graph_layer(features, adjacency, self.weight, self.bias)


class GraphNetwork(torch.nn.Module):
    """A network that sees a whole batch as one graph, whose adjacency is partly learned.

    Args:
        input_width: width of the features.
        widths: of the graph layers, each followed by ReLU; one linear layer makes the bits.
        bits: width of the output.
        batch_size: largest number of nodes, for which the learned matrix W has places.
        attention: "additive": the adjacency is S + g W, as in the authors' program; "multiplicative":
            S + g S W entry by entry, our reading of the papers' figure.
        attention_weight: g.

    Example:
        >>> network = GraphNetwork(5, (4,), 8, batch_size=3)
        >>> network(torch.ones(3, 5), torch.eye(3)).shape
        torch.Size([3, 8])

    W belongs to places in the batch, and batches are drawn at random, so it cannot learn anything about
    samples. That is what the program does.

    Source: Sensors 23(7):3439, 2023, adaptive graph attention module; initial values as in the program.
    """

    def __init__(
        self,
        input_width: int,
        widths: Sequence[int],
        bits: int,
        *,
        batch_size: int,
        attention: Attention = "additive",
        attention_weight: float = 0.45,
    ) -> None:
        super().__init__()
        self.attention: Attention = attention
        self.attention_weight = attention_weight
        bound = math.sqrt(6 / batch_size)  # Kaiming-uniform
        self.learned_adjacency = torch.nn.Parameter(
            torch.empty(batch_size, batch_size).uniform_(-bound, bound)
        )
        self.layers = torch.nn.ModuleList(
            GraphLayer(width_in, width_out) for width_in, width_out in pairwise([input_width, *widths])
        )
        self.head = FastLinear(widths[-1], bits)

    def adjacency(self, similarity: torch.Tensor) -> torch.Tensor:
        """Return the adjacency A.

        Args:
            similarity: `(batch, batch)` floating point, S; a batch that is not full takes the first places.

        Returns:
            `(batch, batch)` floating point, neither normalised nor non-negative.
        """
        n_node = len(similarity)
        learned: torch.Tensor = self.learned_adjacency[:n_node, :n_node]
        if self.attention == "multiplicative":
            learned = similarity * learned
        return similarity + self.attention_weight * learned

    def forward(
        self, features: torch.Tensor, similarity: torch.Tensor, present: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Hash a batch as a graph.

        Args:
            features: `(batch, input_width)` floating point.
            similarity: `(batch, batch)` floating point, S.
            present: `(batch,)` bool; nothing flows from nodes where it is False. None: from all.

        Returns:
            `(batch, bits)` floating point, before the tanh.
        """
        adjacency = self.adjacency(similarity)
        if present is not None:
            adjacency = adjacency * present
        for layer in self.layers:
            features = layer(features, adjacency).relu_()
        return self.head(features)  # type: ignore[no-any-return]
