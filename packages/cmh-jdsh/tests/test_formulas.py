"""Every formula against its restatement in loops, on awkward shapes."""

import plain_jdsh
import pytest
import torch
from cmh_jdsh._dsdw import SimilarityDistribution, sharpen
from cmh_jdsh._losses import similarity_losses, total_loss
from cmh_jdsh._similarity import affinity, joint_similarity
from hypothesis import given, settings
from hypothesis import strategies as st

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
SHARES = {"image_share": 0.5, "text_share": 0.1, "joint_share": 0.4}
VARIANTS = ("umml2022", "sigir2020")


def features(n, width, seed, *, signed=False, binary=False):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(n, width, generator=generator, dtype=torch.float64)
    if binary:
        values = (values < 0.3).double()
    return values - 0.5 if signed else values


def awkward(case):
    """Images and texts: one sample, two, equal rows, zero-filled rows, nothing left, with sign."""
    n = {"one": 1, "two": 2}.get(case, 9)
    image, text = features(n, 6, 1, signed=case == "signed"), features(n, 5, 2, binary=True)
    if case == "equal":
        image[4], text[4] = image[2], text[2]
    if case == "all equal":
        image[:], text[:] = image[0], 1
    if case == "zero-filled":
        image[1], text[3] = 0, 0
        image[5], text[5] = 0, 0
    if case == "nothing left":
        image[:], text[:] = 0, 0
    return image, text


CASES = ("one", "two", "signed", "equal", "all equal", "zero-filled", "nothing left")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES)
def test_joint_similarity(case, variant):
    image, text = awkward(case)
    ours = joint_similarity(image, text, variant=variant, **SHARES)
    plain = plain_jdsh.joint_similarity(image.tolist(), text.tolist(), *SHARES.values(), variant)
    torch.testing.assert_close(ours, torch.tensor(plain, dtype=torch.float64), **CLOSE)
    if variant == "umml2022":
        torch.testing.assert_close(ours, ours.T)


def test_zero_filled_samples():
    image, text = awkward("zero-filled")
    assert affinity(text)[3].tolist() == [-1.0] * 9  # itself included
    image[6] = image[1]  # two zero-filled images: cosine 0 as well, since rows of zeros stay zero
    assert affinity(image)[1, 6] == -1


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.floats(-1, 0.5), st.floats(-0.5, 1))
@settings(max_examples=60, deadline=None)
def test_sharpen(values, left, right):
    constants = {
        "left": left,
        "right": right,
        "minimum": -0.5,
        "maximum": 0.7,
        "left_weight": 0.1,
        "right_weight": 0.2,
    }
    ours = sharpen(torch.tensor(values, dtype=torch.float64), **constants)
    plain = [plain_jdsh.sharpen(value, **constants) for value in values]
    torch.testing.assert_close(ours, torch.tensor(plain, dtype=torch.float64), **CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES)
def test_loss(case, variant):
    image, text = awkward(case)
    target = features(len(image), len(image), 3)
    target = target + target.T if variant == "umml2022" else target
    width = min(image.shape[1], text.shape[1])
    codes = image[:, :width] - 0.5, text[:, :width] - 0.4
    ours = total_loss(similarity_losses(*codes, target, variant=variant))
    plain = plain_jdsh.loss(*(code.tolist() for code in codes), target.tolist(), variant)
    torch.testing.assert_close(ours.item(), plain, **CLOSE)


@pytest.mark.parametrize("n", [60, 200])
def test_distribution_finds_a_known_peak_and_scales(n):
    """Half Gaussian on the left, half Laplacian on the right, mass as the densities meet at the peak."""
    generator = torch.Generator().manual_seed(0)
    distribution = SimilarityDistribution(bound=1.0)
    seen = []
    for _ in range(4 if n == 200 else 40):
        left = -0.4 - 0.05 * torch.randn(n, n, generator=generator).abs()
        right = -0.4 + 0.1 * torch.empty(n, n).exponential_(generator=generator)
        similarity = torch.where(torch.rand(n, n, generator=generator) < 0.385, left, right).clamp(-1, 1)
        distribution.add(similarity, torch.ones(n, dtype=torch.bool))
        seen += similarity[~torch.eye(n, dtype=torch.bool)].tolist()
    fitted = distribution.sharpening()
    assert fitted["left"].item() == pytest.approx(-0.4 - 2 * 0.05, abs=0.02)
    assert fitted["right"].item() == pytest.approx(-0.4 + 4 * 0.1, abs=0.03)
    peak, left_scale, right_scale = plain_jdsh.fit_halves(seen)
    assert fitted["left"].item() == pytest.approx(peak - 2 * left_scale, abs=0.03)
    assert fitted["right"].item() == pytest.approx(peak + 4 * right_scale, abs=0.05)


def test_distribution_counts_different_complete_samples_only():
    distribution = SimilarityDistribution(bound=1.0)
    similarity = torch.tensor([[0.9, -0.2, -0.9], [-0.2, 0.8, -0.9], [-0.9, -0.9, 1.0]])
    distribution.add(similarity, torch.tensor([True, True, False]))
    assert distribution.histogram.sum() == 2
    fitted = distribution.sharpening()
    assert fitted["minimum"] == pytest.approx(-0.2)
    assert fitted["maximum"] == pytest.approx(0.9)
    assert fitted["left"] == pytest.approx(-0.2, abs=0.02)


def test_nothing_complete_leaves_similarities_alone():
    distribution = SimilarityDistribution(bound=1.0)
    similarity = torch.rand(4, 4)
    distribution.add(similarity, torch.zeros(4, dtype=torch.bool))
    assert torch.equal(sharpen(similarity, **distribution.sharpening()), similarity)
    distribution.add(similarity, torch.ones(4, dtype=torch.bool))
    distribution.clear()
    assert all(not buffer.any() for buffer in distribution.buffers())
