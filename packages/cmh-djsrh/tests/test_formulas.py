"""Every formula by hand and against its restatement in loops, on awkward shapes."""

import cmh_djsrh
import plain_djsrh
import pytest
import torch
from cmh_djsrh._similarity import joint_similarity_of_present
from hypothesis import given, settings
from hypothesis import strategies as st

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
SHARES = {"image_share": 0.7, "joint_share": 0.4, "scale": 1.5}
CASES = ("one", "two", "signed", "equal", "missing", "nobody complete", "nothing left")


def features(n, width, seed, *, signed=False, binary=False):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(n, width, generator=generator, dtype=torch.float64)
    if binary:
        values = (values < 0.3).double()
    return values - 0.5 if signed else values


def awkward(case):
    """Images and texts: one sample, two, equal rows, missing ones, nothing at all, features with sign."""
    n = {"one": 1, "two": 2}.get(case, 9)
    image = features(n, 6, 1, signed=case == "signed")
    text = features(n, 5, 2, binary=case != "signed", signed=case == "signed")
    if case == "equal":
        image[4], text[4] = image[2], text[2]
    if case == "missing":
        image[1], text[3] = 0, 0
        image[5], text[5] = 0, 0
    if case == "nobody complete":
        image[:4], text[4:] = 0, 0
    if case == "nothing left":
        image[:], text[:] = 0, 0
    return image, text


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_similarity_of_two_samples_by_hand():
    """S_I = [1 -1; -1 1], S_T = 1: S~ = [1 .4; .4 1] with beta .3, S~ S~ / 2 = [.58 .4; .4 .58]."""
    image, text = torch.eye(2).double(), double([[1, 1], [1, 1]])
    ours = cmh_djsrh.joint_similarity(image, text, image_share=0.3, joint_share=0.5, scale=2)
    torch.testing.assert_close(ours, double([[1.58, 0.8], [0.8, 1.58]]))


@pytest.mark.parametrize("case", CASES)
def test_joint_similarity(case):
    image, text = awkward(case)
    everything = torch.ones(len(image), dtype=torch.bool)
    ours = cmh_djsrh.joint_similarity(image, text, **SHARES)
    plain = plain_djsrh.joint_similarity(
        image.tolist(), text.tolist(), everything, everything, *SHARES.values()
    )
    torch.testing.assert_close(ours, double(plain), **CLOSE)
    of_all, known = joint_similarity_of_present(image, text, everything, everything, **SHARES)
    assert known.all()
    torch.testing.assert_close(of_all, ours, **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_joint_similarity_of_present_samples(case):
    image, text = awkward(case)
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    ours, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    plain = plain_djsrh.joint_similarity(image.tolist(), text.tolist(), has_image, has_text, *SHARES.values())
    assert known.tolist() == [[value is not None for value in row] for row in plain]
    torch.testing.assert_close(ours, double([[value or 0 for value in row] for row in plain]), **CLOSE)


def test_a_missing_sample_is_dissimilar_to_everything_itself_included():
    """Its rows of S_I and S_T are -1; so is what it shares with another missing one."""
    image, text = awkward("missing")
    ours = cmh_djsrh.joint_similarity(image, text, image_share=1, joint_share=0, scale=1)
    assert ours[1].tolist() == [-1.0] * 9
    ours = cmh_djsrh.joint_similarity(image, text, image_share=0, joint_share=0, scale=1)
    assert ours[3].tolist() == ours[5].tolist() == [-1.0] * 9


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_the_target_is_symmetric_and_bounded(n, image_share, joint_share, seed):
    """Affinities of features that are not negative lie in -1..1, and so does their mean product."""
    image, text = features(n, 6, seed), features(n, 5, seed + 1, binary=True)
    shares = {"image_share": image_share, "joint_share": joint_share, "scale": 1.0}
    target = cmh_djsrh.joint_similarity(image, text, **shares)
    torch.testing.assert_close(target, target.T)
    assert target.abs().max() <= 1 + 1e-9


@pytest.mark.parametrize("left_out", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_losses(case, left_out):
    image, text = awkward(case)
    n = len(image)
    codes = [features(n, 8, seed, signed=True) for seed in (3, 4)]
    everything = torch.ones(n, dtype=torch.bool)
    has_image, has_text = (image.any(dim=1), text.any(dim=1)) if left_out else (everything, everything)
    target, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    masks = {"known": known, "image_present": has_image, "text_present": has_text} if left_out else {}
    ours = cmh_djsrh.similarity_losses(*codes, target, **masks)
    rows = [
        [value if there else None for value, there in zip(*both, strict=True)]
        for both in zip(target.tolist(), known.tolist(), strict=True)
    ]
    plain = plain_djsrh.similarity_losses(*(code.tolist() for code in codes), rows, has_image, has_text)
    assert list(ours) == list(plain)
    for name, value in plain.items():
        assert ours[name].item() == pytest.approx(value, rel=1e-10, abs=1e-12), name


def test_total_is_the_weighted_sum():
    losses = {
        name: torch.tensor(float(10**i)) for i, name in enumerate(("intra_image", "cross", "intra_text"))
    }
    assert cmh_djsrh.total_loss(losses, intra_image_weight=2, intra_text_weight=3).item() == 312


def test_loss_gradient():
    image, text = awkward("missing")
    codes = [features(9, 8, seed, signed=True).requires_grad_() for seed in (3, 4)]
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    target, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    masks = {"known": known, "image_present": has_image, "text_present": has_text}

    def total(*codes):
        return cmh_djsrh.total_loss(cmh_djsrh.similarity_losses(*codes, target, **masks))

    assert torch.autograd.gradcheck(total, codes)
