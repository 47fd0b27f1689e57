"""Every formula against its restatement in loops, on awkward shapes."""

import cmh_agah
import plain_agah
import pytest
import torch
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
        text[1] = text[2]  # two emptied samples have one common code
        label[2] = 0 if case == "odd" else label[2]
    return image, text, label


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_triplet_loss_and_its_gradient(case, margin):
    image, text, label = sample(case)
    distance = plain_agah.distances(image, text)
    similar = plain_agah.share_a_label(label)
    torch.testing.assert_close(cmh_agah.cosine_distances(image, text), distance, **CLOSE)
    expected = plain_agah.triplet_loss(distance, similar, margin)
    loss = cmh_agah.triplet_loss(distance.requires_grad_(), similar, margin=margin)
    torch.testing.assert_close(loss.item(), expected, **CLOSE)
    loss.backward()
    assert torch.equal(distance.grad, plain_agah.triplet_gradient(distance.detach(), similar, margin))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31), st.sampled_from([0.0, 0.25, 1.0]))
@settings(max_examples=60, deadline=None)
def test_triplet_loss_with_many_equal_distances(rows, columns, seed, margin):
    generator = torch.Generator().manual_seed(seed)
    distance = torch.randint(0, 8, (rows, columns), generator=generator).double() / 4
    similar = torch.rand(rows, columns, generator=generator) < 0.5
    loss = cmh_agah.triplet_loss(distance, similar, margin=margin)
    assert loss.item() == plain_agah.triplet_loss(distance, similar, margin)


def test_triplet_losses_anchor_images_and_texts():
    image, text, label = sample("several")
    losses = cmh_agah.triplet_losses(image, text, label, margin=0.3)
    similar = plain_agah.share_a_label(label)
    for name, (left, right) in {
        "triplet_image_to_text": (image, text),
        "triplet_text_to_image": (text, image),
    }.items():
        expected = plain_agah.triplet_loss(plain_agah.distances(left, right), similar, 0.3)
        torch.testing.assert_close(losses[name].item(), expected, **CLOSE)


def test_triplet_loss_of_a_large_batch_in_float32():
    generator = torch.Generator().manual_seed(3)
    distance = 1 + 0.1 * torch.randn(150, 150, generator=generator)
    similar = torch.rand(150, 150, generator=generator) < 0.3
    plain = (distance.double()[:, :, None] - distance.double()[:, None, :] + 0.3).clamp_min(0)
    plain = plain[similar[:, :, None] & ~similar[:, None, :]].sum()
    loss = cmh_agah.triplet_loss(distance, similar, margin=0.3)
    torch.testing.assert_close(loss.double(), plain, rtol=1e-6, atol=0)


@pytest.mark.parametrize("case", SHAPES)
def test_other_losses(case):
    image, _, label = sample(case)
    label_code = torch.where(torch.rand(label.shape[1], 11) < 0.5, -1.0, 1.0).double()
    logit = 3 * torch.randn(label.shape, dtype=torch.float64)
    pairs = (
        (cmh_agah.cosine_quantisation_loss(image), plain_agah.cosine_quantisation_loss(image)),
        (cmh_agah.classification_loss(logit, label), plain_agah.classification_loss(logit, label)),
        (
            cmh_agah.label_code_loss(image, label_code, label),
            plain_agah.label_code_loss(image, label_code, label),
        ),
        (cmh_agah.quantisation_loss(image), plain_agah.quantisation_loss(image)),
    )
    for ours, plain in pairs:
        torch.testing.assert_close(ours.item(), plain, **CLOSE)


def test_quantisation_loss_takes_the_sign_as_a_constant():
    code = torch.tensor([[0.5, -0.25, 0.0]], requires_grad=True)
    cmh_agah.quantisation_loss(code).backward()
    torch.testing.assert_close(code.grad, torch.tensor([[-1.0, 1.5, 0.0]]))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_normalisation_and_attention(n):
    features = torch.rand(n, 5, dtype=torch.float64)
    memory = torch.randn(3, 5, dtype=torch.float64)
    normalised = plain_agah.normalise_batch(features)
    torch.testing.assert_close(cmh_agah.normalise_batch(features).tolist(), normalised, **CLOSE)
    attended = cmh_agah.attend(torch.tensor(normalised, dtype=torch.float64), memory)
    torch.testing.assert_close(attended.tolist(), plain_agah.attend(normalised, memory), **CLOSE)


def test_batch_norm_passes_no_gradient():
    features = torch.rand(4, 3, requires_grad=True)
    cmh_agah.normalise_batch(features).sum().backward()
    expected = torch.full_like(features, 1 / features.detach().norm().item())
    torch.testing.assert_close(features.grad, expected)


def test_dead_features_stay_zero():
    dead = torch.zeros(3, 4)
    assert torch.equal(cmh_agah.normalise_batch(dead), dead)
    assert torch.equal(cmh_agah.normalise_rows(dead), dead)


@pytest.mark.parametrize("n", [1, 6])
def test_gradient_penalty_and_its_gradient(n):
    torch.manual_seed(1)
    critic = cmh_agah.Critic(8, (7, 5)).double()
    real, fake, share = (torch.rand(n, 8, dtype=torch.float64) for _ in range(3))
    ours = cmh_agah.gradient_penalty(critic, real, fake, share)
    plain = plain_agah.gradient_penalty(critic, real, fake, share)
    torch.testing.assert_close(ours, plain, **CLOSE)
    weights = [parameter for name, parameter in critic.named_parameters() if name.endswith("weight")]
    for mine, theirs in zip(
        torch.autograd.grad(ours, weights), torch.autograd.grad(plain, weights), strict=True
    ):
        torch.testing.assert_close(mine, theirs, **CLOSE)


def test_critic_loss_is_wasserstein():
    critic = cmh_agah.Critic(4, (3, 2))
    real, fake, share = torch.rand(5, 4), torch.rand(5, 4), torch.rand(5, 4)
    loss, penalty = cmh_agah.critic_losses(critic, real, fake, share)
    torch.testing.assert_close(loss, critic(fake).mean() - critic(real).mean())
    torch.testing.assert_close(penalty, cmh_agah.gradient_penalty(critic, real, fake, share))


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
    ours = cmh_agah.update_label_codes(codes, image, text, label)
    assert torch.equal(ours, plain_agah.update_label_codes(codes, image, text, label))


def test_label_codes_leave_their_input_alone():
    codes = torch.ones(2, 8, dtype=torch.float64)
    cmh_agah.update_label_codes(codes, torch.randn(5, 8), torch.randn(5, 8), torch.ones(5, 2))
    assert torch.equal(codes, torch.ones_like(codes))


def test_label_memory_of_labels_without_samples():
    label = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
    image, text = (torch.rand(3, 5, dtype=torch.float64) for _ in range(2))
    ours = cmh_agah.update_label_memory(image, text, label)
    torch.testing.assert_close(ours, plain_agah.update_label_memory(image, text, label), **CLOSE)
    assert torch.equal(ours[2], torch.zeros(5, dtype=torch.float64))
