"""The graph layer with a backward pass of its own is torch's, and is taken only where it can be."""

import cmh_cagan
import pytest
import torch
from cmh_cagan import _products
from cmh_cagan._products import graph_layer, hash_rows, mixes_first
from cmh_train import Batch, DataSpec, FastLinear, SparseInputLinear, linear_layers
from cmh_train import _products as products_of_layers

SHAPES = [(1, 1, 1), (2, 3, 5), (32, 41, 129), (7, 1271, 401), (401, 41, 129)]


@pytest.fixture(autouse=True, params=["Intel", "others"])
def processor(monkeypatch, request):
    """Multiply as on processors of Intel, by torch, and on others, by oneDNN where torch has it."""
    monkeypatch.setattr(products_of_layers, "_INTEL", request.param == "Intel")


def gradients(function, *inputs):
    output = function(*inputs)
    weights = torch.linspace(-1, 1, output.numel()).reshape(output.shape).to(output.dtype)
    return [output.detach(), *torch.autograd.grad((output * weights).sum(), inputs)]


def assert_close(ours, expected):
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


@pytest.mark.parametrize(("n", "width_in", "width_out"), SHAPES)
def test_a_graph_layer_is_torchs(n, width_in, width_out):
    torch.manual_seed(0)
    shapes = ((n, width_in), (n, n), (width_in, width_out), (width_out,))
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]

    def plain(features, adjacency, weight, bias):
        return adjacency @ (features @ weight) + bias

    ours = gradients(graph_layer, *inputs)
    assert_close(ours, gradients(plain, *inputs))


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_word_counts_are_multiplied_to_the_same(share):
    torch.manual_seed(0)
    adjacency, weight = torch.randn(32, 32, requires_grad=True), torch.randn(401, 50, requires_grad=True)
    bias = torch.randn(50, requires_grad=True)
    words = torch.poisson(torch.full((32, 401), share))
    assert not mixes_first(words, weight)
    ours = gradients(lambda *others: graph_layer(words, *others), adjacency, weight, bias)
    assert_close(ours, gradients(lambda a, w, b: a @ (words @ w) + b, adjacency, weight, bias))


def multiplications(n, width_in, width_out, *, of_features, mixed_first):
    """Counted product by product: the layer, and the gradients of the adjacency, the weight, the features."""
    weighing, mixing = (n * width_in * width_out, n * n * (width_in if mixed_first else width_out))
    layer = weighing + mixing
    if mixed_first:  # weight, mixed features; adjacency, features
        return layer + 2 * weighing + (1 + of_features) * mixing
    return layer + 2 * mixing + (1 + of_features) * weighing  # adjacency, hidden; weight, features


@pytest.mark.parametrize("of_features", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (32, 512, 2048), (1024, 512, 2048), (1024, 1386, 2048)])
def test_the_order_of_products_is_the_one_with_fewer_multiplications(shape, of_features):
    n, width_in, width_out = shape
    features = torch.empty(n, width_in, requires_grad=of_features)
    mixed, weighed = (
        multiplications(*shape, of_features=of_features, mixed_first=first) for first in (True, False)
    )
    assert mixes_first(features, torch.empty(width_in, width_out)) == (mixed < weighed)


@pytest.mark.parametrize("block", [1, 50, 1000])
@pytest.mark.parametrize("first_layer", [FastLinear, SparseInputLinear])
@pytest.mark.parametrize(("n", "widths"), [(1, (1, 1, 1)), (41, (12, 129, 16)), (7, (401, 30, 8))])
def test_a_hidden_layer_made_twice_is_the_networks(monkeypatch, n, widths, first_layer, block):
    monkeypatch.setattr(_products, "_BLOCK", block)
    torch.manual_seed(0)
    network = linear_layers(widths[0], widths[1:2], widths[2], first_layer=first_layer)
    inputs = torch.randn(n, widths[0])
    ours = gradients(lambda *_: hash_rows(network, inputs), *network.parameters())
    assert_close(ours, gradients(lambda *_: network(inputs), *network.parameters()))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.shape) or tensor, id):
        hash_rows(network, inputs)
    assert ((n, widths[1]) in kept) != (n * widths[1] > block)


@pytest.mark.parametrize("hidden", [(), (30, 20)])
def test_other_networks_run_as_they_are(monkeypatch, hidden):
    monkeypatch.setattr(_products, "_BLOCK", 1)
    network, inputs = linear_layers(5, hidden, 8), torch.randn(3, 5)
    assert torch.equal(hash_rows(network, inputs), network(inputs))


def test_a_first_layer_makes_no_gradient_of_the_features():
    adjacency, weight = torch.eye(2, requires_grad=True), torch.ones(5, 3, requires_grad=True)
    features = torch.ones(2, 5)
    graph_layer(features, adjacency, weight, torch.zeros(3, requires_grad=True)).sum().backward()
    assert features.grad is None
    assert torch.equal(weight.grad, torch.full((5, 3), 2.0))


@pytest.mark.parametrize("autocast", [False, True])
def test_elsewhere_torch_multiplies(autocast):
    dtype = torch.float32 if autocast else torch.float64
    inputs, weight, bias = (torch.randn(*shape, dtype=dtype) for shape in ((2, 5), (5, 3), (3,)))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        output = graph_layer(inputs, torch.eye(2, dtype=dtype), weight, bias)
    assert output.dtype == (torch.bfloat16 if autocast else dtype)
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if autocast else {}
    torch.testing.assert_close(output, inputs @ weight + bias, check_dtype=False, **tolerance)


def test_three_steps_are_those_of_double_precision():
    """Gradients by hand and by torch train the same networks."""
    torch.manual_seed(0)
    spec = DataSpec(n_train=48, image_shape=(12,), text_width=9)
    config = cmh_cagan.CAGANConfig(
        bits=16, batch_size=16, image_widths=(24,), text_widths=(24,), graph_widths=(20, 12)
    )
    single, double = cmh_cagan.CAGAN(config, spec), cmh_cagan.CAGAN(config, spec)
    double.load_state_dict(single.state_dict())
    double = double.double()
    image, text = torch.rand(48, 12), (torch.rand(48, 9) < 0.3).float()
    for step in range(3):
        rows = slice(16 * step, 16 * step + 16)
        for method in (single, double):
            everything = torch.ones(16, dtype=torch.bool)
            dtype = method.code_sharpness.dtype
            losses = method.update(
                Batch(
                    image=image[rows].to(dtype),
                    text=text[rows].to(dtype),
                    label=None,
                    index=torch.arange(16),
                    image_present=everything,
                    text_present=everything,
                )
            )
            assert torch.isfinite(losses["total"])
    for name, value in double.state_dict().items():
        torch.testing.assert_close(single.state_dict()[name].double(), value, rtol=1e-4, atol=1e-5, msg=name)
