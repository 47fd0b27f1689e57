"""The method as a whole: training, options, missing samples, bad input."""

import math
from dataclasses import replace

import cmh_djsrh
import numpy as np
import plain_djsrh
import pytest
import torch
from cmh_testing import example_data
from cmh_train import Batch, DataSpec, build_method, encode_dataset, find_method, fit, make_config

SMALL = {"bits": 16, "text_widths": (32,), "batch_size": 16}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9)
DATA = example_data(n_train=40, labelled=False)
VARIANTS = (
    {},
    {"missing": "left-out"},
    {"image_widths": (16,), "text_widths": (16, 8), "standardise": "matrix"},
)


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


def built(spec=SPEC, **options):
    return build_method("djsrh", {**SMALL, **options}, spec, seed=1)


@pytest.mark.parametrize("options", VARIANTS)
def test_training_finds_partners(options):
    data = example_data(n_train=60, missing_images=slice(3, 4), missing_texts=slice(5, 6), labelled=False)
    method = built(data.spec, image_learning_rate=0.05, text_learning_rate=0.05, **options)
    result = fit(method, data, epochs=30, batch_size=16)
    assert result.epochs[-1].losses["total"] < result.epochs[0].losses["total"]
    image, text = (encode_dataset(method, m, getattr(data, m)) >= 0 for m in ("image", "text"))
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
        plain = plain_djsrh.PlainLoop(image, text, bits=bits, width=24, batch_size=batch_size)
    finally:
        torch.set_default_dtype(torch.float32)
    method = built(replace(SPEC, n_train=n), text_widths=(24,), bits=bits, batch_size=batch_size).double()
    for name in ("image_net", "text_net"):
        getattr(method, name).load_state_dict(getattr(plain, name).state_dict())
    for step in range(6):
        rows = torch.arange(n)[batch_size * (step % 3) :][:batch_size]
        epoch = step // 3
        method.begin_epoch(epoch)
        batch = replace(one_batch(batch_size), image=image[rows], text=text[rows], index=rows)
        expected = plain.step(image[rows], text[rows], math.sqrt(epoch + 1))
        assert method.update(batch)["total"].item() == pytest.approx(expected, rel=1e-10)


def test_standardise_uses_the_statistics_of_the_data():
    spec = replace(SPEC, image_mean=3.0, image_std=2.0)
    method, image = built(spec, standardise="matrix"), torch.rand(5, 12)
    torch.testing.assert_close(method.encode("image", image), torch.tanh(method.image_net((image - 3) / 2)))


def test_a_last_batch_that_is_not_full_is_left_out():
    method, sizes = built(DATA.spec), []
    update = method.update
    method.update = lambda batch: sizes.append(len(batch.index)) or update(batch)
    fit(method, DATA, epochs=2, batch_size=16)
    assert sizes == [16, 16, 16, 16]


def test_presets():
    spec = find_method("djsrh")
    assert not spec.supervised
    assert set(spec.presets) == {"mirflickr25k", "nuswide-tc10", "mscoco", "wikipedia", "small"}
    wikipedia, nuswide = spec.presets["wikipedia"], spec.presets["nuswide-tc10"]
    assert (wikipedia.image_share, nuswide.image_share) == (0.3, 0.6)
    assert wikipedia.intra_image_weight == wikipedia.intra_text_weight == 0.3
    assert wikipedia.image_learning_rate == wikipedia.text_learning_rate == 0.01
    assert (wikipedia.epochs, nuswide.epochs) == (200, 80)
    assert spec.fine_tuned == "AlexNet"


def test_every_option_says_where_it_comes_from():
    for name, field in cmh_djsrh.DJSRHConfig.model_fields.items():
        assert "program" in field.description or "ours" in field.description, name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("djsrh", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (
            lambda: make_config("djsrh", options={"image_share": 1.5}),
            "'image_share'.*less than or equal to 1",
        ),
        (lambda: make_config("djsrh", options={"missing": "mean"}), "'missing'.*'zero-filled' or"),
        (lambda: make_config("djsrh", options={"text_widths": (0,)}), "'text_widths.*equal to 1"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
        (
            lambda: built(replace(SPEC, image_shape=(3, 224, 224))),
            r"images of DJSRH must be features.*\(3, 224, 224\); encode the pixels first",
        ),
        (lambda: fit(built(DATA.spec), DATA, epochs=1, batch_size=41), "only 40 training rows"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
