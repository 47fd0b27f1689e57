"""CNN-F: both layouts of its file, both orders of axes, its shape."""

import cmh_agah
import numpy as np
import pytest
import torch
from cmh_agah._cnnf import CNNF, read_cnnf_weights
from cmh_train import Batch, DataSpec, TrainingData, build_method, fit
from scipy.io import savemat
from torch.nn.functional import local_response_norm, max_pool2d

WIDTHS = (3, 4, 5, 4, 4, 3, 6, 7)  # of a narrow CNN-F: input, five convolutions, fc6, fc7
SIDES = (11, 5, 3, 3, 3, 6, 1)


def kernels():
    generator = np.random.default_rng(0)
    return [
        (
            generator.normal(size=(side, side, WIDTHS[i], WIDTHS[i + 1])).astype(np.float32) / side,
            generator.normal(size=(1, WIDTHS[i + 1])).astype(np.float32),
        )
        for i, side in enumerate(SIDES)
    ]


def cell(items):
    array = np.empty((1, len(items)), object)
    for place, item in enumerate(items):
        array[0, place] = item
    return array


def write(path, layout):
    """The network, interleaved with layers that have no weights, and with a classifier at its end."""
    layers = []
    for number, (kernel, bias) in enumerate([*kernels(), kernels()[-1]]):
        layer = {"type": "conv", "name": f"layer{number}"}
        layer |= (
            {"weights": cell([kernel, bias])} if layout == "weights" else {"filters": kernel, "biases": bias}
        )
        layers += [layer, {"type": "relu", "name": f"relu{number}"}]
        if layout == "weights":
            layers[-1] |= {"weights": cell([])}
    savemat(path, {"layers": cell(layers), "meta": {"classes": 1}})
    return path


@pytest.mark.parametrize("layout", ["weights", "filters"])
def test_both_layouts_of_the_file(tmp_path, layout):
    pairs = read_cnnf_weights(write(tmp_path / "f.mat", layout), "height-width")
    assert len(pairs) == 7
    for (weight, bias), (kernel, expected_bias) in zip(pairs, kernels(), strict=True):
        assert weight.dtype == bias.dtype == torch.float32
        np.testing.assert_array_equal(weight.numpy(), kernel.transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(bias.numpy(), expected_bias[0])


def test_features_do_not_depend_on_how_the_image_lies(tmp_path):
    path = write(tmp_path / "f.mat", "weights")
    upright, turned = (CNNF(read_cnnf_weights(path, axes)) for axes in ("height-width", "width-height"))
    image = 255 * torch.rand(1, 3, 224, 224)
    torch.testing.assert_close(upright(image), turned(image.transpose(2, 3)), rtol=1e-4, atol=1e-3)


def test_layers_in_their_order(tmp_path):
    pairs = read_cnnf_weights(write(tmp_path / "f.mat", "weights"), "height-width")
    image = 255 * torch.rand(2, 3, 224, 224)
    hidden = image
    shapes = []
    for number, (weight, bias) in enumerate(pairs):
        stride, padding = (4 if number == 0 else 1), (0, 2, 1, 1, 1, 0, 0)[number]
        hidden = torch.nn.functional.conv2d(hidden, weight, bias, stride=stride, padding=padding).relu()
        shapes.append(tuple(hidden.shape[2:]))
        if number < 2:
            hidden = local_response_norm(hidden, 2, alpha=1e-4, beta=0.75, k=2.0)
        if number == 0:
            hidden = torch.cat((hidden, torch.zeros_like(hidden[:, :, :1])), dim=2)
            hidden = torch.cat((hidden, torch.zeros_like(hidden[:, :, :, :1])), dim=3)
            hidden = max_pool2d(hidden, 3, stride=2, padding=1)
        if number in (1, 4):
            hidden = max_pool2d(hidden, 3, stride=2)
    assert shapes == [(54, 54), (28, 28), (13, 13), (13, 13), (13, 13), (1, 1), (1, 1)]
    torch.testing.assert_close(CNNF(pairs)(image), hidden.flatten(1))


def test_step_from_pixels_fine_tunes_everything(tmp_path):
    config = cmh_agah.AGAHConfig(
        bits=8, text_widths=(8,), feature_width=6, cnnf_weights=write(tmp_path / "f.mat", "weights")
    )
    spec = DataSpec(n_train=2, image_shape=(3, 224, 224), text_width=5, n_label=2)
    torch.manual_seed(0)
    method = cmh_agah.AGAH(config, spec)
    before = {name: value.clone() for name, value in method.trunk["image"].named_parameters()}
    present = torch.ones(2, dtype=torch.bool)
    image = 255 * torch.rand(2, 3, 224, 224)
    losses = method.update(
        Batch(
            image=image,
            text=torch.rand(2, 5),
            label=torch.eye(2),
            index=torch.arange(2),
            image_present=present,
            text_present=present,
        )
    )
    assert torch.isfinite(losses["total"])
    assert len(before) == 16
    assert all(not torch.equal(before[n], value) for n, value in method.trunk["image"].named_parameters())
    assert method.encode("image", image).shape == (2, 8)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_resuming_from_pixels(tmp_path, precision):
    rng = np.random.default_rng(0)
    data = TrainingData.from_arrays(
        image=rng.integers(0, 256, size=(4, 3, 224, 224), dtype=np.uint8),
        text=rng.random((4, 5)),
        label=np.eye(2)[[0, 1, 0, 1]],
    )
    weights = write(tmp_path / "f.mat", "weights")
    methods = []
    for epochs, checkpoint in ((2, None), (1, tmp_path / "run"), (2, tmp_path / "run")):
        config = cmh_agah.AGAHConfig(
            bits=8, batch_size=2, text_widths=(8,), feature_width=6, cnnf_weights=weights
        )
        methods.append(build_method("agah", config, data.spec, 0))
        fit(
            methods[-1], data, epochs=epochs, batch_size=2, seed=0, precision=precision, checkpoint=checkpoint
        )
    whole, _, resumed = (method.state_dict() for method in methods)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_bad_files_and_shapes(tmp_path):
    missing, other, short = tmp_path / "no.mat", tmp_path / "other.mat", tmp_path / "short.mat"
    text = tmp_path / "text.mat"
    savemat(other, {"x": 1})
    savemat(short, {"layers": cell([{"type": "relu", "name": "r"}])})
    text.write_text("not a MATLAB file, but long enough to look for a header in it" * 9)
    table = {
        missing: "there is no such file",
        other: "no MATLAB cell array 'layers'",
        text: "no MATLAB cell array 'layers'",
        short: "expected 7 layers with four-dimensional kernels, found 0",
    }
    for path, message in table.items():
        with pytest.raises(ValueError, match=message):
            read_cnnf_weights(path, "height-width")
    spec = {"n_train": 2, "text_width": 5, "n_label": 2}
    with pytest.raises(ValueError, match="give cnnf_weights"):
        cmh_agah.AGAH(cmh_agah.AGAHConfig(), DataSpec(image_shape=(3, 224, 224), **spec))
    with pytest.raises(ValueError, match=r"images have \(3, 32, 32\)"):
        cmh_agah.AGAH(cmh_agah.AGAHConfig(), DataSpec(image_shape=(3, 32, 32), **spec))
