from __future__ import annotations

import numpy as np
import pytest
from cmh_features import load_encoder
from PIL import Image


def test_white_is_nothing_and_black_is_one():
    encoder = load_encoder("grey-pixels:2")
    picture = np.array([[0, 255], [255, 127]], np.uint8)
    encoded = encoder.encode_images([picture, None, np.full((9, 9), 255, np.uint8)])
    np.testing.assert_allclose(encoded.features, [[1, 0, 0, 128 / 255], [0] * 4, [0] * 4], rtol=1e-6)
    assert encoded.present.tolist() == [True, False, True]
    assert encoded.identity["name"] == "grey-pixels:2"


def test_a_picture_is_scaled_to_32_pixels():
    encoder = load_encoder("grey-pixels")
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (50, 70, 3), np.uint8)
    small = Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    features = encoder.encode_images([picture]).features
    assert encoder.width == 1024
    np.testing.assert_allclose(features[0], 1 - np.asarray(small).ravel() / np.float32(255), rtol=1e-6)


@pytest.mark.parametrize("side", ["0", "257", "-1", "two"])
def test_a_side_that_is_none(side):
    with pytest.raises(ValueError, match=f"must have a side from 1 to 256 pixels, but it is '{side}'"):
        load_encoder(f"grey-pixels:{side}")


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="computes in float32 only"):
        load_encoder("grey-pixels", precision="float16")
