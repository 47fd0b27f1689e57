"""Every formula against its restatement in loops, on awkward shapes."""

import plain_agah
import pytest
import torch
from cmh_agah._attention import attend, normalise_batch, normalise_rows
from cmh_agah._losses import (
    classification_loss,
    cosine_distances,
    cosine_quantisation_loss,
    discriminator_losses,
    label_code_loss,
    quantisation_loss,
    triplet_losses,
)
from cmh_agah._networks import discriminator_layers
from cmh_agah._updates import update_label_codes, update_label_memory
from hypothesis import given, settings
from hypothesis import strategies as st

# name: (batch, labels): one sample, one class, all labels equal, several labels, a sample without labels
SHAPES = {
    "one sample": (1, 3),
    "one class": (5, 1),
    "equal labels": (6, 3),
    "several": (9, 4),
    "odd": (13, 7),
}
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def sample(case, bits=11, seed=0):
    n, n_label = SHAPES[case]
    generator = torch.Generator().manual_seed(seed)
    image = torch.tanh(torch.randn(n, bits, generator=generator, dtype=torch.float64))
    text = torch.tanh(torch.randn(n, bits, generator=generator, dtype=torch.float64))
    label = (torch.rand(n, n_label, generator=generator) < 0.4).double()
    if case == "equal labels":
        label[:] = label[0]
    if case == "one class":
        label[:] = 1
    if n > 2:
        text[1] = text[2]  # two zero-filled samples have one common code
        label[2] = 0 if case == "odd" else label[2]
    return image, text, label


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_triplet_losses_and_their_gradients(case, margin):
    image, text, label = sample(case)
    similar = plain_agah.share_a_label(label)
    codes = image.clone().requires_grad_(), text.clone().requires_grad_()
    losses = triplet_losses(*codes, label, margin=margin)
    distance = cosine_distances(*codes)
    torch.testing.assert_close(distance, plain_agah.distances(image, text), **CLOSE)
    for name, distances in (("image_to_text", distance), ("text_to_image", distance.T)):
        expected = plain_agah.triplet_loss(distances, similar, margin)
        torch.testing.assert_close(losses[f"triplet_{name}"].item(), expected, **CLOSE)
        slope = plain_agah.triplet_gradient(distances.detach(), similar, margin)
        theirs = torch.autograd.grad(distances, codes, slope, retain_graph=True)
        ours = torch.autograd.grad(losses[f"triplet_{name}"], codes, retain_graph=True)
        for mine, plain in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, plain, **CLOSE)


@pytest.mark.parametrize("case", SHAPES)
def test_other_losses(case):
    image, _, label = sample(case)
    label_codes = torch.where(torch.rand(label.shape[1], 11) < 0.5, -1.0, 1.0).double()
    logit = 3 * torch.randn(label.shape, dtype=torch.float64)
    pairs = (
        (cosine_quantisation_loss(image), plain_agah.cosine_quantisation_loss(image)),
        (classification_loss(logit, label), plain_agah.classification_loss(logit, label)),
        (
            label_code_loss(image, label_codes, label),
            plain_agah.label_code_loss(image, label_codes, label),
        ),
        (quantisation_loss(image), plain_agah.quantisation_loss(image)),
    )
    for ours, plain in pairs:
        torch.testing.assert_close(ours.item(), plain, **CLOSE)


def test_quantisation_loss_takes_the_sign_as_a_constant():
    code = torch.tensor([[0.5, -0.25, 0.0]], requires_grad=True)
    quantisation_loss(code).backward()
    torch.testing.assert_close(code.grad, torch.tensor([[-1.0, 1.5, 0.0]]))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_normalisation_and_attention(n):
    features = torch.rand(n, 5, dtype=torch.float64)
    memory = torch.randn(3, 5, dtype=torch.float64)
    normalised = plain_agah.normalise_batch(features)
    torch.testing.assert_close(normalise_batch(features).tolist(), normalised, **CLOSE)
    attended = attend(torch.tensor(normalised, dtype=torch.float64), memory)
    torch.testing.assert_close(attended.tolist(), plain_agah.attend(normalised, memory), **CLOSE)


def test_batch_norm_passes_no_gradient():
    features = torch.rand(4, 3, requires_grad=True)
    normalise_batch(features).sum().backward()
    expected = torch.full_like(features, 1 / features.detach().norm().item())
    torch.testing.assert_close(features.grad, expected)


def test_dead_features_stay_zero():
    dead = torch.zeros(3, 4)
    assert torch.equal(normalise_batch(dead), dead)
    assert torch.equal(normalise_rows(dead), dead)


@pytest.mark.parametrize("n", [1, 6])
def test_gradient_penalty_and_its_gradient(n):
    torch.manual_seed(1)
    discriminator = discriminator_layers(8, (7, 5)).double()
    real, fake, share = (torch.rand(n, 8, dtype=torch.float64) for _ in range(3))
    _, ours = discriminator_losses(discriminator, real, fake, share)
    plain = plain_agah.gradient_penalty(discriminator, real, fake, share)
    torch.testing.assert_close(ours, plain, **CLOSE)
    weights = [parameter for name, parameter in discriminator.named_parameters() if name.endswith("weight")]
    for mine, theirs in zip(
        torch.autograd.grad(ours, weights), torch.autograd.grad(plain, weights), strict=True
    ):
        torch.testing.assert_close(mine, theirs, **CLOSE)


def test_critic_loss_is_wasserstein():
    discriminator = discriminator_layers(4, (3, 2))
    real, fake, share = torch.rand(5, 4), torch.rand(5, 4), torch.rand(5, 4)
    loss, _ = discriminator_losses(discriminator, real, fake, share)
    torch.testing.assert_close(loss, discriminator(fake).mean() - discriminator(real).mean())


@given(
    st.integers(1, 40), st.integers(1, 6), st.sampled_from([8, 9, 32]), st.integers(0, 2**31), st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_label_codes_to_the_sign(n, n_label, bits, seed, zeros):
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(n, bits, generator=generator, dtype=torch.float64) for _ in range(2))
    label = (torch.rand(n, n_label, generator=generator) < 0.4).double()
    codes = torch.randn(n_label, bits, generator=generator, dtype=torch.float64).sign()
    if zeros:  # dead outputs, and signs of zero from an earlier update
        image[0] = 0
        codes[0, ::2] = 0
    ours = update_label_codes(codes, image, text, label)
    assert torch.equal(ours, plain_agah.update_label_codes(codes, image, text, label))


def test_label_codes_leave_their_input_alone():
    codes = torch.ones(2, 8, dtype=torch.float64)
    update_label_codes(codes, torch.randn(5, 8), torch.randn(5, 8), torch.ones(5, 2))
    assert torch.equal(codes, torch.ones_like(codes))


def test_label_memory_of_labels_without_samples():
    label = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
    image, text = (torch.rand(3, 5, dtype=torch.float64) for _ in range(2))
    ours = update_label_memory(image, text, label)
    torch.testing.assert_close(ours, plain_agah.update_label_memory(image, text, label), **CLOSE)
    assert torch.equal(ours[2], torch.zeros(5, dtype=torch.float64))
