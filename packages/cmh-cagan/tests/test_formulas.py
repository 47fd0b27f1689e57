"""Every formula by hand and against its restatement in loops, on awkward shapes."""

import cmh_cagan
import plain_cagan
import pytest
import torch
from cmh_cagan._similarity import enhance, joint_similarity_of_present, text_affinity
from hypothesis import given, settings
from hypothesis import strategies as st

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
SHARES = {"image_share": 0.5, "text_share": 0.2, "joint_share": 0.3, "scale": 1.4}


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
    if case == "all equal":
        image[:], text[:] = image[0], 1
    if case == "missing":
        image[1], text[3] = 0, 0
        image[5], text[5] = 0, 0
    if case == "nothing left":
        image[:], text[:] = 0, 0
    return image, text


CASES = ("one", "two", "signed", "equal", "all equal", "missing", "nothing left")
TEXT_SIMILARITIES = ("binary", "cosine")


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_similarity_of_two_samples_by_hand():
    """Orthogonal images that share one of their words: S_I = [1 -1; -1 1], S_T = 1 everywhere."""
    image, text = torch.eye(2).double(), double([[1, 0], [1, 1]])
    ours = cmh_cagan.joint_similarity(image, text, **SHARES)
    # Rows of S_I are orthogonal to rows of S_T: the second-order part is 0.
    torch.testing.assert_close(ours, 1.4 * double([[0.5 + 0.2, -0.5 + 0.2], [-0.5 + 0.2, 0.5 + 0.2]]))
    cosine = cmh_cagan.joint_similarity(image, text, **SHARES, text_similarity="cosine")
    shared = 2 / 2**0.5 - 1  # S_T = [1 shared; shared 1]
    joint = (1 - shared) / 2**0.5 / (1 + shared**2) ** 0.5
    expected = [[0.7 + 0.3 * joint, -0.5 + 0.2 * shared - 0.3 * joint]]
    torch.testing.assert_close(cosine[:1], 1.4 * double(expected))


def test_binary_text_similarity_reaches_minus_three_where_a_cosine_is_negative():
    text = double([[1, 0], [-1, 0], [0, 1], [0, 0]])
    assert text_affinity(text, "binary").tolist() == [
        [1, -3, -1, -1],
        [-3, 1, -1, -1],
        [-1, -1, 1, -1],
        [-1, -1, -1, -1],
    ]


@pytest.mark.parametrize("text_similarity", TEXT_SIMILARITIES)
@pytest.mark.parametrize("case", CASES)
def test_joint_similarity(case, text_similarity):
    image, text = awkward(case)
    ours = cmh_cagan.joint_similarity(image, text, **SHARES, text_similarity=text_similarity)
    plain = plain_cagan.joint_similarity(image.tolist(), text.tolist(), *SHARES.values(), text_similarity)
    torch.testing.assert_close(ours, double(plain), **CLOSE)


def test_a_missing_sample_is_dissimilar_to_everything_itself_included():
    """Its rows of S_I and S_T are -1; so is what it shares with another missing one."""
    image, text = awkward("missing")
    ours = cmh_cagan.joint_similarity(image, text, image_share=1, text_share=0, joint_share=0, scale=1)
    assert ours[1].tolist() == [-1.0] * 9
    ours = cmh_cagan.joint_similarity(image, text, image_share=0, text_share=1, joint_share=0, scale=1)
    assert ours[3].tolist() == ours[5].tolist() == [-1.0] * 9


@pytest.mark.parametrize("text_similarity", TEXT_SIMILARITIES)
@pytest.mark.parametrize("case", CASES)
def test_joint_similarity_of_present_samples(case, text_similarity):
    image, text = awkward(case)
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    ours, known = joint_similarity_of_present(
        image, text, has_image, has_text, **SHARES, text_similarity=text_similarity
    )
    plain = plain_cagan.joint_similarity_of_present(
        image.tolist(), text.tolist(), has_image, has_text, *SHARES.values(), text_similarity
    )
    assert known.tolist() == [[value is not None for value in row] for row in plain]
    torch.testing.assert_close(ours, double([[value or 0 for value in row] for row in plain]), **CLOSE)


def test_similarities_of_lone_samples_by_hand():
    """Sample 0 has no text, sample 1 no image; samples 2 and 3 are complete, orthogonal in both."""
    image, text = double([[1, 0], [0, 0], [1, 0], [0, 1]]), double([[0, 0], [1, 0], [1, 0], [0, 1]])
    present = (torch.tensor([True, False, True, True]), torch.tensor([False, True, True, True]))
    similarity, known = joint_similarity_of_present(image, text, *present, **SHARES)
    assert not known[0, 1]
    assert not known[1, 0]
    assert known.sum() == 14
    # 0 and 3 by their images: S_I = -1 with the weights of both; to 2 and 3 they stand as (1, -1), (-1, 1).
    assert similarity[0, 3].item() == pytest.approx(1.4 * (-0.7 - 0.3))
    assert similarity[2, 1].item() == pytest.approx(1.4 * (0.7 + 0.3))  # by their texts
    assert similarity[0, 0].item() == similarity[1, 1].item() == pytest.approx(1.4)


@pytest.mark.parametrize("case", CASES)
def test_nothing_missing_makes_both_similarities_equal(case):
    image, text = awkward(case)
    everything = torch.ones(len(image), dtype=torch.bool)
    ours, known = joint_similarity_of_present(image, text, everything, everything, **SHARES)
    assert known.all()
    torch.testing.assert_close(ours, cmh_cagan.joint_similarity(image, text, **SHARES), **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_enhance(case):
    image, text = awkward(case)
    similarity = cmh_cagan.joint_similarity(image, text, **SHARES)
    ours = enhance(similarity)
    if case in {"one", "all equal", "nothing left"}:  # mean and extremes differ by rounding only
        torch.testing.assert_close(ours, similarity, rtol=2, atol=0)
        assert ours.isfinite().all()
    else:
        torch.testing.assert_close(ours, double(plain_cagan.enhance(similarity.tolist())), **CLOSE)
    enhanced = cmh_cagan.joint_similarity(image, text, **SHARES, similarity_enhancement=True)
    assert enhanced.isfinite().all()


def test_enhance_by_hand():
    """Mean 0, least -1, most 2: -1 shrinks by exp(-1/2), 2 grows by e, 1 by the root of e."""
    ours = enhance(double([[-1, -1, 2], [0, 1, -1]]))
    least, half = torch.tensor(-0.5).double().exp().item(), torch.tensor(0.5).double().exp().item()
    torch.testing.assert_close(ours, double([[-least, -least, 2 * half**2], [0, half, -least]]))


def test_enhance_looks_at_known_similarities_only():
    similarity = double([[-1, -1, 2], [0, 1, -1], [50, -50, 7]])
    known = torch.ones(3, 3, dtype=torch.bool)
    known[2] = False
    torch.testing.assert_close(enhance(similarity, known)[:2], enhance(similarity[:2]), **CLOSE)
    assert enhance(similarity, torch.zeros(3, 3, dtype=torch.bool)).isfinite().all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_graph_layer(n):
    layer = cmh_cagan.GraphLayer(4, 3).double()
    nodes, adjacency = features(n, 4, 1, signed=True), features(n, n, 2, signed=True)
    plain = plain_cagan.graph_layer(
        nodes.tolist(), adjacency.tolist(), layer.weight.tolist(), layer.bias.tolist()
    )
    torch.testing.assert_close(layer(nodes, adjacency), double(plain), **CLOSE)
    assert layer.weight.abs().max() <= 3**-0.5


def test_adjacency():
    similarity = double([[1, 2], [3, 4]])
    for attention, expected in (("additive", [[3, 6], [9, 12]]), ("multiplicative", [[3, 10], [21, 36]])):
        network = cmh_cagan.GraphNetwork(
            2, (3,), 8, batch_size=2, attention=attention, attention_weight=2.0
        ).double()
        network.learned_adjacency.data = double([[1, 2], [3, 4]])
        assert network.adjacency(similarity).tolist() == expected


def test_learned_adjacency_starts_kaiming_uniform():
    learned = cmh_cagan.GraphNetwork(2, (3,), 8, batch_size=24).learned_adjacency
    assert 0.45 < learned.abs().max() <= 0.5  # sqrt(6 / 24)


def test_nothing_flows_from_a_missing_node():
    torch.manual_seed(0)  # of some networks all units are dead, and everything is alike
    network = cmh_cagan.GraphNetwork(4, (3, 5), 8, batch_size=4).double()
    nodes, similarity = features(4, 4, 1), features(4, 4, 2)
    present = torch.tensor([True, False, True, True])
    ours = network(nodes, similarity, present)
    nodes[1] = 17  # whatever lies there
    torch.testing.assert_close(network(nodes, similarity, present)[present], ours[present])
    assert not torch.allclose(network(nodes, similarity)[present], ours[present])


@pytest.mark.parametrize("text_graph_code", [False, True])
@pytest.mark.parametrize("left_out", [False, True])
@pytest.mark.parametrize("case", ["one", "missing", "nothing left", "signed"])
def test_losses(case, left_out, text_graph_code):
    image, text = awkward(case)
    n = len(image)
    codes = [features(n, 8, seed, signed=True) for seed in range(3, 7)]
    everything = torch.ones(n, dtype=torch.bool)
    has_image, has_text = (image.any(dim=1), text.any(dim=1)) if left_out else (everything, everything)
    target, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    masks = {"known": known, "image_present": has_image, "text_present": has_text} if left_out else {}
    ours = cmh_cagan.similarity_losses(*codes, target, text_graph_code=text_graph_code, **masks)
    rows = [
        [value if there else None for value, there in zip(*both, strict=True)]
        for both in zip(target.tolist(), known.tolist(), strict=True)
    ]
    plain = plain_cagan.losses(
        *(code.tolist() for code in codes), rows, has_image, has_text, text_graph_code=text_graph_code
    )
    assert list(ours) == list(plain)
    for name, value in plain.items():
        assert ours[name].item() == pytest.approx(value, rel=1e-10, abs=1e-12), name


def test_total_is_the_weighted_sum():
    names = ("intra_image", "intra_text", "cross", "pair", "graph", "graph_image", "graph_text")
    losses = {name: torch.tensor(float(10**i)) for i, name in enumerate(names)}
    total = cmh_cagan.total_loss(losses, intra_weight=1, cross_weight=2, graph_weight=3)
    assert total == 3322211 + 0 * total  # 1 1 2 2 2 3 3 from the right


def test_loss_gradient():
    image, text = awkward("missing")
    codes = [features(9, 8, seed, signed=True).requires_grad_() for seed in range(3, 7)]
    has_image, has_text = image.any(dim=1), text.any(dim=1)
    target, known = joint_similarity_of_present(image, text, has_image, has_text, **SHARES)
    masks = {"known": known, "image_present": has_image, "text_present": has_text}

    def total(*codes):
        return cmh_cagan.total_loss(cmh_cagan.similarity_losses(*codes, target, **masks))

    assert torch.autograd.gradcheck(total, codes)


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**16))
def test_similarity_stays_in_its_bounds(n, image_width, text_width, seed):
    """Between -1 and 1 for features that are not negative, times the scale; larger with a sharper share."""
    similarity = cmh_cagan.joint_similarity(
        features(n, image_width, seed), features(n, text_width, seed + 1, binary=True), **SHARES
    )
    assert similarity.abs().max() <= 1.4 + 1e-9
