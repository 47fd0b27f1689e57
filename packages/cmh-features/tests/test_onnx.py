"""ONNX networks with random weights: needs the dependency group `test-onnx`."""

from __future__ import annotations

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder

onnx = pytest.importorskip("onnx", reason="needs the group test-onnx")
pytest.importorskip("onnxruntime", reason="needs the group test-onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - only where it is installed


@pytest.fixture
def write(tmp_path):
    """Write a network of one 1 x 1 convolution; its input and output have the shapes given."""

    def made(shape, *, kind=TensorProto.FLOAT, pooled=True, metadata=None):
        nodes, name = [], "image"
        if kind != TensorProto.FLOAT:
            nodes.append(helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT))
            name = "float"
        if shape[3] == 3:
            nodes.append(helper.make_node("Transpose", [name], ["first"], perm=[0, 3, 1, 2]))
            name = "first"
        nodes.append(helper.make_node("Conv", [name, "kernel"], ["map"]))
        if pooled:
            nodes.append(helper.make_node("GlobalAveragePool", ["map"], ["pool"]))
            nodes.append(helper.make_node("Flatten", ["pool"], ["feature"]))
        elif shape[3] == 3:
            nodes.append(helper.make_node("Transpose", ["map"], ["last"], perm=[0, 2, 3, 1]))
        kernel = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], np.float32).reshape(4, 3, 1, 1)
        if pooled:
            out = ("feature", ["n", 4])
        else:
            out = ("last", ["n", "h", "w", 4]) if shape[3] == 3 else ("map", ["n", 4, "h", "w"])
        graph = helper.make_graph(
            nodes,
            "colours",
            [helper.make_tensor_value_info("image", kind, shape)],
            [helper.make_tensor_value_info(out[0], TensorProto.FLOAT, out[1])],
            [numpy_helper.from_array(kernel, "kernel")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        helper.set_model_props(model, metadata or {})
        onnx.save(model, tmp_path / "net.onnx")
        return f"onnx:{tmp_path / 'net.onnx'}"

    return made


COLOUR = np.array([200, 100, 50], np.uint8)
IMAGE = np.broadcast_to(COLOUR, (20, 30, 3))
NORMALISED = (COLOUR / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


@pytest.mark.parametrize(
    "shape", [["n", 3, 8, 8], ["n", 8, 8, 3], ["n", 3, "h", "w"], [1, 3, 8, 8], [4, 3, 8, 8]]
)
@pytest.mark.parametrize("pooled", [True, False])
def test_features_of_a_known_network(write, shape, pooled):
    encoder = load_encoder(write(shape, pooled=pooled))
    assert encoder.width == 4
    assert encoder.image_size == (8 if 8 in shape else 224)
    features = encoder.encode_images([IMAGE] * 6).features
    assert np.allclose(features, [[*NORMALISED, NORMALISED.sum()]] * 6, atol=1e-3)


def test_whole_numbers_are_plain_pixels(write):
    encoder = load_encoder(write(["n", 3, 8, 8], kind=TensorProto.UINT8))
    assert encoder.encode_images([IMAGE]).features.tolist() == [[200, 100, 50, 350]]
    assert "0 to 255" in encoder.identity.preprocessing


def test_the_file_may_say_its_mean_and_deviation(write):
    name = write(["n", 3, 8, 8], metadata={"mean": "0.5,0.5,0.5", "deviation": "0.5,0.5,0.5"})
    expected = COLOUR / 127.5 - 1
    features = load_encoder(name).encode_images([IMAGE]).features
    assert np.allclose(features[0, :3], expected, atol=1e-5)


def test_the_file_may_ask_for_the_middle(write):
    image = np.broadcast_to(COLOUR, (20, 60, 3)).copy()
    image[:, :9] = 0
    whole = load_encoder(write(["n", 3, 8, 8])).encode_images([image]).features
    middle = load_encoder(write(["n", 3, 8, 8], metadata={"short_side": "8"})).encode_images([image]).features
    assert np.allclose(middle[0, :3], NORMALISED, atol=1e-4)
    assert whole[0, 0] < middle[0, 0]


def test_missing_and_other_files_are_named(write, tmp_path):
    with pytest.raises(EncoderUnavailableError, match="onnx needs an ONNX file, onnx:PATH, but there is no"):
        load_encoder(f"onnx:{tmp_path / 'nowhere.onnx'}")
    (tmp_path / "words.onnx").write_text("words")
    with pytest.raises(ValueError, match=r"words\.onnx must be an ONNX network"):
        load_encoder(f"onnx:{tmp_path / 'words.onnx'}")
    with pytest.raises(
        ValueError, match=r"must take one batch of images .*, but it takes .* of type tensor\(int64"
    ):
        load_encoder(write(["n", 3, 8, 8], kind=TensorProto.INT64))


def test_precision_is_what_the_file_says(write):
    with pytest.raises(ValueError, match="computes as the file says, but precision is bfloat16"):
        load_encoder(write(["n", 3, 8, 8]), precision="bfloat16")
