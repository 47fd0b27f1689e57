"""Torch's optimisers, step by step the same, without importing the compiler."""

import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from cmh_train import PlainAdam, PlainAdamW, PlainOptimiser, PlainSGD, _optimisers


class PlainRprop(PlainOptimiser, torch.optim.Rprop):
    """What a package makes for itself."""


WEIGHT_BY_WEIGHT = [
    (PlainAdam, torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9)}),
    (PlainAdam, torch.optim.Adam, {"lr": 0.01, "fused": True}),
    (PlainAdam, torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (PlainAdamW, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.98), "eps": 1e-6}),
    (PlainAdamW, torch.optim.AdamW, {"lr": 0.01, "fused": True}),
    (PlainSGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "fused": True}),
    (PlainSGD, torch.optim.SGD, {"lr": 0.1}),
]
PAIRS = [*WEIGHT_BY_WEIGHT, (PlainRprop, torch.optim.Rprop, {"lr": 0.01})]


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))


def train(net, optimiser, steps):
    for step in range(steps):
        torch.manual_seed(step)
        optimiser.zero_grad()
        net(torch.randn(4, 5)).square().sum().backward()
        optimiser.step()


def groups(net):
    return [{"params": list(net[0].parameters()), "lr": 0.02}, {"params": list(net[2].parameters())}]


@pytest.mark.parametrize(("plain", "torchs", "options"), PAIRS)
def test_every_step_is_torchs_to_the_bit(plain, torchs, options):
    ours, theirs = network(), network()
    mine, other = plain(groups(ours), **options), torchs(groups(theirs), **options)
    train(ours, mine, 4)
    train(theirs, other, 4)
    state, expected = mine.state_dict(), other.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    torch.testing.assert_close(state["state"], expected["state"], rtol=0, atol=0)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("plain", "torchs", "options"), PAIRS)
def test_a_state_of_either_continues_in_the_other(plain, torchs, options):
    first, second = network(), network()
    mine, other = plain(first.parameters(), **options), torchs(second.parameters(), **options)
    train(first, mine, 2)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(deepcopy(mine.state_dict()))
    third = network()
    third.load_state_dict(first.state_dict())
    again = plain(third.parameters(), **options)
    again.load_state_dict(deepcopy(other.state_dict()))
    for net, optimiser in ((first, mine), (second, other), (third, again)):
        train(net, optimiser, 2)
    for net in (second, third):
        torch.testing.assert_close(first.state_dict(), net.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("large", [1, 40, 10**6])
@pytest.mark.parametrize(("plain", "torchs", "options"), WEIGHT_BY_WEIGHT)
def test_a_step_inside_the_backward_pass_is_torchs_to_the_bit(monkeypatch, plain, torchs, options, large):
    monkeypatch.setattr(_optimisers, "_LARGE", large)
    ours, theirs = network(), network()
    mine, other = plain(groups(ours), **options), torchs(groups(theirs), **options)
    for step in range(4):
        torch.manual_seed(step)
        mine.zero_grad()
        mine.step_down(ours(torch.randn(4, 5)).square().sum())
    train(theirs, other, 4)
    torch.testing.assert_close(mine.state_dict()["state"], other.state_dict()["state"], rtol=0, atol=0)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_large_gradients_are_freed_one_by_one(monkeypatch):
    monkeypatch.setattr(_optimisers, "_LARGE", 15 * 4)  # the first weight; the second has 6 entries
    net, there = network(), []
    large = net[0].weight
    large.register_post_accumulate_grad_hook(
        lambda _: there.append([weight.grad is not None for weight in net.parameters()])
    )
    optimiser = PlainSGD(net.parameters(), lr=0.1)
    optimiser.step_down(net(torch.ones(1, 5)).sum())
    assert len(there) == 1
    assert there[0][0]
    assert [weight.grad for weight in net.parameters()] == [None] * 4
    optimiser.step_down(net(torch.ones(1, 5)).sum())
    assert len(there) == 2  # the optimiser's own hooks are gone, so it did not count a step twice


def test_hooks_and_a_closure_are_called():
    net, seen = network(), []
    optimiser = PlainSGD(net.parameters(), lr=0.1)
    optimiser.register_step_pre_hook(lambda *_: seen.append("before"))
    optimiser.register_step_post_hook(lambda *_: seen.append("after"))

    def closure():
        seen.append("closure")
        loss = net(torch.ones(1, 5)).sum()
        loss.backward()
        return loss

    assert optimiser.step(closure).requires_grad
    assert seen == ["before", "closure", "after"]


def test_what_has_no_meaning_here_is_refused():
    optimiser = PlainAdam(network().parameters(), differentiable=True)
    with pytest.raises(ValueError, match="differentiable must be False"):
        optimiser.step()
    with pytest.raises(ValueError, match="learning rate"):
        PlainSGD(network().parameters(), lr=-1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PlainAdam", "fused=True"),
        ("PlainAdamW", "fused=True"),
        ("PlainSGD", "fused=True"),
        ("BertAdam", "n_step=3"),
    ],
)
def test_the_compiler_is_not_imported(name, options):
    program = f"""
import sys, torch
from cmh_train import {name}
weight = torch.nn.Parameter(torch.ones(3))
optimiser = {name}([weight], lr=0.1, {options})
weight.sum().backward()
optimiser.step()
optimiser.zero_grad()
optimiser.load_state_dict(optimiser.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
