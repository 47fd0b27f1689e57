import json

import cmh_data
import numpy as np
import pytest
from typer.testing import CliRunner
from umml_cli.commands.data import data
from umml_cli.errors import UserError

run = CliRunner()


def invoke(*arguments):
    return run.invoke(data, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def plain(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "small.npz"
    np.savez(
        path,
        image=rng.normal(size=(30, 4)).astype(np.float32),
        text=rng.integers(0, 2, (30, 5)),
        labels=np.eye(3, dtype=np.uint8)[np.arange(30) % 3],
        train=np.arange(20),
        query=np.arange(20, 30),
    )
    return path


def test_inspect_prints_a_table_or_json(plain):
    assert "split            train 20, query 10, retrieval 20" in invoke("inspect", plain).output
    report = json.loads(invoke("inspect", plain, "--json").output)
    assert report["rows"] == 30
    assert report["digest"] == cmh_data.load(plain).digest
    assert "the emoji data set of cmh-data" in invoke("inspect", "emoji").output


def test_inspect_draws_labels_that_occur_together(plain, tmp_path):
    invoke("inspect", plain, "--figure", tmp_path / "labels.png")
    assert (tmp_path / "labels.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"--figure must end in .png, .pdf or .svg"):
        invoke("inspect", plain, "--figure", tmp_path / "labels.gif")


def test_convert_keeps_the_digest(plain, tmp_path):
    target = tmp_path / "small.h5"
    assert "small, images 30 x 4" in invoke("convert", plain, target).output
    assert cmh_data.load(target).digest == cmh_data.load(plain).digest


def test_a_protocol_that_does_not_fit_says_why(plain, tmp_path):
    with pytest.raises(cmh_data.DataError, match="the protocol umml fits MIR-Flickr25K"):
        invoke("convert", plain, tmp_path / "x.h5", "--protocol", "umml")
    assert not (tmp_path / "x.h5").exists()


def test_build_from_ones_own_folder(tmp_path):
    rows = [
        {"image": f"{n}.jpg", "text": "red cat" if n % 2 else "red dog", "labels": ["cat", "dog"][n % 2 - 1]}
        for n in range(20)
    ]
    source = tmp_path / "photos"
    source.mkdir()
    (source / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    np.savez(tmp_path / "f.npz", ids=[row["image"] for row in rows], image=np.eye(20, dtype=np.float32))
    target = tmp_path / "photos.h5"
    arguments = ("build", "folder", "--from", source, "--out", target)
    invoke(*arguments, "--features", tmp_path / "f.npz", "--queries", 4, "--training", 10)
    dataset = cmh_data.load(target)
    assert (len(dataset), len(dataset.split.train), len(dataset.split.query)) == (20, 10, 4)
    with pytest.raises(UserError, match="Give one of --image-encoder NAME, --features FILE and --pix"):
        invoke(*arguments)
    with pytest.raises(UserError, match="There is no builder 'nonsense'; the builders are mirflickr25k"):
        invoke("build", "nonsense", "--from", source, "--out", target, "--pixels", 8)


def test_sample_is_shown_or_written(tmp_path):
    assert "1876 emoji, 615 words, 9 groups" in invoke("sample").output
    invoke("sample", tmp_path / "emoji.h5")
    assert cmh_data.load(tmp_path / "emoji.h5").digest == cmh_data.sample().digest


def test_what_is_suspicious_is_said(tmp_path):
    output = invoke("convert", "emoji", tmp_path / "emoji.h5").output
    assert "Note: 8 of 300 query rows have the same image as a training row." in output


def test_simulate(tmp_path):
    invoke("simulate", "mirflickr25k", "--rows", 50, "--width", 8, "--out", tmp_path / "s.h5")
    assert "SIMULATED" in invoke("inspect", tmp_path / "s.h5").output


def test_protocols_are_listed():
    output = invoke("protocols").output
    assert all(name in output for name in ("umml", "dadh-2020", "jdsh-random", "wikipedia"))


@pytest.mark.parametrize("link", [False, True])
def test_a_file_is_not_converted_onto_itself(plain, tmp_path, link):
    before, target = plain.read_bytes(), plain
    if link:
        target = tmp_path / "other.h5"
        target.symlink_to(plain)
    with pytest.raises(UserError, match="is the file that is read; give another name to write to"):
        invoke("convert", plain, target)
    assert plain.read_bytes() == before
