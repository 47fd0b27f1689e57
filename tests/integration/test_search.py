"""From a folder of pictures with gaps to answers: features, a model, an index, codes, searches."""

import json

import h5py
import numpy as np


def make_model(umml, photos):
    """Train on the features of the folder, and export the run."""
    encoders = ("--image-encoder", "efficientnet-lite0", "--text-encoder", "tf-idf")
    umml("features", photos, "photos.h5", *encoders)
    options = ("--method", "dadh", "--preset", "small", "--set", "batch_size=16", "--epochs", 2, "--bits", 16)
    umml("train", "photos.h5", *options, "--out", "model")
    umml("runs", "export", "model", "bundle")
    return "bundle"


def test_a_folder_with_gaps_is_found_by_words_pictures_and_items(umml, photos, tmp_path):
    model = make_model(umml, photos)
    made = umml("index", model, photos, "--keep-outputs", "int8")
    assert "36 items of 16 bits: 22 with image and text, 12 with an image only" in made.stdout
    assert (
        "without an image or a text that could be encoded: 1 item" in made.stdout
    )  # words.jpg, which is no picture
    picture = photos / "picture 7.png"

    by_picture = json.loads(umml("search", model, "--image", picture, "--json", "-k", 5).stdout)["items"]
    assert by_picture[0]["distance"] == 0
    assert "picture 7.png" in [item["id"] for item in by_picture if item["distance"] == 0]
    like = umml("search", model, "--like", "picture 7.png", "--json", "-k", 40, "--rerank", 2)
    items = json.loads(like.stdout)["items"]
    assert len(items) == 35
    assert items[0]["score"] >= items[-1]["score"]
    text = next(item["payload"]["text"] for item in items if "text" in item["payload"])
    found = umml("search", model, text, "-k", 3, "--html", "found.html").stdout
    assert "picture" in found or "图片" in found
    page = (tmp_path / "found.html").read_text()
    assert page.count("data:image/webp;base64,") >= 1
    assert "http" not in page.replace("http-equiv", "")

    umml("encode", model, photos, "--out", "raw.h5", "--outputs")
    umml("encode", model, "photos.h5", "--out", "features.h5")
    with h5py.File(tmp_path / "raw.h5") as raw, h5py.File(tmp_path / "features.h5") as features:
        for side in ("image", "text"):
            assert np.array_equal(raw[f"{side}_present"][:], features[f"{side}_present"][:])
            assert (raw[side][:] == features[side][:]).mean() > 0.999
            assert np.array_equal(
                raw[side][:] > 0, (raw[f"{side}_outputs"][:] >= 0) & raw[f"{side}_present"][:][:, None]
            )
        assert raw["ids"][:].tolist() == features["ids"][:].tolist()

    said = umml("search", model, "--image", photos / "words.jpg", check=False)
    assert said.returncode == 2
    assert "words.jpg cannot be read as an image; give a JPEG" in said.stderr

    (photos / "captions.csv").unlink()  # pictures alone are a collection, too
    made = umml("index", model, photos, "--out", "pictures.index")
    assert "34 items of 16 bits: 0 with image and text, 34 with an image only" in made.stdout
