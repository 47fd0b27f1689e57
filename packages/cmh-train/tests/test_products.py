"""Products by oneDNN are those of torch, and are taken only where they can be."""

import pytest
import torch
from cmh_train import FastLinear, _products, fast_linear, fast_product
from cmh_train._products import has_fast_product

SHAPES = [(1, 1, 1), (2, 3, 5), (32, 41, 129), (7, 1271, 401)]
needs_onednn = pytest.mark.skipif(_products._ONEDNN is None, reason="torch has no oneDNN here")


@pytest.fixture(autouse=True)
def no_intel(monkeypatch):
    """Multiply as on a processor that is not Intel's."""
    monkeypatch.setattr(_products, "_INTEL", False)
    monkeypatch.setattr(_products, "_FEWEST", 1)


@pytest.fixture
def calls(count_calls):
    """How often oneDNN was called, in a list."""
    return count_calls(_products, "_ONEDNN")


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


@pytest.mark.parametrize(("n", "width_in", "width_out"), [(0, 5, 3), (2, 0, 3), (2, 5, 0)])
def test_nothing_to_multiply(n, width_in, width_out):
    """A batch may have no row that a network needs."""
    shapes = [(n, width_in), (width_out, width_in), (width_out,)]
    inputs, weight, bias = (torch.randn(shape, requires_grad=True) for shape in shapes)
    torch.testing.assert_close(
        gradients(fast_linear, inputs, weight, bias),
        gradients(torch.nn.functional.linear, inputs, weight, bias),
    )
    torch.testing.assert_close(fast_product(inputs, weight.T, bias), (inputs @ weight.T + bias).detach())


@pytest.mark.parametrize("intel", [False, True])
def test_without_a_bias_and_with_transposed_weights(monkeypatch, intel):
    monkeypatch.setattr(_products, "_INTEL", intel)
    torch.manual_seed(0)
    inputs, stored = torch.randn(7, 5, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    assert_close(
        gradients(lambda x, w: fast_linear(x, w.T), inputs, stored),
        gradients(lambda x, w: x @ w, inputs, stored),
    )
    bias = torch.randn(3, requires_grad=True)
    assert_close(
        gradients(lambda x, w, b: fast_linear(x, w.T, b), inputs, stored, bias),
        gradients(lambda x, w, b: x @ w + b, inputs, stored, bias),
    )
    fast_linear(inputs, stored.T).sum().backward()
    assert stored.grad.stride() == stored.stride()


@needs_onednn
def test_a_first_layer_makes_no_gradient_of_the_features(calls):
    FastLinear(5, 3)(torch.ones(2, 5)).sum().backward()
    assert len(calls) == 2  # forward and gradient of the weights


@pytest.mark.parametrize("bias", [None, torch.arange(5.0)])
def test_a_product_of_strided_matrices(bias, calls):
    left, right = torch.randn(3, 4).T, torch.randn(5, 3).T
    expected = left @ right + (0 if bias is None else bias)
    torch.testing.assert_close(fast_product(left, right, bias), expected)
    assert len(calls) == has_fast_product(left, right)


def test_a_product_has_no_gradient():
    for dtype in (torch.float32, torch.float64):
        left = torch.ones(2, 3, dtype=dtype, requires_grad=True)
        assert not fast_product(left, torch.ones(3, 2, dtype=dtype)).requires_grad


@pytest.mark.parametrize("case", ["float64", "autocast", "no oneDNN", "Intel"])
def test_elsewhere_torch_multiplies(case, calls, monkeypatch):
    if case == "no oneDNN":
        monkeypatch.setattr(_products, "_ONEDNN", None)
    monkeypatch.setattr(_products, "_INTEL", case == "Intel")
    dtype = torch.float64 if case == "float64" else torch.float32
    layer, inputs = FastLinear(5, 3).to(dtype), torch.randn(2, 5, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=case == "autocast"):
        assert not has_fast_product(inputs, layer.weight)
        output = layer(inputs)
        product = fast_product(inputs, layer.weight.T, layer.bias)
    assert output.dtype == product.dtype == (torch.bfloat16 if case == "autocast" else dtype)
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if case == "autocast" else {}
    torch.testing.assert_close(output, product, check_dtype=False, **tolerance)
    assert not calls
