"""Data files that do not fit a method: the sentence names the methods that they do fit."""

import numpy as np
import pytest
from cmh_train import available_methods
from typer.testing import CliRunner
from umml_cli.errors import RunsFailed, UserError
from umml_cli.inputs.data_sources import open_data
from umml_cli.main import app
from umml_cli.runs import perform


def named(test):
    return ", ".join(name for name, spec in available_methods().items() if test(spec))


def save(path, *, n_image=40, n_text=40, labels=True):
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.normal(size=(n_image, 6)).astype(np.float32),
        "text": rng.normal(size=(n_text, 5)).astype(np.float32),
    }
    if labels:
        arrays["labels"] = np.eye(4, dtype=np.uint8)[np.arange(n_image) % 4]
    if path.suffix == ".npz":
        np.savez(path, **arrays, train=np.arange(20), query=np.arange(20, 30))
    else:
        import h5py

        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file[key] = values
    return path


def refusal(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert isinstance(done.exception, UserError), done.output
    return str(done.exception)


@pytest.mark.parametrize("name", ["some.npz", "some.h5"])
@pytest.mark.parametrize("labels", [True, False])
def test_unequal_numbers_of_images_and_texts_name_the_methods_that_need_no_pairs(tmp_path, name, labels):
    path = save(tmp_path / name, n_text=33, labels=labels)
    said = refusal("train", path, "--method", "dadh", "--out", tmp_path / "runs")
    assert said.startswith(
        f"{path} holds different numbers of images and texts, image (40, 6) float32 and text (33, 5)"
    )
    assert f"methods that need no pairs ({named(lambda spec: not spec.needs_pairs)})" in said
    assert "amsh" in said
    assert not (tmp_path / "runs").exists()
    assert refusal("reproduce", "table3", "--data", f"mine={path}", "--out", tmp_path / "out") == said


def test_what_the_sentence_says_can_be_done(tmp_path):
    """Every image and every text in a row of its own: AMSH trains on 20 images and 13 texts."""
    rng = np.random.default_rng(0)
    is_image = np.arange(63) < 30
    path = tmp_path / "own-rows.npz"
    np.savez(
        path,
        image=rng.normal(size=(63, 6)).astype(np.float32) * is_image[:, None],
        text=rng.normal(size=(63, 5)).astype(np.float32) * ~is_image[:, None],
        labels=np.eye(3, dtype=np.uint8)[np.arange(63) % 3],
        image_present=is_image,
        text_present=~is_image,
        train=np.r_[0:20, 30:43],
        query=np.r_[20:30, 43:63],
    )
    done = CliRunner().invoke(
        app,
        ["train", str(path), "--method", "amsh", "--bits", "8", "--epochs", "1", "--set", "anchors=10",
         "--out", str(tmp_path / "runs")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output or done.exception
    assert "image → text" in done.output


def test_data_without_labels_name_the_methods_that_need_none(tmp_path):
    path = save(tmp_path / "some.npz", labels=False)
    unsupervised = named(lambda spec: not spec.supervised)
    said = refusal("train", path, "--method", "DADH", "--out", tmp_path / "runs")
    assert said.startswith("dadh learns from labels, but some has none")
    assert f"--method {unsupervised}" in said
    said = refusal("reproduce", "table3", "--data", f"mine={path}", "--out", tmp_path / "out")
    assert "has images and texts but no labels" in said
    assert f"a method that needs none ({unsupervised})" in said


def test_files_with_other_faults_keep_their_own_sentence(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, image=np.ones((40, 6)), labels=np.eye(40, dtype=np.uint8))
    with pytest.raises(Exception, match="text"):
        open_data(str(path))
    with pytest.raises(Exception, match=r"no.*such|not found|There is no"):
        open_data(str(tmp_path / "absent.npz"))


@pytest.fixture
def huge(tmp_path):
    """Features that float32 holds, but not their squares, and those of a usual size."""
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.normal(size=(60, 8)).astype(np.float32),
        "text": rng.normal(size=(60, 6)),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(60) % 3],
        "train": np.arange(40),
        "query": np.arange(50, 60),
    }
    np.savez(tmp_path / "usual.npz", **arrays)
    np.savez(
        tmp_path / "huge.npz", **arrays | {"image": arrays["image"] * 1e20, "text": arrays["text"] * 1e300}
    )
    return tmp_path


def train_amsh(folder, name):
    options = ["--method", "amsh", "--epochs", "1", "--bits", "16", "--out", str(folder / "runs")]
    return CliRunner().invoke(app, ["train", str(folder / name), *options])


def test_what_torch_gives_up_on_is_one_sentence(huge, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("CUDA out of memory.\nSee the documentation")

    monkeypatch.setattr(perform, "perform", broken)
    error = train_amsh(huge, "usual.npz").exception
    assert isinstance(error, RunsFailed)
    assert str(error).startswith("1 of 1 runs failed: amsh (encoded database) · usual · paired · seed 0: ")
    assert "RuntimeError: CUDA out of memory; what is complete is kept" in str(error)


def test_outputs_without_a_sign_are_no_codes(huge):
    assert train_amsh(huge, "usual.npz").exit_code == 0
    same = refusal("encode", huge / "runs", huge / "usual.npz", "--out", huge / "usual.npz")
    assert same == f"{huge / 'usual.npz'} is the file that is read; give another name to write to."
    for command in (["encode", "--out", str(huge / "codes.h5")], ["index"]):
        said = refusal(command[0], huge / "runs", huge / "huge.npz", *command[1:])
        assert "The model gives NaN for the text of row 0 of huge, and that is no code" in said
    assert not (huge / "codes.h5").exists()
