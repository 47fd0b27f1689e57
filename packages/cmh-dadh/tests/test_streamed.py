import pytest
import torch
from cmh_dadh import _streamed
from cmh_dadh._streamed import StreamedAdam, StreamedLinear
from cmh_dadh._streamed import _sum_of_fast_products as _sum_of_products
from cmh_train import _products, has_fast_product


def pair():
    torch.manual_seed(0)
    streamed = torch.nn.Sequential(StreamedLinear(7, 11), torch.nn.Tanh(), StreamedLinear(11, 3)).double()
    plain = torch.nn.Sequential(torch.nn.Linear(7, 11), torch.nn.Tanh(), torch.nn.Linear(11, 3)).double()
    plain.load_state_dict(streamed.state_dict())
    options = {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9)}
    return (
        (streamed, StreamedAdam(streamed.parameters(), **options)),
        (plain, torch.optim.Adam(plain.parameters(), **options)),
    )


def train(network, optimiser, passes, steps=5):
    dtype = next(network.parameters()).dtype
    for step in range(steps):
        torch.manual_seed(step)
        optimiser.zero_grad()
        sum(network(torch.randn(4, 7).to(dtype)).square().sum() for _ in range(passes)).backward()
        optimiser.step()


@pytest.mark.parametrize("piece", [1, 20, 2**22])  # rows of 7 entries: one, two or all at a time
@pytest.mark.parametrize("passes", [1, 3])
def test_equals_adam(passes, piece, monkeypatch):
    monkeypatch.setattr(_streamed, "_PIECE", piece)
    streamed, plain = pair()
    train(*streamed, passes)
    train(*plain, passes)
    torch.testing.assert_close(streamed[0].state_dict(), plain[0].state_dict(), rtol=1e-10, atol=1e-13)
    state, expected = streamed[1].state_dict()["state"], plain[1].state_dict()["state"]
    torch.testing.assert_close(state, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("intel", [False, True])
@pytest.mark.parametrize("passes", [1, 3])
def test_equals_adam_in_single_precision(passes, intel, monkeypatch):
    """By both libraries that multiply in single precision."""
    monkeypatch.setattr(_products, "_INTEL", intel)
    monkeypatch.setattr(_products, "_FEWEST", 1)
    if not intel and not has_fast_product(torch.ones(1, 1), torch.ones(1, 1)):
        pytest.skip("torch has no oneDNN here")
    made = []
    monkeypatch.setattr(_streamed, "_sum_of_fast_products", lambda f: made.append(f) or _sum_of_products(f))
    streamed, plain = pair()
    for network, optimiser in (streamed, plain):
        train(network.float(), optimiser, passes)
    assert bool(made) == (not intel)
    torch.testing.assert_close(streamed[0].state_dict(), plain[0].state_dict(), rtol=1e-4, atol=1e-5)


def test_gradient_of_the_input():
    streamed, plain = pair()
    inputs = [torch.ones(2, 7).double().requires_grad_() for _ in range(2)]
    streamed[0](inputs[0]).sum().backward()
    plain[0](inputs[1]).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_zero_grad_forgets_the_factors():
    (network, optimiser), _ = pair()
    before = [parameter.clone() for parameter in network.parameters()]
    network(torch.ones(2, 7).double()).sum().backward()
    optimiser.zero_grad()
    optimiser.step()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_products_in_bfloat16_leave_the_weights_in_single_precision():
    (network, optimiser), (plain, plain_optimiser) = pair()
    for net, optim in ((network.float(), optimiser), (plain.float(), plain_optimiser)):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = net(torch.randn(4, 7))
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        optim.step()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert ours.dtype == torch.float32
        # Adam's first step is about lr in size whatever the gradient; bfloat16 rounds it at 1 in 256.
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


def bfloat16_steps(network, optimiser, steps):
    for step in range(steps):
        torch.manual_seed(step)
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = network(torch.randn(4, 7))
        output.float().square().sum().backward()
        optimiser.step()


@pytest.mark.parametrize("piece", [20, 2**22])
def test_kept_copies_are_the_weights_to_the_bit(piece, monkeypatch):
    monkeypatch.setattr(_streamed, "_PIECE", piece)
    ends = []
    for keeps in (True, False):
        (network, optimiser), _ = pair()
        if not keeps:
            monkeypatch.setattr(_streamed, "_rounded", lambda weight, dtype, **_: weight.detach().to(dtype))
        bfloat16_steps(network.float(), optimiser, 4)
        ends.append(network.state_dict())
        for weight in (network[0].weight, network[2].weight):
            kept = vars(weight).get("rounded_copy")
            assert (kept is not None) == keeps
            if keeps:
                assert torch.equal(kept.values, weight.detach().bfloat16())
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def test_a_copy_is_made_once_and_serves_codes_too():
    (network, optimiser), _ = pair()
    bfloat16_steps(network.float(), optimiser, 1)
    copies = [vars(network[place].weight)["rounded_copy"].values for place in (0, 2)]
    bfloat16_steps(network, optimiser, 2)
    inputs, weight = torch.ones(2, 7), network[0].weight
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert _streamed._rounded(weight, torch.bfloat16) is copies[0]
        codes = network(inputs)
        expected = torch.nn.functional.linear(inputs, weight, network[0].bias)
        expected = torch.nn.functional.linear(expected.tanh(), network[2].weight, network[2].bias)
    assert torch.equal(codes, expected)
    assert all(
        vars(network[place].weight)["rounded_copy"].values is copy
        for place, copy in zip((0, 2), copies, strict=True)
    )


@pytest.mark.parametrize("way", ["in place", "loaded", "moved"])
def test_a_weight_that_something_else_changed_is_rounded_anew(way):
    (network, optimiser), _ = pair()
    bfloat16_steps(network.float(), optimiser, 2)
    weight = network[0].weight
    other = torch.linspace(-1, 1, weight.numel()).reshape(weight.shape)
    with torch.no_grad():
        if way == "in place":
            weight.copy_(other)
        elif way == "loaded":
            network.load_state_dict(network.state_dict() | {"0.weight": other})
        else:
            weight.data = other
    assert torch.equal(_streamed._rounded(weight, torch.bfloat16), other.bfloat16())
    bfloat16_steps(network, optimiser, 2)
    assert torch.equal(vars(weight)["rounded_copy"].values, weight.detach().bfloat16())


def test_a_weight_that_no_step_takes_is_not_kept_twice():
    (network, _), _ = pair()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        network.float()(torch.ones(2, 7))
    assert "rounded_copy" not in vars(network[0].weight)
