"""The method as a whole: training, memory, options, missing samples, bad input."""

import math
from dataclasses import replace

import cmh_ucch
import numpy as np
import plain_ucch
import pytest
import torch
from cmh_testing import example_data
from cmh_train import Batch, DataSpec, build_method, encode_dataset, find_method, fit, make_config
from torch.nn.functional import normalize

SMALL = {"bits": 16, "image_widths": (32, 24), "text_widths": (32,), "batch_size": 16, "negatives": 20}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9)
DATA = example_data(n_train=40, labelled=False)
VARIANTS = (
    {},
    {"missing": "left-out"},
    {"temperature_scaling": "none", "normalise_memory": False, "warmup_epochs": 2},
    {"missing": "left-out", "warmup_epochs": 0},
)


def one_batch(n=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        image=torch.rand(n, 12, generator=generator),
        text=torch.rand(n, 9, generator=generator),
        label=None,
        index=torch.arange(n) + 3,
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )


def built(spec=SPEC, **options):
    return build_method("ucch", {**SMALL, **options}, spec, seed=1)


@pytest.mark.parametrize("options", VARIANTS)
def test_training_finds_partners(options):
    data = example_data(n_train=60, missing_images=slice(3, 4), missing_texts=slice(5, 6), labelled=False)
    method = built(data.spec, learning_rate=3e-3, **options)
    fit(method, data, epochs=30, batch_size=16)
    image, text = (encode_dataset(method, m, getattr(data, m)) >= 0 for m in ("image", "text"))
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = (np.arange(60) % 3)[:, None] == (np.arange(60) % 3)
    assert distance[same].mean() < distance[~same].mean() - 1


@pytest.mark.parametrize(("n", "batch_size", "bits"), [(48, 16, 16), (41, 13, 24), (30, 7, 128)])
def test_steps_are_those_of_the_plain_loop(n, batch_size, bits):
    """The benchmark's baseline computes the same, in the warm-up and after it."""
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(n, 12, generator=generator, dtype=torch.float64)
    text = (torch.rand(n, 9, generator=generator) < 0.3).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = plain_ucch.PlainLoop(image, text, bits=bits, width=24, batch_size=batch_size, negatives=20)
    finally:
        torch.set_default_dtype(torch.float32)
    method = built(
        replace(SPEC, n_train=n), image_widths=(24, 24), text_widths=(24,), bits=bits, batch_size=batch_size
    ).double()
    for name in ("image_net", "text_net"):
        getattr(method, name).load_state_dict(getattr(plain, name).state_dict())
    method.memory.copy_(plain.memory)
    for step in range(6):
        rows = torch.arange(n)[batch_size * (step % 3) :][:batch_size]
        drawn = torch.randint(n, (batch_size, 20), generator=generator)
        method._draw_negatives = lambda _, drawn=drawn: drawn
        method.begin_epoch(step // 3)
        batch = replace(one_batch(batch_size), image=image[rows], text=text[rows], index=rows)
        expected = plain.step(image[rows], text[rows], rows, drawn, warming_up=step < 3)
        assert method.update(batch)["total"].item() == pytest.approx(expected, rel=1e-10)
        torch.testing.assert_close(method.memory, plain.memory)


def test_the_memory_starts_with_fewer_positive_than_negative_signs():
    """P(2 z - 1 > 0) of a normal z is 0.3085; every row has unit length."""
    method = built(replace(SPEC, n_train=4000))
    assert (method.memory > 0).float().mean().item() == pytest.approx(0.3085, abs=0.01)
    torch.testing.assert_close(method.memory.norm(dim=1), torch.ones(4000))


@pytest.mark.parametrize(
    ("options", "epoch", "momentum", "normalised"),
    [
        ({}, 0, 0.0, True),
        ({}, 1, 0.4, True),
        ({"normalise_memory": False}, 1, 0.4, False),
        ({"memory_momentum": 0.9}, 1, 0.9, True),
        ({"missing": "left-out"}, 1, 0.4, True),
    ],
)
def test_memory_after_a_step(options, epoch, momentum, normalised):
    method = built(**options)
    method.begin_epoch(epoch)
    present = {"image_present": torch.arange(16) % 4 > 1, "text_present": torch.arange(16) % 4 != 1}
    batch, before = replace(one_batch(), **present), method.memory.clone()
    with torch.no_grad():
        codes = [method.encode(m, getattr(batch, m)).tolist() for m in ("image", "text")]
    method.update(batch)
    expected = before.clone()
    for place, (row, image, text) in enumerate(zip(batch.index.tolist(), *codes, strict=True)):
        there = {"has_image": True, "has_text": True}
        if options.get("missing"):
            there = {"has_image": place % 4 > 1, "has_text": place % 4 != 1}
        expected[row] = torch.tensor(
            plain_ucch.remembered(before[row].tolist(), image, text, momentum, normalised=normalised, **there)
        )
    torch.testing.assert_close(method.memory, expected)


@pytest.mark.parametrize(("scaling", "tau"), [("bits", 0.9 * 4), ("none", 0.9)])
def test_temperature(scaling, tau, monkeypatch):
    seen = []
    contrast = cmh_ucch._method.batch_contrast

    def watch(*arguments, temperature, **others):
        seen.append(temperature)
        return contrast(*arguments, temperature=temperature, **others)

    monkeypatch.setattr("cmh_ucch._method.batch_contrast", watch)
    built(temperature_scaling=scaling).update(one_batch())
    assert seen == pytest.approx([tau, tau])


def test_gradients_are_clipped_together():
    """What Adam sees has norm 1 over both networks, or less where it was less."""
    method, norms = built(clip_norm=1e-3), []
    method._optimiser.step = lambda: norms.append(
        math.sqrt(sum(p.grad.square().sum().item() for p in method.parameters()))
    )
    method.update(one_batch())
    assert norms == pytest.approx([1e-3], rel=1e-3)


def test_negatives_are_drawn_from_all_rows():
    method = built(negatives=4000)
    drawn = method._draw_negatives(one_batch())
    assert drawn.shape == (16, 4000)
    assert drawn.unique().tolist() == list(range(40))


def test_standardise_uses_the_statistics_of_the_data():
    spec = replace(SPEC, image_mean=3.0, image_std=2.0)
    method, image = built(spec, standardise="matrix"), torch.rand(5, 12)
    expected = normalize(torch.tanh(method.image_net((image - 3) / 2)), dim=1)
    torch.testing.assert_close(method.encode("image", image), expected)


def test_all_missing_images_have_one_code_and_its_memory_is_made_of_it():
    method = built()
    absent = torch.arange(16) < 2
    batch = replace(one_batch(), image=one_batch().image * ~absent[:, None], image_present=~absent)
    with torch.no_grad():
        code = method.encode("image", torch.zeros(1, 12))
        text_codes = method.encode("text", batch.text[:2])
        torch.testing.assert_close(method.encode("image", batch.image[:2]), code.expand(2, -1))
    method.begin_epoch(0)
    method.update(batch)
    torch.testing.assert_close(method.memory[3:5], normalize(code + text_codes, dim=1))


def test_a_last_batch_that_is_not_full_is_left_out():
    method, sizes = built(DATA.spec), []
    update = method.update
    method.update = lambda batch: sizes.append(len(batch.index)) or update(batch)
    fit(method, DATA, epochs=2, batch_size=16)
    assert sizes == [16, 16, 16, 16]


def test_presets():
    spec = find_method("ucch")
    assert not spec.supervised
    names = {"mirflickr25k", "nuswide-tc10", "mscoco", "iapr-tc12", "wikipedia", "small"}
    assert set(spec.presets) == names
    assert (spec.presets["iapr-tc12"].contrast_weight, spec.presets["iapr-tc12"].shift) == (0.9, 1.0)
    assert spec.presets["wikipedia"].standardise == "matrix"


def test_every_option_says_where_it_comes_from():
    words = ("program", "command", "ours")
    for name, field in cmh_ucch.UCCHConfig.model_fields.items():
        assert any(word in field.description for word in words), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("ucch", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (lambda: make_config("ucch", options={"contrast_weight": 2}), "'contrast_weight'.*equal to 1"),
        (lambda: make_config("ucch", options={"negatives": 0}), "'negatives'.*equal to 1"),
        (lambda: make_config("ucch", options={"memory_momentum": 1}), "'memory_momentum'.*less than 1"),
        (lambda: make_config("ucch", options={"missing": "mean"}), "'missing'.*'zero-filled' or"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
        (
            lambda: built(replace(SPEC, image_shape=(3, 224, 224))),
            r"images of UCCH must be features.*\(3, 224, 224\); encode the pixels first",
        ),
        (lambda: fit(built(DATA.spec), DATA, epochs=1, batch_size=41), "only 40 training rows"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
