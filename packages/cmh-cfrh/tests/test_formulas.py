"""Every formula by hand and against its restatement in loops, on awkward shapes."""

import cmh_cfrh
import plain_cfrh
import pytest
import torch
from cmh_cfrh._losses import reconstruction_loss
from cmh_cfrh._similarity import joint_similarity_of_present

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
SHARES = {"image_share": 0.5, "text_share": 0.2, "joint_share": 0.3, "scale": 1.4}
CASES = ("one", "two", "signed", "equal", "missing", "nothing left")


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
    if case == "nothing left":
        image[:], text[:] = 0, 0
    return image, text


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_similarity_of_two_samples_by_hand():
    """Orthogonal images that share their words: S_I = [1 -1; -1 1], S_T = 1 everywhere, S_I S_T = 0."""
    image, text = torch.eye(2).double(), double([[1, 1], [1, 1]])
    ours = cmh_cfrh.joint_similarity(image, text, **SHARES)
    torch.testing.assert_close(ours, 1.4 * double([[0.7, -0.3], [-0.3, 0.7]]))
    # Texts as the images: S_I S_T = [2 -2; -2 2], of unit length [1 -1; -1 1] / sqrt 2.
    ours = cmh_cfrh.joint_similarity(image, image, **SHARES)
    entry = 1.4 * (0.7 + 0.3 / 2**0.5)
    torch.testing.assert_close(ours, double([[entry, -entry], [-entry, entry]]))


@pytest.mark.parametrize("second_order", ["product", "cosine"])
@pytest.mark.parametrize("text_similarity", ["cosine", "binary"])
@pytest.mark.parametrize("case", CASES)
def test_joint_similarity(case, text_similarity, second_order):
    image, text = awkward(case)
    forms = {"text_similarity": text_similarity, "second_order": second_order}
    everything = torch.ones(len(image), dtype=torch.bool)
    ours = cmh_cfrh.joint_similarity(image, text, **SHARES, **forms)
    plain = plain_cfrh.joint_similarity(
        image.tolist(), text.tolist(), everything, everything, *SHARES.values(), *forms.values()
    )
    torch.testing.assert_close(ours, double(plain), **CLOSE)
    of_all, known = joint_similarity_of_present(image, text, everything, everything, **SHARES, **forms)
    assert known.all()
    torch.testing.assert_close(of_all, ours, **CLOSE)


@pytest.mark.parametrize("second_order", ["product", "cosine"])
@pytest.mark.parametrize("text_similarity", ["cosine", "binary"])
@pytest.mark.parametrize("case", CASES)
def test_joint_similarity_of_present_samples(case, text_similarity, second_order):
    image, text = awkward(case)
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    forms = {"text_similarity": text_similarity, "second_order": second_order}
    ours, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES, **forms)
    plain = plain_cfrh.joint_similarity(
        image.tolist(), text.tolist(), has_image, has_text, *SHARES.values(), *forms.values()
    )
    assert known.tolist() == [[value is not None for value in row] for row in plain]
    torch.testing.assert_close(ours, double([[value or 0 for value in row] for row in plain]), **CLOSE)


def test_a_missing_sample_is_dissimilar_to_everything_itself_included():
    """Its rows of S_I and S_T are -1; so is what it shares with another missing one."""
    image, text = awkward("missing")
    ours = cmh_cfrh.joint_similarity(image, text, image_share=1, text_share=0, joint_share=0, scale=1)
    assert ours[1].tolist() == [-1.0] * 9
    ours = cmh_cfrh.joint_similarity(image, text, image_share=0, text_share=1, joint_share=0, scale=1)
    assert ours[3].tolist() == ours[5].tolist() == [-1.0] * 9


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
    ours = cmh_cfrh.similarity_losses(*codes, target, **masks)
    rows = [
        [value if there else None for value, there in zip(*both, strict=True)]
        for both in zip(target.tolist(), known.tolist(), strict=True)
    ]
    plain = plain_cfrh.similarity_losses(*(code.tolist() for code in codes), rows, has_image, has_text)
    assert list(ours) == list(plain)
    for name, value in plain.items():
        assert ours[name].item() == pytest.approx(value, rel=1e-10, abs=1e-12), name


@pytest.mark.parametrize("present", [None, [True, False, True], [False, False, False]])
def test_reconstruction_loss(present):
    decoded, target = features(3, 4, 1), features(3, 4, 2)
    mask = None if present is None else torch.tensor(present)
    ours = reconstruction_loss(decoded, target, mask)
    plain = plain_cfrh.reconstruction_loss(decoded.tolist(), target.tolist(), present or [True] * 3)
    assert ours.item() == pytest.approx(plain)


def test_total_is_the_weighted_sum():
    names = ("intra_image", "intra_text", "cross", "pair", "reconstruction_image", "reconstruction_text")
    losses = {name: torch.tensor(float(10**i)) for i, name in enumerate(names)}
    total = cmh_cfrh.total_loss(
        losses, intra_weight=1, cross_weight=2, pair_weight=2, reconstruction_weight=3
    )
    assert total.item() == 334211  # digits from the right: 1 1 2 4 3 3


def test_loss_gradient():
    image, text = awkward("missing")
    codes = [features(9, 8, seed, signed=True).requires_grad_() for seed in (3, 4)]
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    target, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    masks = {"known": known, "image_present": has_image, "text_present": has_text}

    def total(image_codes, text_codes):
        losses = cmh_cfrh.similarity_losses(image_codes, text_codes, target, **masks)
        losses["reconstruction_image"] = reconstruction_loss(image_codes[:, :6], image, has_image)
        losses["reconstruction_text"] = reconstruction_loss(text_codes[:, :5], text)
        return cmh_cfrh.total_loss(losses)

    assert torch.autograd.gradcheck(total, codes)
