"""The method as a whole: training, ties, optimisers, missing samples, options, bad input."""

import cmh_dchmt
import numpy as np
import pytest
import torch
from cmh_dchmt import METHOD
from cmh_testing import example_data
from cmh_train import BertAdam, DataSpec, TrainingData, build_method, encode_dataset, fit, make_config

SMALL = {"bits": 16, "batch_size": 16, "epochs": 4, "hidden_width": 16}
SPEC = DataSpec(n_train=33, image_shape=(12,), text_width=9, n_label=3)
PIXELS = DataSpec(n_train=9, image_shape=(3, 8, 8), text_width=9, n_label=3)
UNLABELLED = DataSpec(n_train=9, image_shape=(3,), text_width=9)


def built(spec=SPEC, **options):
    return build_method(METHOD, {**SMALL, **options}, spec, seed=1)


@pytest.mark.parametrize("optimiser", ["bert-adam", "adamw"])
def test_training_brings_codes_of_a_class_together(optimiser):
    data = example_data(n_train=48)
    method = built(data.spec, epochs=15, optimiser=optimiser, learning_rate=0.02)
    result = fit(method, data, epochs=15, batch_size=16, seed=1)
    assert result.losses["total"][-1] < result.losses["total"][0]
    image, text = (encode_dataset(method, m, getattr(data, m)) >= 0 for m in ("image", "text"))
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = data.label @ data.label.T > 0
    assert distance[same].mean() < distance[~same].mean() - 4


def test_a_bit_is_1_where_its_second_number_is_larger():
    method = built()
    choices = torch.tensor([[0.4, 0.6, 0.5, 0.5, 0.6, 0.4]])
    code = method._code(choices)
    torch.testing.assert_close(code, torch.tensor([[0.2, 0.0, -0.2]]))
    assert (code >= 0).tolist() == [[True, False, False]]


def test_untrained_codes_of_zeros_are_all_0():
    """Biases are 0 at the start, so the two numbers of each bit tie."""
    codes = encode_dataset(built(), "image", np.zeros((2, 12)))
    assert not (codes >= 0).any()


def test_each_bits_layer_is_clipped_by_itself():
    optimiser = built(epochs=7).optimisers()["hash_layers"]
    assert isinstance(optimiser, BertAdam)
    layers, choices = optimiser.param_groups
    assert (layers["stacked"], choices["stacked"]) == (False, True)
    assert {tuple(parameter.shape) for parameter in choices["params"]} == {(16, 2, 16), (16, 2)}
    assert layers["n_step"] == choices["n_step"] == 21, "33 rows in batches of 16 are three steps"
    assert isinstance(built(optimiser="adamw").optimisers()["hash_layers"], torch.optim.AdamW)


def test_the_first_step_changes_nothing():
    data = example_data()
    method = built(data.spec)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    fit(method, data, epochs=1, batch_size=33, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_missing_samples_are_zeros_that_share_the_code_of_the_biases():
    data = example_data(missing_images=slice(0, 4), missing_texts=slice(8, 12))
    unmarked = TrainingData.from_arrays(
        image=data.image,
        text=data.text,
        label=data.label,
        image_mean=data.spec.image_mean,
        image_std=data.spec.image_std,
    )
    states = []
    for each in (data, unmarked):
        method = built(each.spec, epochs=3, learning_rate=0.01)
        fit(method, each, epochs=3, batch_size=16, seed=2)
        states.append(method.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    codes = encode_dataset(method, "image", data.image)
    assert np.isfinite(codes).all()
    assert (codes[:4] == codes[0]).all()


def test_presets():
    assert METHOD.supervised
    assert METHOD.fine_tuned == "CLIP ViT-B/32"
    assert set(METHOD.presets) == {"mirflickr25k", "nuswide-tc21", "mscoco", "wikipedia", "small"}
    command = make_config(METHOD, preset="mirflickr25k")
    assert (command.epochs, command.batch_size, command.learning_rate) == (100, 256, 1e-4)
    assert (command.margin_share, command.hidden_width, command.optimiser) == (0.75, 128, "bert-adam")


def test_every_option_says_where_it_comes_from():
    for name, field in cmh_dchmt.DCHMTConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "paper", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config(METHOD, options={"optimiser": "sgd"}), "'optimiser'.*'bert-adam' or 'adamw'"),
        (lambda: make_config(METHOD, options={"margin_share": 0}), "'margin_share'.*greater than 0"),
        (lambda: built(PIXELS), "images of DCHMT must be features"),
        (lambda: built(UNLABELLED), "learns from labels, but the data have none"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
