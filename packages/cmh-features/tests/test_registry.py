from __future__ import annotations

import sys

import numpy as np
import pytest
from cmh_features import (
    EncoderUnavailableError,
    UnknownEncoderError,
    available_encoders,
    load_encoder,
)

OUTSIDE = """
import numpy as np
from cmh_features import Encoder, EncoderSpec, Identity

class Lengths(Encoder):
    modalities = ("text",)
    width = 1

    def __init__(self, request):
        self.factor = float(request.argument or 1)
        self.identity = Identity(request.name, "1", "", "none", "float32")

    def embed_texts(self, batch):
        return self.factor * np.array([[len(text)] for text in batch], np.float32)

SPEC = EncoderSpec("lengths", ("text",), "how long a text is", Lengths, usage="lengths[:FACTOR]")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package of one module that announces an encoder where Python finds packages."""

    def put(code, value="outside_encoder:SPEC"):
        (tmp_path / "outside_encoder.py").write_text(code)
        record = tmp_path / "outside_encoder-1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-encoder\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(f"[cmh.encoders]\nlengths = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "outside_encoder", raising=False)

    yield put
    sys.modules.pop("outside_encoder", None)


def test_anyone_can_add_an_encoder(install):
    install(OUTSIDE)
    assert available_encoders()["lengths"].summary == "how long a text is"
    encoder = load_encoder("lengths:2")
    assert encoder.encode_texts(["abc", "", "d"]).features.tolist() == [[6.0], [0.0], [2.0]]
    assert encoder.identity.name == "lengths:2"


def test_a_broken_package_is_named_and_harms_no_other_encoder(install):
    install("import a_module_that_is_not_here")
    with pytest.raises(EncoderUnavailableError, match="'lengths' of outside-encoder cannot be loaded"):
        load_encoder("lengths")
    assert load_encoder("bag-of-words").modalities == ("text",)


def test_what_is_no_specification_is_refused(install):
    install("SPEC = 3")
    with pytest.raises(EncoderUnavailableError, match="is a int, not an EncoderSpec"):
        load_encoder("lengths")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        UnknownEncoderError, match=r"there is no encoder 'word2vec'; .*bag-of-words, .*minilm"
    ):
        load_encoder("word2vec:x")


def test_a_name_that_takes_nothing_refuses_a_colon():
    with pytest.raises(ValueError, match="efficientnet-lite0 takes nothing after a colon"):
        load_encoder("efficientnet-lite0:x")


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision must be one of auto, float32, float16, bfloat16, but it"):
        load_encoder("bag-of-words", precision="int4")


def test_every_encoder_says_what_it_is():
    for name, spec in available_encoders().items():
        assert spec.name == name
        assert spec.summary
        assert set(spec.modalities) <= {"image", "text"}
        assert spec.modalities


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    for module in ("tokenizers", "efficientnet_lite_pytorch"):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, "cmh_features.encoders.minilm", raising=False)
        monkeypatch.delitem(sys.modules, "cmh_features.encoders.efficientnet", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("minilm", "efficientnet-lite0"):
        with pytest.raises(EncoderUnavailableError, match=r"needs the package .*cmh-features\[offline\]"):
            load_encoder(name)


def test_an_array_can_be_made_of_the_result(encoder):
    encoded = encoder.encode_texts(["a", "b c"])
    assert np.asarray(encoded).shape == encoded.shape == (2, 3)
    assert len(encoded) == 2
    assert encoded[1].tolist() == [2, 1, 1]
