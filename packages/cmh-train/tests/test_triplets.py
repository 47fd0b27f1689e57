import subprocess
import sys

import pytest
import torch
from cmh_train import triplet_hinge_sum

# name: (matrices of distances, anchors, others)
SHAPES = {
    "one pair": ((), 1, 1),
    "one anchor": ((), 1, 7),
    "square": ((), 13, 13),
    "wide": ((), 5, 17),
    "both directions": ((2,), 9, 9),
}


def plain_sum(distances, weights, negative, margin):
    """The cube of hinges, as papers write it; a triplet exactly at the margin has no gradient."""
    hinge = torch.relu(distances[..., :, None] - distances[..., None, :] + margin)
    return (hinge * weights[:, :, None] * negative[:, None, :]).sum(dim=(-3, -2, -1))


def value_and_gradient(function, distances, *arguments):
    distances = distances.clone().requires_grad_()
    value = function(distances, *arguments)
    torch.autograd.backward(value.sum())
    return value.detach(), distances.grad


def ours(distances, weights, negative, margin):
    return triplet_hinge_sum(distances, weights, negative, margin=margin)


def example(case, *, seed=0, dtype=torch.float64, weighted=True):
    matrices, n_anchor, n_other = SHAPES[case]
    generator = torch.Generator().manual_seed(seed)
    distances = 2 * torch.rand(*matrices, n_anchor, n_other, generator=generator, dtype=dtype)
    kind = torch.randint(0, 3, (n_anchor, n_other), generator=generator)  # positive, negative or neither
    weights = torch.rand(n_anchor, n_other, generator=generator, dtype=dtype) if weighted else 1.0
    return distances, weights * (kind == 0), kind == 1


def test_a_triplet_by_hand():
    distances = torch.tensor([[0.5, 0.625, 0.875]], requires_grad=True)
    weights = torch.tensor([[2.0, 0.0, 0.0]])
    loss = triplet_hinge_sum(distances, weights, torch.tensor([[False, True, True]]), margin=0.25)
    assert loss.item() == 2 * (0.5 - 0.625 + 0.25)
    loss.backward()
    assert distances.grad.tolist() == [[2.0, -2.0, 0.0]]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("case", SHAPES)
def test_equal_to_the_cube(case, margin, weighted):
    for seed in range(5):
        arguments = (*example(case, seed=seed, weighted=weighted), margin)
        for mine, plain in zip(
            value_and_gradient(ours, *arguments), value_and_gradient(plain_sum, *arguments), strict=True
        ):
            torch.testing.assert_close(mine, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", SHAPES)
def test_each_anchor_has_the_sum_of_its_own_triplets(case):
    distances, weights, negative = example(case)
    by_anchor = triplet_hinge_sum(distances, weights, negative, margin=0.3, by_anchor=True)
    hinge = torch.relu(distances[..., :, None] - distances[..., None, :] + 0.3)
    plain = (hinge * weights[:, :, None] * negative[:, None, :]).sum(dim=(-2, -1))
    torch.testing.assert_close(by_anchor, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0])
def test_equal_distances_and_triplets_exactly_at_the_margin(margin):
    for seed in range(20):
        distances, weights, negative = example("both directions", seed=seed, weighted=False)
        arguments = ((4 * distances).round() / 4, 2 * weights, negative, margin)
        for mine, plain in zip(
            value_and_gradient(ours, *arguments), value_and_gradient(plain_sum, *arguments), strict=True
        ):
            assert torch.equal(mine, plain)


def test_float32_keeps_six_digits_where_terms_cancel():
    generator = torch.Generator().manual_seed(3)
    distances = 1 + 0.1 * torch.randn(150, 150, generator=generator)
    weights = (torch.rand(150, 150, generator=generator) < 0.3).float() * 0.1
    arguments = (distances, weights, weights == 0, 0.3)
    exact = value_and_gradient(
        plain_sum, *(x.double() if x is not arguments[2] else x for x in arguments[:3]), 0.3
    )
    for mine, plain in zip(value_and_gradient(ours, *arguments), exact, strict=True):
        torch.testing.assert_close(mine.double(), plain, rtol=1e-6, atol=0)


def test_without_positives_or_negatives_there_is_nothing():
    distances = torch.rand(4, 4)
    nothing, everything = torch.zeros(4, 4), torch.ones(4, 4)
    assert triplet_hinge_sum(distances, nothing, everything.bool(), margin=0.3) == 0
    assert triplet_hinge_sum(distances, everything, nothing.bool(), margin=0.3) == 0


def test_nan_distances_give_nan():
    distances = torch.full((2, 2), torch.nan)
    assert triplet_hinge_sum(distances, torch.eye(2), ~torch.eye(2, dtype=torch.bool), margin=0.3).isnan()


def test_a_batch_of_1024_needs_less_than_a_gigabyte():
    # The cube alone would take 4 GB. In a process of its own, whose peak is the batch's.
    program = """
import resource, torch
from cmh_train import triplet_hinge_sum
codes = torch.tanh(torch.randn(2, 1024, 64)).requires_grad_()
label = (torch.rand(1024, 24) < 0.1).float()
rows = torch.nn.functional.normalize(codes, dim=2)
cosine = rows[0] @ rows[1].T
shared = label @ label.T
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loss = triplet_hinge_sum(1 - torch.stack([cosine, cosine.T]), (shared > 0).float(), shared == 0, margin=0.3)
loss.sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(run.stdout) * unit < 1e9
