"""A whole training is that of the plain re-statement, whatever the sizes."""

import numpy as np
import plain_amsh
import pytest
import torch
from cmh_amsh import METHOD
from cmh_train import TrainingData, build_method, fit

ROUNDS = 15


@pytest.mark.parametrize(
    ("n_image", "n_text", "n_label", "bits"), [(41, 33, 1, 16), (57, 61, 7, 24), (150, 139, 3, 128)]
)
def test_trainings_of_other_sizes_are_those_of_the_plain_loop(n_image, n_text, n_label, bits):
    rng = np.random.default_rng(bits)
    n = {"image": n_image, "text": n_text}
    label = {m: (rng.random((n[m], n_label)) < 0.5).astype(np.float64) for m in n}
    features = {
        m: (rng.normal(size=(n[m], 90)) + label[m] @ rng.normal(size=(n_label, 90))).astype(np.float32)
        for m in n
    }
    data = TrainingData.from_unpaired(
        image=features["image"], text=features["text"], image_label=label["image"], text_label=label["text"]
    )
    method = build_method(METHOD, {"bits": bits}, data.spec, seed=0)
    found = fit(method, data, epochs=ROUNDS, batch_size=0, precision="float64")

    tensors = {m: torch.from_numpy(each).double() for m, each in features.items()}
    labels = {m: torch.from_numpy(each) for m, each in label.items()}
    anchors = {m: getattr(method, f"{m}_anchors")[: n[m]] for m in n}  # all rows, in an order drawn
    kernels = {m: plain_amsh.kernel_features(tensors[m], anchors[m]) for m in n}
    starts = {m: plain_amsh.start(kernels[m], bits) for m in n}
    v, b, _, objectives = plain_amsh.rounds(starts, labels, count=ROUNDS, bits=bits)
    np.testing.assert_allclose(found.losses["total"], objectives, rtol=1e-9)
    rows = {"image": slice(0, n_image), "text": slice(n_image, n_image + n_text)}
    for m in n:
        np.testing.assert_allclose(getattr(method, f"{m}_factors")[rows[m]].T, v[m], atol=1e-6)
        np.testing.assert_array_equal(getattr(method, f"{m}_codes")[rows[m]].T, b[m])
        scores = plain_amsh.hash_function(kernels[m], b[m], count=ROUNDS) @ kernels[m]
        np.testing.assert_allclose(method.encode(m, tensors[m]).T, scores, atol=1e-6)
