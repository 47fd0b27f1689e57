"""Pixels through an encoder, and random crops of them in training."""

import json

import numpy as np
import pytest
from cmh_features import load_encoder
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.inputs.pixels import Pixels
from umml_cli.main import app

N = 40


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (N, 3, 20, 24), dtype=np.uint8),
        "text": rng.integers(0, 2, (N, 6)).astype(np.float32),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(N) % 3],
        "train": np.arange(30),
        "query": np.arange(30, N),
    }


def train(folder, arrays, *arguments, encoder="grey-pixels:8"):
    np.savez(folder / "pixels.npz", **arrays)
    fixed = ("--method", "cagan", "--preset", "small", "--epochs", "2", "--bits", "16")
    given = [*fixed, "--set", "batch_size=10", "--unpaired-text", "20", "--image-encoder", encoder]
    given += ["--out", str(folder / "runs"), *arguments]
    return CliRunner().invoke(app, ["train", str(folder / "pixels.npz"), *given])


def test_a_crop_is_a_square_of_the_image_and_half_of_them_are_flipped():
    image = np.arange(3 * 16 * 32, dtype=np.int64).reshape(3, 16, 32) % 256
    views = Pixels(image[None].astype(np.uint8), load_encoder("grey-pixels:8")).crops_of(np.zeros(3, int))
    seen = []
    views._pixels.encoder.encode_images = lambda crops: seen.extend(crops) or Encoded(len(crops))
    views.draw(np.repeat(0, 200), np.random.default_rng(0))
    windows = {
        (top, left): image[:, top : top + 14, left : left + 14].transpose(1, 2, 0)
        for top in range(3)
        for left in range(19)
    }
    flips, places = 0, set()
    for crop in seen:
        found = [
            (place, flipped)
            for place, window in windows.items()
            for flipped in (False, True)
            if np.array_equal(crop, window[:, ::-1] if flipped else window)
        ]
        assert found
        flips += found[0][1]
        places.add(found[0][0])
    assert 70 < flips < 130
    assert len(places) > 45


class Encoded:
    skipped = ()

    def __init__(self, n):
        self.features = np.zeros((n, 1))


def test_training_on_crops_is_a_run_of_its_own_and_images_are_encoded_once(tmp_path, arrays):
    for more in ((), ("--random-crops",)):
        done = train(tmp_path, arrays, *more)
        assert done.exit_code == 0, done.exception
    runs = {path.parent: json.loads(path.read_text()) for path in tmp_path.glob("runs/*/result.json")}
    by_crops = {run["specification"]["crops"]: run for run in runs.values()}
    assert by_crops.keys() == {None, "random"}
    assert by_crops["random"]["training_pairs"] == {"rows": 30, "kept": 30, "paired": 24}
    losses = [(folder / "metrics.jsonl").read_text() for folder in runs]
    assert losses[0] != losses[1]
    assert len(list(tmp_path.glob("runs/images-*.npy"))) == 1
    model = json.loads(next(iter(runs)).joinpath("model.json").read_text())
    assert model["encoders"]["image"]["name"] == "grey-pixels:8"
    assert model["data_spec"]["image_shape"] == [64]


@pytest.mark.parametrize(
    ("change", "arguments", "encoder", "says"),
    [
        ({"image": np.ones((N, 5), np.float32)}, (), "grey-pixels:8", "are features of 5 numbers already"),
        ({}, (), "bag-of-words", "must encode images, but bag-of-words does not"),
    ],
)
def test_what_has_no_pixels_or_encodes_none_is_refused(tmp_path, arrays, change, arguments, encoder, says):
    done = train(tmp_path, {**arrays, **change}, *arguments, encoder=encoder)
    assert isinstance(done.exception, UserError)
    assert says in str(done.exception)


def test_random_crops_need_an_encoder(tmp_path, arrays):
    np.savez(tmp_path / "pixels.npz", **arrays)
    done = CliRunner().invoke(app, ["train", str(tmp_path / "pixels.npz"), "--random-crops"])
    assert "--random-crops needs --image-encoder" in str(done.exception)
