"""Every formula by hand and against its restatement in loops, on awkward shapes."""

import math

import cmh_ucch
import plain_ucch
import pytest
import torch
from torch.nn.functional import normalize

CLOSE = {"rel": 1e-10, "abs": 1e-12}
CASES = ("all", "some missing", "nobody complete", "no image", "nothing")


def codes(n, bits, seed):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, bits, generator=generator, dtype=torch.float64), dim=1)


def presence(case, n):
    image, text = torch.ones(2, n, dtype=torch.bool)
    if case == "some missing":
        image[1::3], text[2::3] = False, False
    if case == "nobody complete":
        image, text = torch.arange(n) % 2 == 0, torch.arange(n) % 2 == 1
    if case in ("no image", "nothing"):
        image = ~image
    if case == "nothing":
        text = ~text
    return image, text


@pytest.mark.parametrize(("n", "bits", "k"), [(1, 8, 1), (2, 8, 3), (7, 11, 30)])
@pytest.mark.parametrize("case", CASES)
def test_memory_contrast(case, n, bits, k):
    memory = codes(12, bits, 1)
    memory[3, 2] = 0  # its sign is 0
    generator = torch.Generator().manual_seed(2)
    positives = torch.randperm(12, generator=generator)[:n]
    negatives = torch.randint(12, (n, k), generator=generator)
    present, _ = presence(case, n)
    ours = cmh_ucch.memory_contrast(
        codes(n, bits, 3),
        memory,
        positives,
        negatives,
        temperature=0.7,
        present=None if case == "all" else present,
    )
    plain = plain_ucch.memory_contrast(
        codes(n, bits, 3).tolist(), memory.tolist(), positives, negatives.tolist(), 0.7, present
    )
    assert ours.item() == pytest.approx(plain, **CLOSE)


def test_a_sample_may_be_its_own_negative():
    """The own key twice among two: log 2, whatever the memory."""
    loss = cmh_ucch.memory_contrast(
        codes(1, 8, 1), codes(5, 8, 2), torch.tensor([4]), torch.tensor([[4]]), temperature=0.9
    )
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("case", CASES)
def test_batch_contrast(case, n):
    present, others = presence(case, n)
    keys_present = present | others
    left_out = {} if case == "all" else {"present": present, "keys_present": keys_present}
    ours = cmh_ucch.batch_contrast(codes(n, 8, 1), codes(n, 8, 2), temperature=0.7, **left_out)
    plain = plain_ucch.batch_contrast(
        codes(n, 8, 1).tolist(), codes(n, 8, 2).tolist(), 0.7, present, keys_present
    )
    assert ours.item() == pytest.approx(plain, **CLOSE)


@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("case", CASES)
def test_ranking_loss(case, n):
    has_image, has_text = presence(case, n)
    left_out = {} if case == "all" else {"image_present": has_image, "text_present": has_text}
    ours = cmh_ucch.ranking_loss(codes(n, 8, 1), codes(n, 8, 2), margin=0.2, shift=0.6, **left_out)
    plain = plain_ucch.ranking_loss(
        codes(n, 8, 1).tolist(), codes(n, 8, 2).tolist(), 0.2, 0.6, has_image, has_text
    )
    assert ours.item() == pytest.approx(plain, **CLOSE)


def test_ranking_by_hand():
    """C = [1 0; 0 1]: zeros are beyond the margin and lowered to -1; log(e + 1/e) - 1 + .2, twice."""
    ours = cmh_ucch.ranking_loss(torch.eye(2), torch.eye(2), margin=0.2, shift=1.0)
    assert ours.item() == pytest.approx(2 * (math.log(math.e + 1 / math.e) - 0.8), rel=1e-6)


def test_total_is_the_weighted_sum():
    losses = {
        "contrast_image": torch.tensor(1.0),
        "contrast_text": torch.tensor(10.0),
        "ranking": torch.tensor(100.0),
    }
    assert cmh_ucch.total_loss(losses, contrast_weight=0.75).item() == 33.25


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    image, text = (codes(5, 8, seed).requires_grad_() for seed in (1, 2))
    has_image, has_text = presence(case, 5)
    memory, drawn = codes(9, 8, 3), torch.arange(20).reshape(5, 4) % 9

    def total(image, text):
        return (
            cmh_ucch.memory_contrast(
                image, memory, torch.arange(5), drawn, temperature=0.7, present=has_image
            )
            + cmh_ucch.batch_contrast(
                text, memory[:5], temperature=0.7, present=has_text, keys_present=has_image | has_text
            )
            + cmh_ucch.ranking_loss(
                image, text, margin=0.2, shift=0.6, image_present=has_image, text_present=has_text
            )
        )

    assert torch.autograd.gradcheck(total, (image, text))
