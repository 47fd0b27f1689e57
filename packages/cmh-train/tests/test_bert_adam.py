"""BertAdam: worked by hand, beside a plain loop over tensors, resumed."""

import math

import pytest
import torch
from cmh_train import BertAdam


def factor(share):
    return share / 0.1 if share < 0.1 else (1 + math.cos(math.pi * share)) / 2


def plain_steps(tensors, gradients, *, lr, n_step):
    """One tensor after the other, number by number."""
    tensors = [tensor.double().flatten().tolist() for tensor in tensors]
    means = [[0.0] * len(tensor) for tensor in tensors]
    squares = [[0.0] * len(tensor) for tensor in tensors]
    for taken, step in enumerate(gradients):
        rate = lr * factor(taken / n_step)
        for tensor, gradient, mean, square in zip(tensors, step, means, squares, strict=True):
            values = gradient.flatten().tolist()
            norm = math.sqrt(sum(value**2 for value in values))
            scale = min(1.0, 1.0 / (norm + 1e-6))
            for i, value in enumerate(values):
                mean[i] = 0.9 * mean[i] + 0.1 * scale * value
                square[i] = 0.98 * square[i] + 0.02 * (scale * value) ** 2
                update = mean[i] / (math.sqrt(square[i]) + 1e-6) + 0.2 * tensor[i]
                tensor[i] -= rate * update
    return tensors


def drawn(shapes, n_step, seed=0):
    """Gradients above and below the norm that is clipped to."""
    generator = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(shape, generator=generator, dtype=torch.float64) * (0.1 + step % 3) for shape in shapes]
        for step in range(n_step)
    ]


def run(optimiser, parameters, gradients):
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimiser.step()


def test_two_steps_by_hand():
    """The first has rate 0, but counts in the means; the second clips 3 to 1."""
    weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimiser = BertAdam([weight], lr=0.5, n_step=2, warm_up=1.0, weight_decay=0.2)
    run(optimiser, [weight], [[torch.tensor([0.5], dtype=torch.float64)]])
    assert weight.item() == 2.0
    run(optimiser, [weight], [[torch.tensor([3.0], dtype=torch.float64)]])
    mean, square = 0.9 * 0.05 + 0.1, 0.98 * 0.02 * 0.25 + 0.02
    expected = 2 - 0.5 * 0.5 * (mean / (math.sqrt(square) + 1e-6) + 0.4)
    assert weight.item() == pytest.approx(expected, rel=1e-6)


def test_steps_are_those_of_the_plain_loop():
    shapes = [(3, 4), (5,), ()]
    generator = torch.Generator().manual_seed(4)
    starts = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    parameters = [torch.nn.Parameter(start.clone()) for start in starts]
    gradients = drawn(shapes, 25)
    run(BertAdam(parameters, lr=0.01, n_step=25), parameters, gradients)
    expected = plain_steps(starts, gradients, lr=0.01, n_step=25)
    for ours, plain in zip(parameters, expected, strict=True):
        assert ours.detach().flatten().tolist() == pytest.approx(plain, rel=1e-12)


def test_a_stack_is_clipped_like_its_tensors():
    gradients = drawn([(4, 2, 3)], 12)
    start = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    stack = torch.nn.Parameter(start.clone())
    run(BertAdam([{"params": [stack], "stacked": True}], lr=0.1, n_step=12), [stack], gradients)
    apart = [torch.nn.Parameter(part.clone()) for part in start]
    run(BertAdam(apart, lr=0.1, n_step=12), apart, [list(step[0]) for step in gradients])
    torch.testing.assert_close(stack.detach(), torch.stack([part.detach() for part in apart]))
    whole = torch.nn.Parameter(start.clone())
    run(BertAdam([whole], lr=0.1, n_step=12), [whole], gradients)
    assert not torch.allclose(stack, whole)


def test_it_continues_from_its_state():
    gradients = drawn([(3,)], 10)
    whole, first = (torch.nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2))
    run(BertAdam([whole], lr=0.1, n_step=10), [whole], gradients)
    optimiser = BertAdam([first], lr=0.1, n_step=10)
    run(optimiser, [first], gradients[:4])
    second = torch.nn.Parameter(first.detach().clone())
    other = BertAdam([second], lr=0.1, n_step=10)
    other.load_state_dict(optimiser.state_dict())
    run(other, [second], gradients[4:])
    assert torch.equal(second, whole)


def test_after_the_last_step_nothing_changes():
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = BertAdam([weight], lr=0.1, n_step=3)
    run(optimiser, [weight], [[torch.ones(3)]] * 3)
    before = weight.detach().clone()
    run(optimiser, [weight], [[torch.ones(3)]] * 3)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("wrong", [{"lr": 0.0, "n_step": 3}, {"lr": 0.1, "n_step": 0}])
def test_bad_input(wrong):
    with pytest.raises(ValueError, match="lr and n_step must be positive"):
        BertAdam([torch.nn.Parameter(torch.ones(1))], **wrong)
