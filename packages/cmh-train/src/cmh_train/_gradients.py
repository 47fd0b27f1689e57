"""Gradients of a discriminator at its inputs, for gradient penalties."""

from __future__ import annotations

import torch

from cmh_train._products import fast_linear


def input_gradient(discriminator: torch.nn.Sequential, inputs: torch.Tensor) -> torch.Tensor:
    """Differentiate each row's output by the row, in a form that has a gradient for the weights.

    A ReLU's derivative is 0 or 1 and has none itself, so the gradient is a product of masked weight matrices.
    Autograd's own way (`create_graph=True`) goes back through the first pass too, with zeros.

    Args:
        discriminator: linear layers with ReLU between them, one output at the end.
        inputs: `(batch, width)` floating point.

    Returns:
        `(batch, width)` of the weights' dtype.

    Example:
        >>> import torch
        >>> discriminator = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
        >>> input_gradient(discriminator, torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """
    *hidden, last = (layer for layer in discriminator if isinstance(layer, torch.nn.Linear))
    derivatives: list[torch.Tensor] = []
    with torch.no_grad():
        for linear in hidden:
            inputs = torch.relu(linear(inputs))
            derivatives.append(inputs.sign())  # 0 and 1: much faster than a comparison, which gives bool
    gradient = last.weight.expand(len(inputs), -1)  # (batch, last width)
    for linear, derivative in zip(reversed(hidden), reversed(derivatives), strict=True):
        gradient = fast_linear(gradient * derivative, linear.weight.T)
    return gradient.to(last.weight.dtype)


def gradient_penalty(discriminator: torch.nn.Sequential, inputs: torch.Tensor) -> torch.Tensor:
    """Penalise gradients at the inputs whose length is not 1: the mean of `(|grad D(x)|_2 - 1)^2`.

    Args:
        discriminator: linear layers with ReLU between them, one output at the end.
        inputs: `(batch, width)` floating point, usually between real and fake rows.

    Returns:
        Scalar `()` floating point, unweighted, with a gradient for the weights.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, eq. 3.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(2, 1)
        >>> with torch.no_grad():
        ...     _ = linear.weight.copy_(torch.tensor([[3.0, 4.0]]))  # a gradient of length 5 everywhere
        >>> gradient_penalty(torch.nn.Sequential(linear), torch.zeros(7, 2)).item()
        16.0
    """
    lengths: torch.Tensor = torch.linalg.vector_norm(input_gradient(discriminator, inputs), dim=1)
    return (lengths - 1).square().mean()
