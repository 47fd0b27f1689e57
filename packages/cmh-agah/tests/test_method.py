"""The method as a whole: training, state, devices, options, bad input."""

from types import SimpleNamespace

import cmh_agah
import numpy as np
import pytest
import torch
from cmh_agah._adamax import Adamax
from cmh_train import (
    Batch,
    DataSpec,
    TrainingData,
    build_method,
    encode_dataset,
    find_method,
    fit,
    make_config,
)
from pydantic import ValidationError

SMALL = {
    "bits": 16,
    "feature_width": 24,
    "text_widths": (32, 16),
    "discriminator_widths": (16, 8),
    "batch_size": 16,
}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9, n_label=3)


def training_data(n=40, seed=0, labels=3):
    """Images and texts that both tell the class; image 3 and text 5 are zero-filled."""
    generator = np.random.default_rng(seed)
    group = np.arange(n) % labels
    image = generator.random((n, 12), dtype=np.float32) + 2 * np.eye(labels, 12, dtype=np.float32)[group]
    text = generator.random((n, 9), dtype=np.float32) + 2 * np.eye(labels, 9, dtype=np.float32)[group]
    image_present, text_present = np.arange(n) != 3, np.arange(n) != 5
    return TrainingData.from_arrays(
        image=image * image_present[:, None],
        text=text * text_present[:, None],
        label=np.eye(labels, dtype=np.uint8)[group],
        image_present=image_present,
        text_present=text_present,
    )


def trained(data=None, *, epochs=2, precision="float32", seed=1, **options):
    data = training_data() if data is None else data
    config = make_config("agah", options={**SMALL, **options})
    method = build_method("agah", config, data.spec, seed)
    result = fit(method, data, epochs=epochs, batch_size=16, seed=seed, precision=precision)
    return method, result


def one_batch(n=4, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        image=torch.rand(n, 12, generator=generator).to(dtype),
        text=torch.rand(n, 9, generator=generator).to(dtype),
        label=torch.eye(3, dtype=dtype)[torch.arange(n) % 3],
        index=torch.arange(n),
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )


def test_training_finds_partners():
    data = training_data(60)
    method, result = trained(data, epochs=15, image_learning_rate=0.01, learning_rate=0.01, normalise="row")
    assert result.epochs[-1].losses["total"] < result.epochs[0].losses["total"]
    image = encode_dataset(method, "image", data.image) >= 0
    text = encode_dataset(method, "text", data.text) >= 0
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = (data.label @ data.label.T) > 0
    assert distance[same].mean() < distance[~same].mean() - 2


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_precisions(precision):
    method, result = trained(precision=precision)
    assert all(np.isfinite(list(epoch.losses.values())).all() for epoch in result.epochs)
    codes = encode_dataset(method, "text", training_data().text, precision=precision)
    assert codes.shape == (40, 16)
    assert np.isfinite(codes).all()
    reference = trained()[1].epochs[-1].losses["total"]
    assert result.epochs[-1].losses["total"] == pytest.approx(reference, rel=0.05)


def test_learning_rates_fall_after_epochs_0_100_200():
    method = cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC)
    method.begin_training(SimpleNamespace(label=torch.ones(40, 3)))
    rates = []
    for epoch in (0, 1, 99, 100, 101, 200):
        method.end_epoch(epoch)
        rates.append([group["lr"] for group in method.optimisers()["networks"].param_groups])
    image, rest = (list(column) for column in zip(*rates, strict=True))
    assert image == pytest.approx([0.6e-4] * 3 + [0.36e-4] * 2 + [0.216e-4])
    assert rest == pytest.approx([0.6e-3] * 3 + [0.36e-3] * 2 + [0.216e-3])
    for epoch in range(0, 2000, 100):
        method.end_epoch(epoch)
    assert method.optimisers()["networks"].param_groups[0]["lr"] == 1e-6
    assert method.optimisers()["discriminator_text"].param_groups[0]["lr"] == 1e-3


def test_losses_are_detached_scalars_with_fixed_names():
    losses = cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).update(one_batch())
    assert list(losses) == [
        "discriminator_text",
        "gradient_penalty_text",
        "discriminator_image",
        "gradient_penalty_image",
        "triplet_image_to_text",
        "triplet_text_to_image",
        "cosine_quantisation",
        "classification",
        "label_code",
        "quantisation",
        "adversarial",
        "total",
    ]
    assert all(loss.shape == () and not loss.requires_grad for loss in losses.values())


def test_batch_of_one_and_one_class():
    spec = DataSpec(n_train=3, image_shape=(12,), text_width=9, n_label=1)
    method = cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), spec)
    method.begin_training(SimpleNamespace(label=torch.ones(3, 1)))
    batch = one_batch(1)
    batch = Batch(**{**vars(batch), "label": torch.ones(1, 1)})
    losses = method.update(batch)
    method.end_epoch(0)
    assert losses["triplet_image_to_text"] == 0
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())


def test_everything_zero_filled_stays_finite():
    data = training_data()
    empty = TrainingData.from_arrays(
        image=np.zeros_like(data.image), text=data.text, label=data.label, image_present=np.zeros(40, bool)
    )
    method, _ = trained(empty, epochs=3)
    codes = encode_dataset(method, "image", empty.image)
    assert np.isfinite(codes).all()
    assert (codes[:16] == codes[0]).all()


def test_label_without_samples_does_not_spoil_codes():
    data = training_data()
    label = np.concatenate((data.label, np.zeros((40, 1), np.uint8)), axis=1)
    method, _ = trained(TrainingData.from_arrays(image=data.image, text=data.text, label=label))
    assert np.isfinite(encode_dataset(method, "image", data.image)).all()


def test_authors_codes_depend_on_the_batch_and_the_options_do_not():
    data = training_data()
    for options, independent in (
        ({}, False),
        ({"encode_norm": "training"}, True),
        ({"normalise": "row"}, True),
    ):
        method, _ = trained(data, **options)
        assert method.encode_batch_size == (None if independent else 16)
        with torch.no_grad():
            image = torch.from_numpy(data.image)
            together, alone = method.encode("image", image), method.encode("image", image[:1])
        assert torch.allclose(together[:1], alone, atol=1e-6) == independent


def test_training_norm_is_that_of_a_full_batch():
    method, _ = trained(encode_norm="training", image_learning_rate=1e-12, learning_rate=1e-12, epochs=8)
    image = torch.from_numpy(training_data().image)
    with torch.no_grad():
        row = method.trunk["image"](image).square().sum(dim=1).mean()
    assert method._training_norm("image").item() == pytest.approx((16 * row).sqrt().item(), rel=0.1)


def test_adamax_equals_torch_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((70_001,), (3, 5), (1,), ())]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in start] for _ in range(2))
    options = {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1}
    optimisers = Adamax(ours, **options), torch.optim.Adamax(theirs, foreach=False, **options)
    for step in range(4):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = None if step == 1 and mine.ndim == 0 else torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad
        for optimiser in optimisers:
            optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    states = [optimiser.state_dict()["state"] for optimiser in optimisers]
    for index, state in states[0].items():
        assert all(torch.equal(value, states[1][index][name]) for name, value in state.items())
    assert optimisers[0].step(lambda: 3.0) == 3.0


def test_presets_are_the_authors_values():
    spec = find_method("agah")
    assert spec.supervised
    assert set(spec.presets) == {
        "mirflickr25k",
        "nuswide-tc21",
        "umml-mirflickr25k",
        "umml-nuswide-tc21",
        "small",
    }
    authors = spec.presets["mirflickr25k"]
    assert (authors.bits, authors.epochs, authors.batch_size) == (64, 300, 128)
    assert spec.presets["umml-nuswide-tc21"].epochs == 20


def test_every_option_says_what_it_is():
    for name, field in cmh_agah.AGAHConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "ours")), name


@pytest.mark.parametrize("preset", ["mirflickr25k", "nuswide-tc21", "umml-mirflickr25k", "umml-nuswide-tc21"])
def test_optimisers_have_the_programs_values(preset):
    config = cmh_agah.PRESETS[preset].model_copy(update={"text_widths": (8,), "feature_width": 4})
    optimisers = cmh_agah.AGAH(config, SPEC).optimisers()
    assert all(isinstance(optimiser, torch.optim.Adamax) for optimiser in optimisers.values())
    image, rest = optimisers["networks"].param_groups
    assert (image["lr"], rest["lr"]) == (1e-4, 1e-3)
    for group in (image, rest):
        assert (group["weight_decay"], group["betas"]) == (5e-4, (0.9, 0.999))
    for modality in ("image", "text"):
        (group,) = optimisers[f"discriminator_{modality}"].param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-3, (0.5, 0.9), 1e-4)


def test_training_takes_the_batch_that_codes_are_scaled_for():
    data = training_data()
    for options in ({}, {"encode_norm": "training"}):
        method = build_method("agah", make_config("agah", options={**SMALL, **options}), data.spec, 0)
        with pytest.raises(
            ValueError, match="codes of this method depend on the batch and it was built with"
        ):
            fit(method, data, epochs=1, batch_size=8)
    large = make_config("agah", options={**SMALL, "batch_size": 128})
    fit(build_method("agah", large, data.spec, 0), data, epochs=1, batch_size=40)  # all rows
    rows = make_config("agah", options={**SMALL, "normalise": "row"})
    fit(build_method("agah", rows, data.spec, 0), data, epochs=1, batch_size=8)


def test_parameters_elsewhere_take_torchs_own_adamax(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.optim.Adamax, "step", lambda *_: taken.append(True))
    parameter = torch.nn.Parameter(torch.empty(3, device="meta"))
    parameter.grad = torch.empty(3, device="meta")
    Adamax([parameter]).step()
    assert taken == [True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("agah", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (lambda: make_config("agah", options={"bits": 1000}), "'bits'.*less than or equal to 512"),
        (lambda: make_config("agah", options={"normalise": "column"}), "'normalise'"),
        (lambda: cmh_agah.AGAHConfig(margin=-1), "margin"),
        (
            lambda: build_method("agah", SMALL, DataSpec(n_train=4, image_shape=(12,), text_width=9), seed=0),
            "learns from labels, but the data have none",
        ),
        (
            lambda: cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).update(
                Batch(**{**vars(one_batch()), "label": torch.ones(4, 2)})
            ),
            "label must have 3 columns, as the method was built for, but it has 2",
        ),
        (
            lambda: cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).update(
                Batch(**{**vars(one_batch()), "label": None})
            ),
            "label must have 3 columns, as the method was built for, but it has 0",
        ),
        (
            lambda: cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).encode("text", torch.ones(2, 12)),
            r"text inputs must have shape \(9,\), as the method was built for, but they have \(12,\)",
        ),
        (
            lambda: cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).update(
                Batch(**{**vars(one_batch()), "image": torch.ones(4, 9)})
            ),
            r"image inputs must have shape \(12,\), as the method was built for, but they have \(9,\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, ValidationError), match=message):
        call()


def test_end_of_epoch_needs_labels():
    with pytest.raises(AssertionError, match="begin_training was not called"):
        cmh_agah.AGAH(cmh_agah.AGAHConfig(**SMALL), SPEC).end_epoch(0)
