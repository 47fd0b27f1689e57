"""The method as a whole: order of steps, codes, rates, missing samples, options, bad input."""

import cmh_dcmh
import numpy as np
import pytest
import torch
from cmh_dcmh import METHOD
from cmh_dcmh._method import learning_rate
from cmh_testing import example_data
from cmh_train import (
    Batch,
    DataSpec,
    TrainingData,
    TrainingRows,
    build_method,
    encode_dataset,
    fit,
    make_config,
)

SMALL = {"bits": 16, "text_widths": (32,), "batch_size": 16, "epochs": 4}
SPEC = DataSpec(n_train=33, image_shape=(12,), text_width=9, n_label=3)
PIXELS = DataSpec(n_train=9, image_shape=(3, 8, 8), text_width=9, n_label=3)
UNLABELLED = DataSpec(n_train=9, image_shape=(3,), text_width=9)


def built(spec=SPEC, **options):
    return build_method(METHOD, {**SMALL, **options}, spec, seed=1)


def rows_of(data):
    return TrainingRows(
        image=torch.from_numpy(data.image),
        text=torch.from_numpy(data.text),
        label=torch.from_numpy(data.label).float(),
        image_present=torch.from_numpy(data.image_present),
        text_present=torch.from_numpy(data.text_present),
    )


def one_batch(data, index):
    rows, index = rows_of(data), torch.as_tensor(index)
    return Batch(
        **{name: getattr(rows, name)[index] for name in vars(rows) if name != "completed"}, index=index
    )


@pytest.mark.parametrize("variant", ["matlab", "port"])
def test_training_brings_codes_of_a_class_together(variant):
    data = example_data(n_train=90)
    method = built(
        data.spec,
        variant=variant,
        epochs=60,
        learning_rate=0.3,
        last_learning_rate=0.1,
        initial_deviation=0.1,
    )
    fit(method, data, epochs=60, batch_size=16, seed=1)
    image, text = (encode_dataset(method, m, getattr(data, m)) >= 0 for m in ("image", "text"))
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = data.label @ data.label.T > 0
    assert distance[same].mean() < distance[~same].mean() - 3


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("matlab", ["text"] * 3 + ["image"] * 3), ("port", ["image"] * 2 + ["text"] * 2)],
)
def test_an_epoch_trains_one_net_and_then_the_other(variant, expected):
    """33 rows in batches of 16: three steps each in the program, two in the port."""
    data, seen, rows = example_data(), [], []
    method = built(data.spec, variant=variant)
    update = method.update

    def watched(batch):
        before = {name: net[0].weight.clone() for name, net in nets.items()}
        losses = update(batch)
        seen.extend(name for name, net in nets.items() if not torch.equal(before[name], net[0].weight))
        rows.append(batch.index)
        return losses

    nets = {"image": method.image_net, "text": method.text_net}
    method.update = watched
    fit(method, data, epochs=2, batch_size=16, seed=0)
    assert seen == 2 * expected
    assert all(len(index) == 16 == len(set(index.tolist())) for index in rows)
    visits = torch.bincount(torch.cat(rows[: len(expected)]), minlength=33)
    assert visits.max() > 2, "every step draws from all rows anew"


def test_codes_are_set_at_the_start_of_an_epoch_or_at_its_end():
    data = example_data()
    matlab, port = built(), built(variant="port")
    for method in (matlab, port):
        method.begin_training(rows_of(data))
    assert not matlab.code_matrix.any()
    assert (port.code_matrix.abs() == 1).all(), "signs of the random outputs"
    for method in (matlab, port):
        method.begin_epoch(0)
        before = method.code_matrix.clone()
        for step in range(4):
            method.update(one_batch(data, np.arange(16) + step))
        assert torch.equal(method.code_matrix, before)
        method.end_epoch(0)
    signs = torch.sign(port.image_outputs + port.text_outputs)
    assert torch.equal(port.code_matrix, signs)
    assert not matlab.code_matrix.any()
    matlab.begin_epoch(1)
    assert torch.equal(matlab.code_matrix, torch.sign(matlab.image_outputs + matlab.text_outputs))


def test_rows_that_are_not_in_the_batch_keep_their_outputs():
    data, method = example_data(), built(variant="port")
    method.begin_training(rows_of(data))
    method.begin_epoch(0)
    before = method.image_outputs.clone(), method.text_outputs.clone()
    index = torch.tensor([4, 30, 7])
    with torch.no_grad():
        expected = method.image_net(torch.from_numpy(data.image)[index])
    method.update(one_batch(data, index))
    others = np.setdiff1d(np.arange(33), index)
    assert torch.equal(method.image_outputs[others], before[0][others])
    assert torch.equal(method.image_outputs[index], expected)
    assert torch.equal(method.text_outputs, before[1])


def test_in_the_programs_first_steps_the_text_net_only_shrinks():
    """All outputs of images and all codes are 0 there, so only squares of outputs are left."""
    data, method = example_data(), built(initial_deviation=0.1)
    method.begin_training(rows_of(data))
    method.begin_epoch(0)
    losses = method.update(one_batch(data, np.arange(16)))
    assert losses["likelihood"].item() == pytest.approx(np.log(2))
    outputs = method.text_outputs[:16]
    assert losses["quantisation"].item() == pytest.approx(outputs.square().sum().item() / (16 * 33))


@pytest.mark.parametrize(("variant", "half"), [("matlab", 10**-2.25), ("port", (10**-1.5 + 1e-6) / 2)])
def test_learning_rates_fall_over_the_epochs_of_the_options(variant, half):
    config = cmh_dcmh.DCMHConfig(variant=variant, epochs=500 if variant == "port" else 501)
    assert learning_rate(config, 0) == pytest.approx(10**-1.5)
    assert learning_rate(config, 250) == pytest.approx(half)
    assert learning_rate(config, 9999) == pytest.approx(config.last_learning_rate)


def test_texts_are_centred_by_those_that_are_there():
    data = example_data(missing_texts=slice(0, 11))
    method = built()
    method.begin_training(rows_of(data))
    centre = torch.from_numpy(data.text[11:].mean(axis=0))
    torch.testing.assert_close(method.text_centre, centre)
    text = torch.from_numpy(data.text[:5])
    torch.testing.assert_close(method.encode("text", text), method.text_net(text - centre))
    plain = built(variant="port")
    plain.begin_training(rows_of(data))
    torch.testing.assert_close(plain.encode("text", text), plain.text_net(text))


def test_missing_samples_are_zeros_that_share_one_output_and_keep_their_labels():
    """As in the programs: the flags change nothing but the texts' centre."""
    data = example_data(missing_images=slice(0, 4), missing_texts=slice(8, 12))
    flags = {"image_present": np.ones(33, np.bool_), "text_present": np.ones(33, np.bool_)}
    arrays = {"image": data.image, "text": data.text, "label": data.label}
    unmarked = TrainingData.from_arrays(
        **arrays, **flags, image_mean=data.spec.image_mean, image_std=data.spec.image_std
    )
    states = []
    for each in (data, unmarked):
        method = built(each.spec, variant="port", initial_deviation=0.1)
        fit(method, each, epochs=3, batch_size=16, seed=2)
        states.append(method.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    codes = encode_dataset(method, "image", data.image)
    assert (codes[:4] == codes[0]).all()
    assert np.isfinite(codes).all()


def test_an_output_of_exactly_0_is_bit_0():
    method = built()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.zero_()
    assert not (encode_dataset(method, "image", np.ones((3, 12))) >= 0).any()


def test_standardise_uses_the_statistics_of_the_data():
    spec = DataSpec(n_train=33, image_shape=(12,), text_width=9, n_label=3, image_mean=3.0, image_std=2.0)
    method, image = built(spec, standardise="matrix"), torch.rand(5, 12)
    torch.testing.assert_close(method.encode("image", image), method.image_net((image - 3) / 2))


def test_presets_and_variants():
    assert METHOD.supervised
    assert METHOD.fine_tuned == "CNN-F"
    assert set(METHOD.presets) == {"mirflickr25k", "nuswide-tc21", "mscoco", "wikipedia", "small"}
    program = make_config(METHOD, preset="mirflickr25k")
    assert (program.epochs, program.batch_size, program.text_widths) == (500, 128, (8192,))
    assert (program.weight_decay, program.last_learning_rate, program.centre_texts) == (5e-4, 1e-3, True)
    port = make_config(METHOD, preset="mirflickr25k", options={"variant": "port"})
    assert (port.weight_decay, port.last_learning_rate, port.centre_texts) == (0.0, 1e-6, False)
    chosen = make_config(METHOD, options={"variant": "port", "weight_decay": 0.1})
    assert (chosen.weight_decay, chosen.last_learning_rate) == (0.1, 1e-6)


def test_every_option_says_where_it_comes_from():
    for name, field in cmh_dcmh.DCMHConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "paper", "port", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config(METHOD, options={"variant": "tensorflow"}), "'variant'.*'matlab' or 'port'"),
        (
            lambda: make_config(METHOD, options={"text_widths": (0,)}),
            "'text_widths.0'.*greater than",
        ),
        (
            lambda: built(PIXELS),
            "must be features",
        ),
        (
            lambda: built(UNLABELLED),
            "learns from labels, but the data",
        ),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
        (
            lambda: fit(built(example_data().spec), example_data(), epochs=1, batch_size=34),
            "only 33 training rows",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
