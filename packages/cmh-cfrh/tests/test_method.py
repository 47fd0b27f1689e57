"""The method as a whole: training, state, options, missing samples, bad input."""

import math

import cmh_cfrh
import numpy as np
import plain_cfrh
import pytest
import torch
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

SMALL = {
    "bits": 16,
    "image_widths": (32,),
    "text_widths": (32,),
    "decoder_widths": (24,),
    "batch_size": 16,
}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9)
VARIANTS = (
    {},
    {"missing": "left-out"},
    {"text_similarity": "binary", "second_order": "cosine", "reconstruction_target": "raw"},
    {"missing": "left-out", "text_similarity": "binary", "second_order": "cosine"},
    {"image_widths": (), "text_widths": (16, 8), "decoder_widths": (), "standardise": "matrix"},
)


def training_data(n=40, seed=0):
    """Images and texts that both tell the class; image 3 and text 5 are missing."""
    generator = np.random.default_rng(seed)
    group = np.arange(n) % 3
    image = generator.random((n, 12), dtype=np.float32) + 3 * np.eye(3, 12, dtype=np.float32)[group]
    text = (generator.random((n, 9)) < 0.05 + 0.6 * np.repeat(np.eye(3), 3, axis=1)[group]).astype(np.float32)
    image_present, text_present = np.arange(n) != 3, np.arange(n) != 5
    return TrainingData.from_arrays(
        image=image * image_present[:, None],
        text=text * text_present[:, None],
        image_present=image_present,
        text_present=text_present,
    )


def trained(data=None, *, epochs=2, precision="float32", seed=1, **options):
    data = training_data() if data is None else data
    method = build_method("cfrh", make_config("cfrh", options={**SMALL, **options}), data.spec, seed)
    result = fit(method, data, epochs=epochs, batch_size=16, seed=seed, precision=precision)
    return method, result


def one_batch(n=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        image=torch.rand(n, 12, generator=generator),
        text=torch.rand(n, 9, generator=generator),
        label=None,
        index=torch.arange(n),
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )


def changed(batch, **changes):
    return Batch(**{**vars(batch), **changes})


def built(spec=SPEC, **options):
    return build_method("cfrh", {**SMALL, **options}, spec, seed=1)


@pytest.mark.parametrize("options", VARIANTS)
def test_training_finds_partners(options):
    data = training_data(60)
    method, result = trained(data, epochs=30, learning_rate=0.05, **options)
    assert result.epochs[-1].losses["total"] < result.epochs[0].losses["total"]
    image = encode_dataset(method, "image", data.image) >= 0
    text = encode_dataset(method, "text", data.text) >= 0
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = (np.arange(60) % 3)[:, None] == (np.arange(60) % 3)
    assert distance[same].mean() < distance[~same].mean() - 2


@pytest.mark.parametrize(("n", "batch_size", "bits"), [(48, 16, 16), (41, 13, 24), (30, 7, 128)])
def test_steps_are_those_of_the_plain_loop(n, batch_size, bits):
    """The benchmark's baseline computes the same, and its epochs too."""
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(n, 12, generator=generator, dtype=torch.float64)
    text = (torch.rand(n, 9, generator=generator) < 0.3).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = plain_cfrh.PlainLoop(image, text, bits=bits, width=24, batch_size=batch_size)
    finally:
        torch.set_default_dtype(torch.float32)
    widths = {"image_widths": (24,), "text_widths": (24,), "decoder_widths": (24,)}
    method = built(
        DataSpec(n_train=n, image_shape=(12,), text_width=9), **widths, bits=bits, batch_size=batch_size
    ).double()
    for name in ("image_net", "text_net", "image_decoder", "text_decoder"):
        getattr(method, name).load_state_dict(getattr(plain, name).state_dict())
    for step in range(6):
        rows = torch.arange(n)[batch_size * (step % 3) :][:batch_size]
        epoch = step // 3
        method.begin_epoch(epoch)
        batch = changed(one_batch(batch_size), image=image[rows], text=text[rows], index=rows)
        expected = plain.step(image[rows], text[rows], math.sqrt(epoch + 1))
        assert method.update(batch)["total"].item() == pytest.approx(expected, rel=1e-10)


def test_tanh_sharpens_with_the_epochs():
    method = built()
    image = torch.rand(3, 12)
    for epoch, sharpness in ((0, 1.0), (3, 2.0), (8, 3.0)):
        method.begin_epoch(epoch)
        expected = torch.tanh(sharpness * method.image_net(image))
        torch.testing.assert_close(method.encode("image", image), expected)


def test_standardise_uses_the_statistics_of_the_data():
    spec = DataSpec(n_train=40, image_shape=(12,), text_width=9, image_mean=3.0, image_std=2.0)
    method, image = built(spec, standardise="matrix"), torch.rand(5, 12)
    torch.testing.assert_close(method.encode("image", image), torch.tanh(method.image_net((image - 3) / 2)))


def test_losses_are_detached_scalars_with_fixed_names():
    names = ["intra_image", "intra_text", "cross", "pair", "reconstruction_image", "reconstruction_text"]
    names += ["total"]
    for options in VARIANTS:
        losses = built(**options).update(one_batch())
        assert list(losses) == names
        assert all(loss.shape == () and not loss.requires_grad for loss in losses.values())


def test_codes_do_not_depend_on_the_batch():
    method, _ = trained()
    image = torch.from_numpy(training_data().image)
    with torch.no_grad():
        torch.testing.assert_close(method.encode("image", image)[:1], method.encode("image", image[:1]))


def test_a_last_batch_that_is_not_full_is_left_out():
    """40 samples are two batches of 16."""
    sizes = []
    data = training_data()
    method = built(data.spec)
    update = method.update
    method.update = lambda batch: sizes.append(len(batch.index)) or update(batch)
    fit(method, data, epochs=2, batch_size=16)
    assert sizes == [16, 16, 16, 16]


@pytest.mark.parametrize("n", [1, 2, 40])
def test_any_batch_size(n):
    data = training_data()
    result = fit(built(data.spec), data, epochs=1, batch_size=n)
    assert np.isfinite(result.epochs[0].losses["total"])


def test_presets():
    spec = find_method("cfrh")
    assert not spec.supervised
    assert set(spec.presets) == {"mirflickr25k", "nuswide-tc10", "mscoco", "wikipedia", "small"}
    for name in spec.presets:
        assert make_config("cfrh", preset=name) == spec.presets[name]
    assert "reconstructed" in spec.title


def test_a_raw_target_is_the_feature_itself():
    """A decoder that is right on the raw features has no loss on them, and one on those of unit length."""
    losses = {}
    for target in ("raw", "normalised"):
        method = built(reconstruction_target=target)
        batch = changed(one_batch(), image=torch.full((16, 12), 2.0))
        torch.nn.init.zeros_(method.image_decoder[-1].weight)
        torch.nn.init.constant_(method.image_decoder[-1].bias, 2.0)
        losses[target] = method.update(batch)["reconstruction_image"].item()
    assert losses["raw"] == 0
    assert losses["normalised"] == pytest.approx((2 - 12**-0.5) ** 2)


def test_every_option_says_what_it_is():
    for name, field in cmh_cfrh.CFRHConfig.model_fields.items():
        assert any(grade in field.description for grade in ("[K]", "[I]", "[A]", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("cfrh", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (lambda: make_config("cfrh", options={"second_order": "sum"}), "'second_order'.*'product' or"),
        (lambda: make_config("cfrh", options={"missing": "mean"}), "'missing'.*'zero-filled' or"),
        (lambda: make_config("cfrh", options={"decoder_widths": (0,)}), "'decoder_widths.*equal to 1"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
        (
            lambda: built().update(changed(one_batch(), image=torch.ones(16, 9))),
            r"image inputs must have shape \(12,\)",
        ),
        (
            lambda: built(DataSpec(n_train=40, image_shape=(3, 224, 224), text_width=9)),
            r"images of CFRH must be features.*\(3, 224, 224\); encode the pixels first",
        ),
        (
            lambda: fit(built(training_data().spec), training_data(), epochs=1, batch_size=41),
            "only 40 training rows",
        ),
        (
            lambda: TrainingData.from_arrays(image=np.ones((40, 12)), text=np.ones((40, 0))),
            r"text must have .* both not empty, but its shape is \(40, 0\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
