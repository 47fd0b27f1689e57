"""The method as a whole: training, state, options, bad input."""

import cmh_jdsh
import numpy as np
import pytest
import torch
from cmh_jdsh._dsdw import NUSWIDE_TC10_DSDW, SimilarityDistribution
from cmh_train import (
    Batch,
    DataSpec,
    TrainingData,
    _sparse_input,
    build_method,
    encode_dataset,
    find_method,
    fit,
    make_config,
)
from pydantic import ValidationError

SMALL = {"bits": 16, "text_widths": (32,), "batch_size": 16}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9)
EVERY_TARGET = (
    {},
    {"dsdw": "estimate"},
    {"variant": "sigir2020"},
    {"variant": "sigir2020", "dsdw": "estimate"},
)


def training_data(n=40, seed=0):
    """Images and texts that both tell the class; image 3 and text 5 are zero-filled."""
    generator = np.random.default_rng(seed)
    group = np.arange(n) % 3
    image = generator.random((n, 12), dtype=np.float32) + 3 * np.eye(3, 12, dtype=np.float32)[group]
    text = generator.random((n, 9), dtype=np.float32) + 3 * np.eye(3, 9, dtype=np.float32)[group]
    image_present, text_present = np.arange(n) != 3, np.arange(n) != 5
    return TrainingData.from_arrays(
        image=image * image_present[:, None],
        text=text * text_present[:, None],
        image_present=image_present,
        text_present=text_present,
    )


def trained(data=None, *, epochs=2, precision="float32", seed=1, **options):
    data = training_data() if data is None else data
    method = build_method("jdsh", make_config("jdsh", options={**SMALL, **options}), data.spec, seed)
    result = fit(method, data, epochs=epochs, batch_size=16, seed=seed, precision=precision)
    return method, result


def test_counts_of_words_train_as_dense_texts_do(monkeypatch):
    generator = np.random.default_rng(0)
    data = TrainingData.from_arrays(
        image=generator.random((40, 12), dtype=np.float32),
        text=generator.poisson(0.02, (40, 150)).astype(np.float32),
    )
    calls, product = [], _sparse_input._sums_of_rows
    monkeypatch.setattr(_sparse_input, "_sums_of_rows", lambda *places: calls.append(1) or product(*places))
    ours, result = trained(data, precision="float64")
    assert len(calls) == 2 * 2 * 2  # forward and backward, two steps an epoch
    monkeypatch.setattr(_sparse_input, "_LARGEST_SHARE", -1.0)
    dense, expected = trained(data, precision="float64")
    assert len(calls) == 8
    assert result.losses["total"] == pytest.approx(expected.losses["total"], rel=1e-9)
    for name, value in dense.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-12)


def one_batch(n=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        image=torch.rand(n, 12, generator=generator),
        text=torch.rand(n, 9, generator=generator),
        label=None,
        index=torch.arange(n),
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )


@pytest.mark.parametrize("options", EVERY_TARGET)
def test_training_finds_partners(options):
    data = training_data(60)
    method, result = trained(data, epochs=30, **options)
    assert result.epochs[-1].losses["total"] < result.epochs[0].losses["total"]
    image = encode_dataset(method, "image", data.image) >= 0
    text = encode_dataset(method, "text", data.text) >= 0
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = (np.arange(60) % 3)[:, None] == (np.arange(60) % 3)
    assert distance[same].mean() < distance[~same].mean() - 2


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_precisions(precision):
    method, result = trained(precision=precision)
    codes = encode_dataset(method, "image", training_data().image, precision=precision)
    assert codes.shape == (40, 16)
    assert np.isfinite(codes).all()
    reference = trained()[1].epochs[-1].losses["total"]
    assert result.epochs[-1].losses["total"] == pytest.approx(reference, rel=0.05)


def test_tanh_sharpens_with_the_epochs():
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL), SPEC)
    image = torch.rand(3, 12)
    for epoch, sharpness in ((0, 1.0), (3, 2.0), (8, 3.0)):
        method.begin_epoch(epoch)
        expected = torch.tanh(sharpness * method.image_net(image))
        torch.testing.assert_close(method.encode("image", image), expected)


def test_estimate_collects_in_the_first_epoch_only():
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL, dsdw="estimate"), SPEC)
    counts = []
    for epoch in (0, 1):
        method.begin_epoch(epoch)
        method.update(one_batch())
        counts.append(method.distribution.histogram.sum().item())
    assert counts == [12, 12]
    method.begin_epoch(0)
    assert method.distribution.histogram.sum() == 0


def test_sigir2020_takes_the_batchs_extremes_and_leaves_partners_alone():
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL, variant="sigir2020", scale=1.47), SPEC)
    similarity = torch.tensor([[0.9, 0.1, -0.6], [0.3, 0.8, -0.5], [-0.7, -0.2, 1.0]])
    target = method._target(similarity)
    for i in range(3):
        for j in range(3):
            value = similarity[i, j]
            if i != j and value < -0.528:
                value = value * (1 + 0.1 * torch.exp(-(value + 0.7)))
            if i != j and value > -0.138:
                value = value * (1 + 0.2 * torch.exp(value - 1.0))
            assert target[i, j].item() == pytest.approx(1.47 * value.item(), rel=1e-5)


def test_standardise_uses_the_statistics_of_the_data():
    spec = DataSpec(n_train=40, image_shape=(12,), text_width=9, image_mean=3.0, image_std=2.0)
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL, standardise="matrix"), spec)
    image = torch.rand(5, 12)
    torch.testing.assert_close(method.encode("image", image), torch.tanh(method.image_net((image - 3) / 2)))


def test_losses_are_detached_scalars_with_fixed_names():
    names = ["intra_image", "intra_text", "cross", "pair", "total"]
    for variant, expected in (("umml2022", names), ("sigir2020", [n for n in names if n != "pair"])):
        losses = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL, variant=variant), SPEC).update(one_batch())
        assert list(losses) == expected
        assert all(loss.shape == () and not loss.requires_grad for loss in losses.values())


def test_codes_do_not_depend_on_the_batch():
    method, _ = trained()
    image = torch.from_numpy(training_data().image)
    with torch.no_grad():
        torch.testing.assert_close(method.encode("image", image)[:1], method.encode("image", image[:1]))


def test_estimated_weights():
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL, dsdw="estimate", estimated_weights=(0.3, 0.7)), SPEC)
    sharpening = method.distribution.sharpening()
    assert (sharpening["left_weight"], sharpening["right_weight"]) == (0.3, 0.7)
    default = SimilarityDistribution(bound=1.0).sharpening()
    assert (default["left_weight"], default["right_weight"]) == (0.1, 0.2)


def test_presets():
    spec = find_method("jdsh")
    assert not spec.supervised
    assert {"mirflickr25k", "nuswide-tc21", "umml-mirflickr25k", "umml-nuswide-tc21", "small"} <= set(
        spec.presets
    )
    for name in spec.presets:
        assert make_config("jdsh", preset=name) == spec.presets[name]
    assert spec.presets["umml-nuswide-tc21"].batch_size == 128
    assert spec.presets["umml-nuswide-tc21"].dsdw == NUSWIDE_TC10_DSDW
    assert spec.presets["nuswide-tc10-sigir2020"].image_learning_rate == 0.001


NUSWIDE = ("nuswide-tc10", "nuswide-tc21", "umml-nuswide-tc21", "nuswide-tc10-sigir2020")


@pytest.mark.parametrize("name", NUSWIDE)
def test_nuswide_presets_hold_the_programs_constants(name):
    preset = cmh_jdsh.PRESETS[name]
    may = name.endswith("sigir2020")
    assert (preset.image_share, preset.text_share, preset.joint_share) == (0.4, 0.3, 0.3)
    assert (preset.scale, preset.intra_weight) == (1.47 if may else 1.4, 0.1)
    assert (preset.image_learning_rate, preset.text_learning_rate) == (0.001 if may else 0.01, 0.01)
    assert (preset.momentum, preset.weight_decay) == (0.9, 5e-4)
    assert (preset.batch_size, preset.epochs) == (128 if name.startswith("umml") else 32, 300)
    assert (preset.dsdw.left_weight, preset.dsdw.right_weight) == (0.2, 0.2)
    method = cmh_jdsh.JDSH(preset.model_copy(update={"text_widths": (8,)}), SPEC)
    groups = {key: optimiser.param_groups[0] for key, optimiser in method.optimisers().items()}
    assert groups["image"]["lr"] == preset.image_learning_rate
    assert groups["text"]["lr"] == preset.text_learning_rate
    assert all(group["momentum"] == 0.9 and group["weight_decay"] == 5e-4 for group in groups.values())


def test_every_option_says_what_it_is():
    fields = {**cmh_jdsh.JDSHConfig.model_fields, **cmh_jdsh.DSDW.model_fields}
    assert all(field.description for field in fields.values())
    for name, field in cmh_jdsh.JDSHConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("jdsh", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (lambda: make_config("jdsh", options={"bits": 1000}), "'bits'.*less than or equal to 512"),
        (lambda: make_config("jdsh", options={"dsdw": "guess"}), "dsdw"),
        (lambda: cmh_jdsh.DSDW(minimum=0), "maximum"),
        (
            lambda: cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL), SPEC).encode("text", torch.ones(2, 12)),
            r"text inputs must have shape \(9,\), as the method was built for, but they have \(12,\)",
        ),
        (
            lambda: cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(**SMALL), SPEC).update(
                Batch(**{**vars(one_batch()), "image": torch.ones(4, 9)})
            ),
            r"image inputs must have shape \(12,\), as the method was built for, but they have \(9,\)",
        ),
        (
            lambda: fit(trained(epochs=1)[0], training_data(), epochs=1, batch_size=41),
            "only 40 training rows",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, ValidationError), match=message):
        call()
