"""Rounds and hash functions are those of the plain re-statement, whatever the sizes."""

import numpy as np
import plain_mtfh
import pytest
import torch
from cmh_mtfh import METHOD
from cmh_train import Batch, TrainingData, TrainingRows, build_method

SIZES = [(41, 33, 1, 16, 24), (57, 61, 7, 24, 16), (90, 70, 3, 128, 8)]


@pytest.mark.parametrize("mapping", ["H2", "H1"])
@pytest.mark.parametrize(("n_image", "n_text", "n_label", "bits", "text_bits"), SIZES)
def test_trainings_of_other_sizes_are_those_of_the_plain_loop(
    n_image, n_text, n_label, bits, text_bits, mapping
):
    rng = np.random.default_rng(bits)
    n = {"image": n_image, "text": n_text}
    rows = {"image": slice(n_image), "text": slice(n_image, None)}
    label = {m: (rng.random((n[m], n_label)) < 0.5).astype(np.float64) for m in n}
    features = {m: rng.normal(size=(n[m], 9)) + label[m] @ rng.normal(size=(n_label, 9)) for m in n}
    data = TrainingData.from_unpaired(**features, image_label=label["image"], text_label=label["text"])
    chosen = {"bits": bits, "text_bits": text_bits, "text_mapping": mapping, "anchors": 20}
    method = build_method(METHOD, {**chosen, "logistic_iterations": 3000}, data.spec, seed=0).double()
    names = ("image", "text", "label", "image_present", "text_present")
    tensors = {name: torch.from_numpy(getattr(data, name)) for name in names}
    for name in ("image", "text"):
        tensors[name] = tensors[name].double()
    method.begin_training(TrainingRows(**tensors))
    method.begin_epoch(0)
    limits = rng.integers(1, min(bits, text_bits) + 1, 5000).tolist()
    ours, theirs = iter(limits), iter(limits)
    method._sweep_order = lambda _: range(next(ours))
    state = [
        getattr(method, f"{name}_codes")[rows[m]].clone()
        for name, m in (
            ("image", "image"),
            ("text", "text"),
            ("text_as_image", "text"),
            ("image_as_text", "image"),
        )
    ]
    similarity = torch.from_numpy(label["image"] @ label["text"].T)
    before = None
    for _ in range(50):
        found = method.update(Batch(**tensors, index=torch.arange(n_image + n_text)))
        *state, h1, h2, objective = plain_mtfh.one_round(
            *state, similarity, lambda _: range(next(theirs)), mapping=mapping
        )
        assert float(found["total"]) == pytest.approx(objective, rel=1e-9)
        codes = method._codes()
        for mine, other in zip(
            (codes.image, codes.text, codes.text_as_image, codes.image_as_text, codes.image_mapping,
             codes.text_mapping),
            (*state, h1, h2),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-10)
        if before is not None and before - objective < 1:
            break
        before = objective
    assert bool(method.finished)
    method.prepare_encoding()
    for m, codes in (("image", state[0]), ("text", state[1])):
        values, anchors = tensors[m][rows[m]], getattr(method, f"{m}_anchors")
        width = torch.cdist(values, values).square().mean()
        kernel, of_anchors = (plain_mtfh.kernel(each, anchors, width) for each in (values, anchors))
        for bit in range(0, codes.shape[1], 15):
            weights = plain_mtfh.logistic(kernel, of_anchors, codes[:, bit])
            scores = method.encode_database(m, values)[:, bit]
            np.testing.assert_allclose(scores, kernel @ weights, atol=1e-3)
