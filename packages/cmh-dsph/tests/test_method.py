"""The method as a whole: training, dropout, optimisers, missing samples, options, bad input."""

import cmh_dsph
import numpy as np
import pytest
import torch
from cmh_dsph import METHOD
from cmh_testing import example_data
from cmh_train import BertAdam, DataSpec, TrainingData, build_method, encode_dataset, fit, make_config

SMALL = {"bits": 16, "batch_size": 16, "epochs": 4}
SPEC = DataSpec(n_train=33, image_shape=(12,), text_width=9, n_label=3)
PIXELS = DataSpec(n_train=9, image_shape=(3, 8, 8), text_width=9, n_label=3)
UNLABELLED = DataSpec(n_train=9, image_shape=(3,), text_width=9)


def built(spec=SPEC, **options):
    return build_method(METHOD, {**SMALL, **options}, spec, seed=1)


@pytest.mark.parametrize("optimiser", ["bert-adam", "adamw"])
def test_training_brings_codes_of_a_class_together(optimiser):
    data = example_data(n_train=48)
    method = built(data.spec, epochs=30, optimiser=optimiser, learning_rate=0.02)
    result = fit(method, data, epochs=30, batch_size=16, seed=1)
    assert result.losses["total"][-1] < result.losses["total"][0]
    image, text = (encode_dataset(method, m, getattr(data, m)) >= 0 for m in ("image", "text"))
    distance = (image[:, None] != text[None]).sum(axis=2)
    same = data.label @ data.label.T > 0
    assert distance[same].mean() < distance[~same].mean() - 4


def test_dropout_sets_bits_to_0_in_training_only():
    method, image = built(dropout=0.5), torch.rand(50, 12)
    codes = method._code(method.image_net(image))
    assert 0.3 < (codes == 0).float().mean() < 0.7
    assert (method.eval().encode("image", image) != 0).all()
    torch.testing.assert_close(method.encode("image", image), torch.tanh(method.image_net[0](image)))


def test_the_rate_is_spread_over_the_steps_of_the_whole_training():
    """33 rows in batches of 16 are three steps, the last of one row."""
    method = built(epochs=7)
    optimiser = method.optimisers()["hash_layers"]
    assert isinstance(optimiser, BertAdam)
    assert optimiser.param_groups[0]["n_step"] == 21
    assert isinstance(built(optimiser="adamw").optimisers()["hash_layers"], torch.optim.AdamW)


def test_the_first_step_moves_proxies_alone():
    data = example_data()
    method = built(data.spec)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    fit(method, data, epochs=1, batch_size=33, seed=0)
    for name, value in method.state_dict().items():
        assert torch.equal(value, before[name]) == (name != "proxies"), name


def test_missing_samples_are_zeros_that_share_the_code_of_the_bias():
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
        method = built(each.spec, epochs=3)
        fit(method, each, epochs=3, batch_size=16, seed=2)
        states.append(method.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    codes = encode_dataset(method, "image", data.image)[:4]
    of_the_bias = torch.tanh(method.image_net[0].bias).detach().numpy()
    np.testing.assert_allclose(codes, np.tile(of_the_bias, (4, 1)), atol=1e-6)


def test_a_threshold_may_be_given():
    assert built().threshold == cmh_dsph.similarity_threshold(16, 3)
    assert built(threshold=0.5).threshold == 0.5


def test_presets():
    assert METHOD.supervised
    assert METHOD.fine_tuned == "CLIP ViT-B/32"
    assert set(METHOD.presets) == {"mirflickr25k", "nuswide-tc21", "mscoco", "wikipedia", "small"}
    program = make_config(METHOD, preset="mirflickr25k")
    assert (program.epochs, program.batch_size) == (100, 128)
    assert (program.dropout, program.optimiser) == (0.2, "bert-adam")


def test_every_option_says_where_it_comes_from():
    for name, field in cmh_dsph.DSPHConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "paper", "ours")), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_config(METHOD, options={"optimiser": "sgd"}), "'optimiser'.*'bert-adam' or 'adamw'"),
        (lambda: make_config(METHOD, options={"dropout": 1.0}), "'dropout'.*less than 1"),
        (lambda: make_config(METHOD, options={"threshold": 2}), "'threshold'.*less than or equal to 1"),
        (lambda: built(PIXELS), "images of DSPH must be features"),
        (lambda: built(UNLABELLED), "learns from labels, but the data have none"),
        (lambda: built().encode("text", torch.ones(2, 12)), r"text inputs must have shape \(9,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
