import numpy as np
import pytest
import torch
from cmh_dadh._losses import reference_losses, triplet_losses, triplet_weights


def slow_weights(label):
    """The program's weight of every triple, by loops; 0 where it divides by zero."""
    batch = len(label)
    shared = [[int((a * b).sum()) for b in label] for a in label]
    cube = np.zeros((batch, batch, batch))
    for a in range(batch):
        ranking = sorted(shared[a], reverse=True)
        ideal = sum((2**s - 1) / np.log2(place + 2) for place, s in enumerate(ranking))
        for p in range(batch):
            for n in range(batch):
                if shared[a][p] > 0 and shared[a][n] == 0:
                    cube[a, p, n] = (2 ** shared[a][p] - 2 ** shared[a][n]) / ideal
    return cube


def cube_loss(codes, others, cube, margin):
    """All triples at once, differentiable: the plain form."""
    cosine = torch.nn.functional.normalize(codes) @ torch.nn.functional.normalize(others).T
    distance = (1 - cosine).clamp(min=0)
    hinge = (distance[:, :, None] - distance[:, None, :] + margin).clamp(min=0)
    return (cube * hinge).sum()


def labels(kind, batch):
    rng = np.random.default_rng(3)
    single = np.eye(4)[rng.integers(0, 4, batch)]
    return {
        "multi": (rng.random((batch, 5)) < 0.35).astype(float),  # some rows have no label
        "single": single,
        "one class": np.ones((batch, 1)),
        "all different": np.eye(batch),
        "none": np.zeros((batch, 3)),
    }[kind]


def draw(batch, bits=8):
    torch.manual_seed(batch)
    pair = torch.tanh(torch.randn(2, batch, bits, dtype=torch.float64))
    if batch > 3:
        pair[0, 1] = pair[0, 0]  # duplicate rows: equal distances
        pair[1, 2] = pair[0, 0]  # cosine 1: the clamp
        pair[1, 3] = -pair[0, 0]
    return pair[0].clone().requires_grad_(), pair[1].clone().requires_grad_()


def test_by_hand():
    # Either anchor: positive at distance 1, negative at 0, weight 1, so 1 - 0 + 0.4.
    codes = torch.eye(2, dtype=torch.float64)
    weights, negative = triplet_weights(torch.eye(2, dtype=torch.float64))
    losses = triplet_losses(codes, codes.flip(0), weights, negative, 0.4)
    assert losses.tolist() == pytest.approx([2.8, 2.8])


@pytest.mark.parametrize("batch", [1, 2, 5, 13])
@pytest.mark.parametrize("kind", ["multi", "single", "one class", "all different", "none"])
@pytest.mark.parametrize("margin", [0.0, 0.4, 2.0])
def test_equals_the_plain_form(batch, kind, margin):
    label = labels(kind, batch)
    cube = torch.from_numpy(slow_weights(label))
    weights, negative = triplet_weights(torch.from_numpy(label))
    codes, others = draw(batch)
    expected = cube_loss(codes, others, cube, margin), cube_loss(others, codes, cube, margin)
    losses = triplet_losses(codes, others, weights, negative, margin)
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-12, atol=1e-12)
    if margin == 0:  # equal rows stand on the corner of the hinge, where rounding chooses the gradient
        return
    # Two factors, so that the directions cannot be mistaken for each other.
    wanted = torch.autograd.grad(2 * expected[0] + 3 * expected[1], (codes, others))
    gradients = torch.autograd.grad(2 * losses[0] + 3 * losses[1], (codes, others))
    torch.testing.assert_close(gradients, wanted, rtol=1e-10, atol=1e-12)


def test_single_precision_at_full_batch():
    label = torch.from_numpy(labels("multi", 128))
    codes, others = draw(128, bits=64)
    exact = triplet_losses(codes, others, *triplet_weights(label), 0.4)
    single = triplet_losses(codes.float(), others.float(), *triplet_weights(label.float()), 0.4)
    torch.testing.assert_close(single.double(), exact, rtol=1e-6, atol=0)


def test_a_large_batch_needs_no_cube():
    label = torch.from_numpy(labels("single", 1024)).float()
    codes, others = (codes.detach().float().requires_grad_() for codes in draw(1024, bits=64))
    with torch.profiler.profile(profile_memory=True) as profile:
        triplet_losses(codes, others, *triplet_weights(label), 0.4).sum().backward()
    allocated = sum(max(event.self_cpu_memory_usage, 0) for event in profile.events())
    # All allocations together, so the peak is lower still. One cube would take 4 GB.
    assert allocated < 1e9


@pytest.mark.parametrize("batch", [1, 2, 5, 13])
@pytest.mark.parametrize("kind", ["multi", "single", "one class", "all different", "none"])
def test_a_reference_point_takes_the_place_of_each_negative_and_of_each_positive(kind, batch):
    label = labels(kind, batch)
    image, text = draw(batch)
    points = torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights, negative = triplet_weights(torch.from_numpy(label))
    losses = reference_losses(torch.stack([image, text]), points, weights, negative, margin=0.4)
    cube = torch.from_numpy(slow_weights(label))  # weight of anchor, positive and negative
    image, text, points = (torch.nn.functional.normalize(x, dim=-1) for x in (image, text, points))
    for loss, anchors, others, point in zip(
        losses, (image, text), (text, image), points.flip(0), strict=True
    ):
        distance, between = 1 - anchors @ others.T, (1 - anchors @ point)[:, None, None]
        hinges = (distance[:, :, None] - between + 0.4).clamp(min=0)
        hinges = hinges + (between - distance[:, None, :] + 0.4).clamp(min=0)
        assert loss.item() == pytest.approx((cube * hinges).sum().item(), rel=1e-9, abs=1e-9)


def test_a_reference_point_in_between_costs_nothing_where_positives_and_negatives_are_two_margins_apart():
    codes = torch.stack([torch.eye(2, dtype=torch.float64)] * 2)  # positives at 0, negatives at 1
    weights, negative = triplet_weights(torch.eye(2, dtype=torch.float64))
    point = torch.tensor([0.5, 0.5, np.sqrt(0.5)], dtype=torch.float64)  # at 0.5 from both
    codes = torch.nn.functional.pad(codes, (0, 1))
    for margin, cost in ((0.5, 0.0), (0.6, 0.4)):  # each anchor misses 0.1 on both sides
        losses = reference_losses(codes, torch.stack([point, point]), weights, negative, margin=margin)
        assert losses.tolist() == pytest.approx([cost, cost])
