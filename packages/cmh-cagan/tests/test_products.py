"""Products by oneDNN are those of torch, and are taken only where they can be."""

import cmh_cagan
import pytest
import torch
from cmh_cagan import _products
from cmh_cagan._products import FastLinear, graph_layer
from cmh_train import Batch, DataSpec

SHAPES = [(1, 1, 1), (2, 3, 5), (32, 41, 129), (7, 1271, 401)]
needs_onednn = pytest.mark.skipif(_products._ONEDNN is None, reason="torch has no oneDNN here")


@pytest.fixture
def calls(monkeypatch):
    """How often oneDNN was called, in a list."""
    found, onednn = [], _products._ONEDNN

    def counted(*arguments):
        found.append(arguments)
        return onednn(*arguments)

    monkeypatch.setattr(_products, "_ONEDNN", counted)
    return found


def gradients(function, *inputs):
    output = function(*inputs)
    weights = torch.linspace(-1, 1, output.numel()).reshape(output.shape).to(output.dtype)
    return [output.detach(), *torch.autograd.grad((output * weights).sum(), inputs)]


def assert_close(ours, expected):
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


@needs_onednn
@pytest.mark.parametrize(("n", "width_in", "width_out"), SHAPES)
def test_a_linear_layer_is_torchs(n, width_in, width_out, calls):
    torch.manual_seed(0)
    layer = FastLinear(width_in, width_out)
    inputs = torch.randn(n, width_in, requires_grad=True)
    ours = gradients(lambda *_: layer(inputs), inputs, layer.weight, layer.bias)
    assert len(calls) == 3
    linear = torch.nn.functional.linear
    assert_close(ours, gradients(linear, inputs, layer.weight, layer.bias))
    strided = torch.randn(width_in, n).T
    assert_close([layer(strided)], [linear(strided, layer.weight, layer.bias)])


@needs_onednn
@pytest.mark.parametrize(("n", "width_in", "width_out"), SHAPES)
def test_a_graph_layer_is_torchs(n, width_in, width_out, calls):
    torch.manual_seed(0)
    shapes = ((n, width_in), (n, n), (width_in, width_out), (width_out,))
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]

    def plain(features, adjacency, weight, bias):
        return adjacency @ (features @ weight) + bias

    ours = gradients(graph_layer, *inputs)
    assert len(calls) == 3
    assert_close(ours, gradients(plain, *inputs))


@needs_onednn
def test_first_layers_make_no_gradient_of_the_features(calls):
    FastLinear(5, 3)(torch.ones(2, 5)).sum().backward()
    adjacency, weight = torch.eye(2, requires_grad=True), torch.ones(5, 3, requires_grad=True)
    graph_layer(torch.ones(2, 5), adjacency, weight, torch.zeros(3, requires_grad=True)).sum().backward()
    assert len(calls) == 4  # forward and gradient of the weights, twice


@pytest.mark.parametrize("case", ["float64", "autocast", "no oneDNN"])
def test_elsewhere_torch_multiplies(case, calls, monkeypatch):
    if case == "no oneDNN":
        monkeypatch.setattr(_products, "_ONEDNN", None)
    dtype = torch.float64 if case == "float64" else torch.float32
    layer, inputs = FastLinear(5, 3).to(dtype), torch.randn(2, 5, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=case == "autocast"):
        output = layer(inputs)
        graph = graph_layer(inputs, torch.eye(2, dtype=dtype), layer.weight.T, layer.bias)
    assert output.dtype == graph.dtype == (torch.bfloat16 if case == "autocast" else dtype)
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if case == "autocast" else {}
    torch.testing.assert_close(output, graph, **tolerance)
    assert not calls


def test_three_steps_are_those_of_double_precision():
    """With oneDNN where there is one: gradients by hand and by torch train the same networks."""
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
