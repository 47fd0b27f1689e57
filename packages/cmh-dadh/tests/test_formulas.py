"""The losses of every variant, their weights and the code updates once more, as loops over samples."""

import math
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cmh_dadh import METHOD
from cmh_train import Batch, DataSpec, build_method

BITS, MARGIN, N_TRAIN = 8, 0.4, 9
OPTIONS = {"bits": BITS, "layer_widths": (16, 12, 8), "batch_size": 8}
DATA = DataSpec(n_train=N_TRAIN, image_shape=(6,), text_width=5, n_label=3, image_mean=0.4, image_std=0.3)
# Label sets of the batch: several, all the same, one class, one sample without labels.
LABELS = {
    "several": [[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]],
    "equal": [[1, 0, 1]] * 4,
    "two classes": [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]],
    "one without": [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
    "one sample": [[0, 1, 0]],
}


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def cosine(left, right):
    return dot(left, right) / math.sqrt(dot(left, left)) / math.sqrt(dot(right, right))


def triplets(codes, others, labels, *, weighted=True):
    """Every anchor, positive and negative; the weight is the anchor's share of the ideal ranking."""
    total, n = 0.0, len(labels)
    for a in range(n):
        shared = [dot(labels[a], labels[j]) for j in range(n)]
        distance = [max(0.0, 1 - cosine(codes[a], others[j])) for j in range(n)]
        ideal = sum((2**s - 1) / math.log2(rank + 2) for rank, s in enumerate(sorted(shared, reverse=True)))
        for p in range(n):
            for q in range(n):
                if shared[p] > 0 and shared[q] == 0:
                    weight = (2 ** shared[p] - 2 ** shared[q]) / ideal if weighted else 1.0
                    total += weight * max(0.0, distance[p] - distance[q] + MARGIN)
    return total


def quantisation(codes, targets):
    return sum(
        (target - value) ** 2
        for row, wanted in zip(codes, targets, strict=True)
        for value, target in zip(row, wanted, strict=True)
    )


def cross_entropy(discriminator, rows, *, real):
    """Mean of -log sigma(D(x)), or of -log(1 - sigma(D(x)))."""
    total = 0.0
    for row in rows:
        probability = 1 / (1 + math.exp(-discriminator(torch.tensor(row, dtype=torch.float64)).item()))
        total -= math.log(probability if real else 1 - probability)
    return total / len(rows)


def taken_step(variant, kind, **options):
    """A step in float64: the losses, features and codes before it, and the method after it."""
    labels = LABELS[kind]
    n = len(labels)
    method = build_method(METHOD, OPTIONS | {"variant": variant} | options, DATA, 0).double().train()
    torch.manual_seed(1)
    batch = Batch(
        image=torch.rand(n, 6, dtype=torch.float64),
        text=(torch.rand(n, 5) < 0.5).double(),
        label=torch.tensor(labels, dtype=torch.float64),
        index=torch.randperm(N_TRAIN)[:n],
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )
    if n > 2:  # an zero-filled text and two equal samples
        batch.text[0] = 0
        batch.image[1], batch.text[1] = batch.image[2], batch.text[2]
    if variant == "icmr2020":  # the matrices are equal at the start only
        method.text_code_matrix.copy_(torch.randn_like(method.code_matrix).sign())
    before = deepcopy(method)
    with torch.no_grad():
        features = before._image_features(batch.image), before._text_features(batch.text)
        codes = before._hash(before.image_head, features[0]), before._hash(before.text_head, features[1])
    losses = {name: loss.item() for name, loss in method.update(batch).items()}
    rows = [side.tolist() for side in (*features, *codes)]
    return method, batch, losses, rows


CASES = [
    (variant, kind)
    for variant in ("umml2022", "icmr2020", "clean")
    for kind in LABELS
    if kind != "one sample" or variant == "icmr2020"  # batch norm needs two
]


@pytest.mark.parametrize(("variant", "kind"), CASES)
def test_losses_and_their_weights(variant, kind):
    method, batch, losses, (image, text, image_code, text_code) = taken_step(variant, kind)
    labels, index = LABELS[kind], batch.index
    texts = method.text_code_matrix if variant == "icmr2020" else method.code_matrix
    expected = {
        "triplet_image_to_text": triplets(image_code, text_code, labels),
        "triplet_text_to_image": triplets(text_code, image_code, labels),
        "quantisation": quantisation(image_code, method.code_matrix[index].tolist())
        + quantisation(text_code, texts[index].tolist()),
        "adversarial_feature": cross_entropy(method.discriminator["feature"], text, real=True),
        "adversarial_code": cross_entropy(method.discriminator["code"], text_code, real=True),
    }
    if variant == "umml2022":  # beta + 0.1 for quantisation, and q = (beta + 0.1 - 0.1) gamma + 0.1 twice
        for name in ("triplet_image_to_text", "triplet_text_to_image"):
            expected[name] *= 10 * 1.1 * 1.1
        weights = {"triplet": 10, "quantisation": 1.1, "adversarial": 1, "pair": 0}
    else:  # both sides against the discriminators, which took their step before
        expected["adversarial_feature"] += cross_entropy(method.discriminator["feature"], image, real=False)
        expected["adversarial_code"] += cross_entropy(method.discriminator["code"], image_code, real=False)
        weights = {"triplet": 10, "quantisation": 1, "adversarial": 1, "pair": 0}
    if variant == "icmr2020":
        weights |= {"adversarial": 0.5, "pair": 1}
        expected["pair"] = sum((cosine(a, b) - 1) ** 2 for a, b in zip(image_code, text_code, strict=True))
    total = sum(weights[name.split("_")[0]] * loss for name, loss in expected.items())
    for name, loss in (expected | {"total": total}).items():
        # q of the program's mask is single precision
        assert losses[name] == pytest.approx(loss, rel=1e-6 if variant == "umml2022" else 1e-10), name


def test_triplets_without_weights():
    """At any other weight of theirs the program leaves the weights and one q out."""
    _, _, losses, (_, _, image_code, text_code) = taken_step("umml2022", "several", triplet_weight=3.0)
    expected = 1.1 * triplets(image_code, text_code, LABELS["several"], weighted=False)
    assert losses["triplet_image_to_text"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("variant", ["umml2022", "icmr2020", "clean"])
def test_code_update(variant):
    """B <- sign(L P + mu/2 (H_i + H_t)); in 2020 B_m <- sign(L P_m + mu H_m) for each modality."""
    mu, ridge = 0.7, 0.5  # so large that the outputs matter
    options = {"variant": variant, "output_weight": mu, "ridge": ridge}
    method = build_method(METHOD, OPTIONS | options, DATA, 0).double()
    torch.manual_seed(2)
    label = (torch.rand(N_TRAIN, 3) < 0.5).double()
    label[4] = 0
    method.begin_training(SimpleNamespace(label=label, completed=False))
    method.image_codes.copy_(torch.tanh(torch.randn(N_TRAIN, BITS)))
    method.text_codes.copy_(torch.tanh(torch.randn(N_TRAIN, BITS)))
    outputs = {
        "code_matrix": ((method.image_codes + method.text_codes) / 2).tolist(),
        "text_code_matrix": method.text_codes.tolist(),
    }
    if variant == "icmr2020":
        method.text_code_matrix.copy_(torch.randn(N_TRAIN, BITS).sign())
        outputs["code_matrix"] = method.image_codes.tolist()
    else:
        del outputs["text_code_matrix"]
    rows = label.tolist()
    gram = [[sum(row[c] * row[d] for row in rows) + ridge * (c == d) for d in range(3)] for c in range(3)]
    expected = {}
    for name, given in outputs.items():
        codes = method.get_buffer(name).tolist()
        right = [
            [sum(rows[i][c] * codes[i][j] for i in range(N_TRAIN)) for j in range(BITS)] for c in range(3)
        ]  # L^T B
        projection = np.linalg.solve(gram, right)
        expected[name] = [
            [
                1.0 if sum(rows[i][c] * projection[c][j] for c in range(3)) + mu * given[i][j] >= 0 else -1.0
                for j in range(BITS)
            ]
            for i in range(N_TRAIN)
        ]
    changed = {name: method.get_buffer(name).clone() for name in expected}
    method.end_epoch(1)
    for name, codes in expected.items():
        assert method.get_buffer(name).tolist() == codes
        assert not torch.equal(method.get_buffer(name), changed[name])
