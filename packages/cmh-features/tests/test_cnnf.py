"""CNN-F from files of both layouts, with random weights: needs the dependency group `test-cnnf`."""

from __future__ import annotations

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder

torch = pytest.importorskip("torch")
io = pytest.importorskip("scipy.io", reason="needs the group test-cnnf")

# height, width, in, out of the seven layers; the widths are an eighth of the real ones
KERNELS = [
    (11, 11, 3, 8),
    (5, 5, 8, 32),
    (3, 3, 32, 32),
    (3, 3, 32, 32),
    (3, 3, 32, 32),
    (6, 6, 32, 64),
    (1, 1, 64, 64),
    (1, 1, 64, 10),  # fc8
]


def cell(items):
    made = np.empty((1, len(items)), object)
    made[0, :] = items
    return made


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(0, 1 / np.sqrt(np.prod(shape[:3])), shape).astype(np.float32),
            rng.normal(0, 0.1, (1, shape[3])).astype(np.float32),
        )
        for shape in KERNELS
    ]


def write(path, layers, layout, mean):
    def layer(number, kernel, bias):
        if layout == "new":
            return {"name": f"conv{number}", "type": "conv", "weights": cell([kernel, bias])}
        return {"name": f"conv{number}", "type": "conv", "filters": kernel, "biases": bias}

    found = []
    for number, (kernel, bias) in enumerate(layers):
        found += [layer(number, kernel, bias), {"name": f"relu{number}", "type": "relu"}]
    normalization = {"averageImage": mean} if mean is not None else {"interpolation": "bicubic"}
    extra = (
        {"meta": {"normalization": normalization}} if layout == "new" else {"normalization": normalization}
    )
    io.savemat(path, {"layers": cell(found), **extra})
    return path


def convolve(image, kernel, bias, stride, padding):
    """The definition of a convolution, (height, width, in) to (height, width, out)."""
    side = kernel.shape[0]
    image = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), (0, 1))[::stride, ::stride]
    return np.einsum("abcij,ijco->abo", windows, kernel, optimize=True) + bias.ravel()


def pool(image, before, after):
    image = np.pad(image, ((before, after), (before, after), (0, 0)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(image, (3, 3), (0, 1))[::2, ::2].max((3, 4))


def contrast(image):
    """Local response normalisation over two channels, the channel and the one before it."""
    square = image**2
    before = np.concatenate([np.zeros_like(square[..., :1]), square[..., :-1]], axis=-1)
    return image / (2 + 1e-4 * (square + before) / 2) ** 0.75


def plain_cnnf(image, layers):
    hidden = contrast(np.maximum(convolve(image, *layers[0], 4, 0), 0))
    hidden = np.pad(hidden, ((0, 1), (0, 1), (0, 0)))
    hidden = pool(hidden, 1, 1)
    hidden = contrast(np.maximum(convolve(hidden, *layers[1], 1, 2), 0))
    hidden = pool(hidden, 0, 0)
    for kernel, bias in layers[2:5]:
        hidden = np.maximum(convolve(hidden, kernel, bias, 1, 1), 0)
    hidden = pool(hidden, 0, 0)
    for kernel, bias in layers[5:7]:
        hidden = np.maximum(convolve(hidden, kernel, bias, 1, 0), 0)
    return hidden.ravel()


@pytest.mark.parametrize("layout", ["new", "old"])
@pytest.mark.parametrize("mean", [None, "image", "colour"])
def test_both_layouts_give_the_features_of_a_plain_cnnf(tmp_path, layers, layout, mean):
    rng = np.random.default_rng(1)
    average = {
        None: None,
        "image": rng.uniform(90, 130, (224, 224, 3)).astype(np.float32),
        "colour": np.array([123.0, 116, 103], np.float32).reshape(1, 1, 3),
    }[mean]
    path = write(tmp_path / "imagenet-vgg-f.mat", layers, layout, average)
    encoder = load_encoder(f"cnnf:{path}", device="cpu")
    image = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    features = encoder.encode_images([image]).features[0]
    assert encoder.width == len(features) == 64
    expected = plain_cnnf(image.astype(np.float64) - (0 if average is None else average), layers)
    assert np.allclose(features, expected, rtol=1e-3, atol=1e-3 * expected.max())
    assert (features > 0).any()
    assert ("no mean" in encoder.identity.preprocessing) == (mean is None)


def test_a_missing_file_is_named_with_its_source(tmp_path):
    for name in ("cnnf", f"cnnf:{tmp_path / 'imagenet-vgg-f.mat'}"):
        with pytest.raises(
            EncoderUnavailableError, match=r"imagenet-vgg-f\.mat.*vlfeat\.org/matconvnet/pretr"
        ):
            load_encoder(name)


def test_other_files_are_refused(tmp_path, layers):
    io.savemat(tmp_path / "a.mat", {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="is no CNN-F file: it holds no MATLAB cell array 'layers'"):
        load_encoder(f"cnnf:{tmp_path / 'a.mat'}")
    write(tmp_path / "b.mat", layers[:5], "new", None)
    with pytest.raises(ValueError, match="expected 7 layers with four-dimensional kernels, found 5"):
        load_encoder(f"cnnf:{tmp_path / 'b.mat'}")
    (tmp_path / "c.mat").write_text("words")
    with pytest.raises(ValueError, match="is no CNN-F file"):
        load_encoder(f"cnnf:{tmp_path / 'c.mat'}")
    write(tmp_path / "d.mat", layers, "new", np.zeros((8, 8, 3), np.float32))
    with pytest.raises(ValueError, match=r"mean image has the shape \(8, 8, 3\)"):
        load_encoder(f"cnnf:{tmp_path / 'd.mat'}")
