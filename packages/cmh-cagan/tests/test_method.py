"""The method as a whole: training, state, options, missing samples, bad input."""

import math

import cmh_cagan
import numpy as np
import plain_cagan
import pytest
import torch
from cmh_cagan import _method, _products
from cmh_train import (
    Batch,
    DataSpec,
    TrainingData,
    TrainingRows,
    UnknownMethodError,
    _optimisers,
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
    "graph_widths": (24, 20),
    "batch_size": 16,
}
SPEC = DataSpec(n_train=40, image_shape=(12,), text_width=9)
VARIANTS = (
    {},
    {"missing": "left-out"},
    {
        "attention": "multiplicative",
        "similarity_enhancement": True,
        "text_similarity": "cosine",
        "text_graph_code": True,
    },
    {"missing": "left-out", "similarity_enhancement": True, "text_graph_code": True},
    {"image_widths": (), "text_widths": (16, 8), "graph_widths": (8,), "standardise": "matrix"},
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
    method = build_method("cagan", make_config("cagan", options={**SMALL, **options}), data.spec, seed)
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
    return build_method("cagan", {**SMALL, **options}, spec, seed=1)


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
        plain = plain_cagan.PlainLoop(
            image, text, bits=bits, widths=(32, 32), graph_widths=(24, 20), batch_size=batch_size
        )
    finally:
        torch.set_default_dtype(torch.float32)
    method = built(
        DataSpec(n_train=n, image_shape=(12,), text_width=9), bits=bits, batch_size=batch_size
    ).double()
    for ours, theirs in ((method.image_net, plain.image_net), (method.text_net, plain.text_net)):
        for place in (0, 2):
            ours[place].weight.data.copy_(theirs[place].weight)
            ours[place].bias.data.copy_(theirs[place].bias)
    for ours, theirs in ((method.image_graph, plain.image_graph), (method.text_graph, plain.text_graph)):
        weights = (theirs.adjacency, theirs.first, theirs.first_bias, theirs.second, theirs.second_bias)
        for parameter, weight in zip(ours.parameters(), (*weights, *theirs.linear.parameters()), strict=True):
            parameter.data.copy_(weight)
    for step in range(6):
        rows = torch.arange(n)[batch_size * (step % 3) :][:batch_size]
        epoch = step // 3
        method.begin_epoch(epoch)
        batch = changed(one_batch(batch_size), image=image[rows], text=text[rows], index=rows)
        expected = plain.step(image[rows], text[rows], math.sqrt(epoch + 1))
        assert method.update(batch)["total"].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"image_widths": (), "missing": "left-out"}])
def test_a_large_batch_learns_the_same_in_less_memory(monkeypatch, options):
    whole, freed = built(**options), built(**options)
    for step in range(4):
        whole.update(one_batch(seed=step))
    assert all(weight.grad is not None for weight in whole.parameters())
    monkeypatch.setattr(_method, "_LARGE_BATCH", 16)
    monkeypatch.setattr(_products, "_BLOCK", 100)
    monkeypatch.setattr(_optimisers, "_LARGE", 1)
    for step in range(4):
        freed.update(one_batch(seed=step))
    assert all(weight.grad is None for weight in freed.parameters())
    torch.testing.assert_close(freed.state_dict(), whole.state_dict(), rtol=1e-4, atol=1e-5)


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


@pytest.mark.parametrize(
    ("chosen", "signed", "expected"),
    [
        (None, False, "binary"),
        (None, True, "cosine"),
        ("binary", True, "binary"),
        ("cosine", False, "cosine"),
    ],
)
def test_texts_with_negative_entries_are_compared_by_cosines(chosen, signed, expected):
    method, data = built(text_similarity=chosen), training_data()
    text = torch.from_numpy(data.text) - (0.5 if signed else 0.0)
    present = torch.from_numpy(data.text_present)
    rows = TrainingRows(
        image=torch.from_numpy(data.image),
        text=text,
        label=None,
        image_present=present,
        text_present=present,
    )
    method.begin_training(rows)
    batch = changed(one_batch(), text=text[:16])
    target, _ = method._target(batch.image, batch)
    shares = {"image_share": 0.5, "text_share": 0.2, "joint_share": 0.3, "scale": 1.4}
    same = cmh_cagan.joint_similarity(batch.image, batch.text, **shares, text_similarity=expected)
    assert torch.equal(target, same)


def test_losses_are_detached_scalars_with_fixed_names():
    names = ["intra_image", "intra_text", "cross", "pair", "graph", "graph_image", "graph_text", "total"]
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
    """40 samples are two batches of 16: the learned adjacency has no other size."""
    sizes = []
    data = training_data()
    method = built(data.spec)
    update = method.update
    method.update = lambda batch: sizes.append(len(batch.index)) or update(batch)
    fit(method, data, epochs=2, batch_size=16)
    assert sizes == [16, 16, 16, 16]


def test_fewer_samples_than_a_batch_holds():
    data = training_data(10)
    method = build_method("cagan", SMALL, data.spec, 0)
    fit(method, data, epochs=1, batch_size=10)
    assert method.image_graph.learned_adjacency.shape == (10, 10)


def test_presets():
    spec = find_method("cagan")
    assert not spec.supervised
    assert set(spec.presets) == {"mirflickr25k", "nuswide-tc10", "mscoco", "wikipedia", "small"}
    for name in spec.presets:
        assert make_config("cagan", preset=name) == spec.presets[name]
    program = spec.presets["mirflickr25k"]
    assert (program.image_widths, program.text_widths) == ((4096,), (4096,))
    assert program.graph_widths == (2048, 1024)
    assert (program.attention, program.missing) == ("additive", "zero-filled")
    assert (program.similarity_enhancement, program.text_graph_code) == (False, False)
    assert program.standardise == "none"


def test_it_is_found_by_the_name_of_its_first_paper():
    assert find_method("AGAH-2023") is find_method("cagan") is cmh_cagan.METHOD
    with pytest.raises(UnknownMethodError):
        find_method("agah-2024")


def test_every_option_says_what_it_is():
    for name, field in cmh_cagan.CAGANConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "figure", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config("cagan", options={"bits": 0}), "'bits'.*greater than or equal to 8"),
        (lambda: make_config("cagan", options={"attention": "dot"}), "'attention'.*'additive' or"),
        (lambda: make_config("cagan", options={"missing": "mean"}), "'missing'.*'zero-filled' or"),
        (lambda: make_config("cagan", options={"graph_widths": ()}), "'graph_widths'.*at least 1"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
        (
            lambda: built().update(changed(one_batch(), image=torch.ones(16, 9))),
            r"image inputs must have shape \(12,\)",
        ),
        (lambda: built().update(one_batch(17)), "batch must have at most 16 samples, .* but it has 17"),
        (
            lambda: built(DataSpec(n_train=40, image_shape=(3, 224, 224), text_width=9)),
            r"images of CAGAN must be features.*\(3, 224, 224\); encode the pixels first",
        ),
        (
            lambda: fit(built(training_data().spec), training_data(), epochs=1, batch_size=41),
            "only 40 training rows",
        ),
        (
            lambda: fit(built(training_data().spec), training_data(), epochs=1, batch_size=8),
            "built with batch_size=16",
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
