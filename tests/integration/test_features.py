"""Pictures and texts with gaps, through encoders with real weights, to codes: `umml features`."""

import json
import signal
import subprocess
import time

import cmh_data
import numpy as np
import pytest
from running import UMML


def test_a_folder_with_gaps_becomes_features_codes_and_a_result(umml, photos, tmp_path):
    made = umml(
        "features", photos, "photos.h5", "--image-encoder", "efficientnet-lite0", "--text-encoder", "minilm"
    )
    assert "34 of 37 images encoded, 3 skipped" in made.stdout
    assert "is damaged" in made.stdout
    assert "words.jpg" in made.stdout
    assert "24 of 37 texts encoded, 13 skipped" in made.stdout
    data = cmh_data.load(tmp_path / "photos.h5")
    assert (data.image.shape, data.text.shape) == ((37, 1280), (37, 384))
    assert (data.image_present.sum(), data.text_present.sum()) == (34, 24)
    assert (bool(data.captions[2]), data.captions[3]) == (True, "")
    both = data.image_present & data.text_present
    assert both[data.split.query].all()
    encoders = data.provenance["encoders"]
    assert encoders["image"]["digest"].startswith("57934424")
    assert encoders["text"]["digest"].startswith("53aa5117")
    assert not (tmp_path / "photos.h5.features").exists()
    umml(
        "train",
        "photos.h5",
        "--method",
        "dadh",
        "--preset",
        "small",
        "--set",
        "batch_size=16",
        "--epochs",
        1,
        "--bits",
        16,
    )
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert json.loads((folder / "result.json").read_text())["training_pairs"]["paired"] < 37


def test_a_built_folder_is_the_same_data_and_keeps_its_words(umml, photos, tmp_path):
    built = umml(
        "data", "build", "folder", "--from", photos, "--image-encoder", "efficientnet-lite0", "--out", "a.h5"
    )
    assert "34 of 37 images encoded" in built.stdout
    data = cmh_data.load(tmp_path / "a.h5")
    assert data.text_vocabulary
    assert data.text_present.sum() == 24
    umml("data", "build", "folder", "--from", photos, "--image-encoder", "efficientnet-lite0",
         "--text-encoder", "tf-idf", "--out", "b.h5")  # fmt: skip
    other = cmh_data.load(tmp_path / "b.h5")
    assert np.allclose(np.linalg.norm(other.text[:][other.text_present], axis=1), 1, atol=1e-5)
    assert len(other.text_vocabulary) == other.text.shape[1]
    assert np.array_equal(other.image[:], data.image[:])


@pytest.mark.slow
def test_a_killed_command_goes_on_and_gives_the_same_file(umml, photos, tmp_path):
    arguments = [str(photos), "k.h5", "--image-encoder", "efficientnet-lite2", "--text-encoder", "minilm"]
    journal = tmp_path / "k.h5.features" / "text.npy.part.json"
    running = subprocess.Popen([UMML, "features", *arguments], cwd=tmp_path)
    while running.poll() is None and not journal.exists():
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "k.h5").exists()
    umml("features", *arguments)
    umml("features", *[argument.replace("k.h5", "w.h5") for argument in arguments])
    assert (tmp_path / "k.h5").read_bytes() == (tmp_path / "w.h5").read_bytes()


def test_columns_separators_and_splits_are_said_as_to_data_build(umml, photos, tmp_path):
    table = (photos / "captions.csv").read_text(encoding="utf-8")
    lines = [
        line.replace(",", "|") for line in table.replace("image,text,labels", "名字,note,kind").splitlines()
    ]
    (photos / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    how = [
        "--image-encoder",
        "grey-pixels",
        "--columns",
        "image=名字,text=note,labels=kind",
        "--separator",
        "|",
    ]
    made = umml("features", photos, "a.h5", *how, "--queries", 5, "--training", 20, "--seed", 3)
    assert "image from 名字, text from note, labels from kind" in made.stdout
    assert "37 items, 34 with an image of 1024 numbers, 24 with a text of" in made.stdout
    data = cmh_data.load(tmp_path / "a.h5")
    assert (len(data.split.query), len(data.split.train)) == (5, 20)
    split = ["--queries", 5, "--training", 20, "--seed", 3]
    umml("data", "build", "folder", "--from", photos, "--out", "b.h5", *how, *split)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    done = umml("features", photos, "a.npy", *how, check=False)
    assert done.stderr.count("OUT must end in .h5 for these") == 1


def test_a_text_file_becomes_a_table(umml, tmp_path):
    (tmp_path / "lines.txt").write_text("a red apple\n\nfruit on a table\n", encoding="utf-8")
    made = umml("features", "lines.txt", "lines.npy", "--text-encoder", "minilm")
    assert "2 of 3 texts encoded, 1 skipped" in made.stdout
    table = np.load(tmp_path / "lines.npy")
    assert table.shape == (3, 384)
    assert table[0] @ table[2] == pytest.approx(0.47, abs=0.005)
    assert json.loads((tmp_path / "lines.json").read_text())["skipped"] == [[1, "", "is empty"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "a.h5", "--image-encoder", "efficientnet-lite0"), "There is no nowhere."),
        ((".", "a.csv", "--image-encoder", "efficientnet-lite0"), "OUT must end in .h5 or .npy"),
        ((".", "a.npy"), "give either --image-encoder or --text-encoder"),
        ((".", "a.npy", "--image-encoder", "minilm"), "--image-encoder must encode images"),
        ((".", "a.npy", "--image-encoder", "resnet"), "there is no encoder 'resnet'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(umml, tmp_path, arguments, sentence):
    (tmp_path / "a.png").write_bytes(b"x")
    done = umml("features", *arguments, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_encoders_are_listed(umml):
    listed = umml("features", "--list").stdout
    for name in ("efficientnet-lite0", "minilm", "tiny-aligned", "open_clip:NAME:WEIGHTS", "cnnf:PATH"):
        assert name in listed
