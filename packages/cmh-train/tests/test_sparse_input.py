"""A layer for rows of mostly zeros is a linear layer, whichever way it multiplies."""

import pytest
import torch
from cmh_train import FastLinear, SparseInputLinear, _sparse_input, linear_layers


@pytest.fixture
def calls(count_calls):
    """How often entries were multiplied one by one, in a list."""
    return count_calls(_sparse_input, "_sums_of_rows")


def rows(n, width, *, every, dtype=torch.float32):
    """Each `every`-th entry is not zero."""
    entries = torch.arange(1, n * width + 1, dtype=dtype)
    return torch.where(entries % every == 0, entries.sin(), 0).reshape(n, width)


def both_layers(width_in, width_out, dtype=torch.float32):
    torch.manual_seed(0)
    ours = SparseInputLinear(width_in, width_out).to(dtype)
    torch.manual_seed(0)
    return ours, torch.nn.Linear(width_in, width_out).to(dtype)


def results(layer, inputs, weight):
    """Output, gradient of the weights as the transposed matrix, gradient of the bias."""
    output = layer(inputs)
    output.backward(torch.linspace(-1, 1, output.numel()).reshape(output.shape).to(output.dtype))
    return [output.detach(), weight.grad, layer.bias.grad]


def test_one_word_by_hand(calls):
    layer = SparseInputLinear(20, 2)
    with torch.no_grad():
        layer.transposed_weight.copy_(torch.arange(40.0).reshape(20, 2))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    inputs = torch.zeros(2, 20)
    inputs[1, 3] = 2.0
    output = layer(inputs)
    assert output.tolist() == [[0.5, 0.0], [12.5, 14.0]]
    output.backward(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    expected = torch.zeros(20, 2)
    expected[3] = torch.tensor([2.0, -2.0])
    assert torch.equal(layer.transposed_weight.grad, expected)
    assert layer.bias.grad.tolist() == [2.0, 0.0]
    assert len(calls) == 2


def test_it_begins_as_torchs_layer():
    ours, theirs = both_layers(7, 5)
    assert torch.equal(ours.transposed_weight, theirs.weight.T)
    assert torch.equal(ours.bias, theirs.bias)
    assert ours.transposed_weight.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "every", "is_sparse"),
    [
        ((1, 17), 17, True),
        ((32, 129), 16, True),
        ((41, 401), 1000, True),
        ((7, 1271), 10**6, True),  # nothing but zeros
        ((32, 129), 15, False),
        ((5, 3), 1, False),
    ],
)
@pytest.mark.parametrize("width_out", [1, 33])
def test_it_is_torchs_layer(shape, every, is_sparse, width_out, dtype, calls):
    inputs = rows(*shape, every=every, dtype=dtype)
    ours, theirs = both_layers(shape[1], width_out, dtype)
    mine = results(ours, inputs, ours.transposed_weight)
    assert len(calls) == (2 if is_sparse else 0)
    expected = results(theirs, inputs, theirs.weight)
    expected[1] = expected[1].T
    for found, wanted in zip(mine, expected, strict=True):
        torch.testing.assert_close(found, wanted)
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs), expected[0])


def test_inputs_may_lie_in_any_order():
    inputs = rows(40, 9, every=40).T
    ours, theirs = both_layers(40, 3)
    for found, wanted in zip(
        results(ours, inputs, ours.transposed_weight), results(theirs, inputs, theirs.weight), strict=True
    ):
        torch.testing.assert_close(found.T if found.shape != wanted.shape else found, wanted)


@pytest.mark.parametrize("case", ["autocast", "gradient of the inputs", "batches of batches"])
def test_elsewhere_it_multiplies_as_other_layers_do(case, calls):
    inputs = rows(4, 40, every=40)
    ours, theirs = both_layers(40, 3)
    if case == "batches of batches":
        inputs = inputs.reshape(2, 2, 40)
    if case == "gradient of the inputs":
        inputs.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=case == "autocast"):
        output, expected = ours(inputs), theirs(inputs)
    assert output.dtype == expected.dtype
    torch.testing.assert_close(output, expected)
    assert not calls


@pytest.mark.parametrize("width", [39, 41])
def test_inputs_of_another_width_are_refused(width):
    with pytest.raises(RuntimeError, match="cannot be multiplied"), torch.no_grad():
        SparseInputLinear(40, 3)(torch.zeros(4, width))


def test_the_gradient_has_the_layout_of_the_weights():
    """Otherwise autograd would copy it, and a fused step copies everything."""
    for every in (40, 2):
        layer = SparseInputLinear(40, 3)
        layer(rows(4, 40, every=every)).sum().backward()
        assert layer.transposed_weight.grad.stride() == layer.transposed_weight.stride()


def test_it_may_be_the_first_of_many_layers():
    net = linear_layers(5, (7, 6), 8, first_layer=SparseInputLinear)
    kinds = [type(layer) for layer in net if not isinstance(layer, torch.nn.ReLU)]
    assert kinds == [SparseInputLinear, FastLinear, FastLinear]
    assert isinstance(linear_layers(5, (), 8, first_layer=SparseInputLinear)[0], SparseInputLinear)
    assert net(torch.ones(4, 5)).shape == (4, 8)
