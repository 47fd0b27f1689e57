import cmh_data
import numpy as np
import pytest
import typer
from cmh_unpair import UnpairingPlan, plan_unpairing
from typer.testing import CliRunner
from umml_cli.commands.unpair import unpair
from umml_cli.errors import UserError
from umml_cli.report.plan_figure import strip_figure

app = typer.Typer()
app.command()(unpair)
run = CliRunner()


def invoke(*arguments):
    return run.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False).output


@pytest.fixture
def plain(tmp_path):
    rng = np.random.default_rng(0)
    dataset = cmh_data.PairedDataset(
        image=rng.normal(size=(150, 4)).astype(np.float32),
        text=np.ones((150, 5), dtype=np.uint8),
        label=np.eye(3, dtype=np.uint8)[np.arange(150) % 3],
        split=cmh_data.Split(train=np.arange(100), query=np.arange(100, 150), retrieval=np.arange(100)),
        label_names=("cat", "dog", "owl"),
    )
    path = tmp_path / "small.h5"
    cmh_data.save(dataset, path)
    return path


def test_the_training_rows_of_the_file_are_unpaired(plain, tmp_path):
    target, record = tmp_path / "out.h5", tmp_path / "plan.json"
    output = invoke(plain, target, "--unpaired-images", 20, "--unpaired-text", 10, "--plan-out", record)
    assert "true pairs                70    70.00%" in output
    assert "text: 20 of 150 items emptied" in output
    assert "image: 10 of 150 items emptied" in output
    dataset = cmh_data.load(target)
    text, image = np.asarray(dataset.text[:]), np.asarray(dataset.image[:])
    np.testing.assert_array_equal(np.flatnonzero(text.sum(axis=1) == 0), np.arange(20))
    np.testing.assert_array_equal(np.flatnonzero(np.abs(image).sum(axis=1) == 0), np.arange(90, 100))
    assert dataset.digest != cmh_data.load(plain).digest
    again = tmp_path / "again.h5"
    invoke(plain, again, "--plan", record)
    assert cmh_data.load(again).digest == dataset.digest
    assert UnpairingPlan.from_json(record.read_text()) == plan_unpairing(
        100, unpaired_images=20, unpaired_text=10
    )


def test_a_dry_run_counts_per_class_and_writes_nothing(plain, tmp_path):
    before = sorted(tmp_path.iterdir())
    output = invoke(plain, "--unpaired-images", 50, "--dry-run")
    lines = [line.split() for line in output.splitlines()]
    assert [words for words in lines if words and words[0] in {"label", "cat", "dog", "owl"}] == [
        ["label", "true", "pair", "image", "only", "all"],
        ["cat", "17", "17", "34"],
        ["dog", "16", "17", "33"],
        ["owl", "17", "16", "33"],
    ]
    assert "Nothing was written" in output
    assert sorted(tmp_path.iterdir()) == before


def test_the_picture_shows_what_every_row_keeps(plain, tmp_path):
    picture = tmp_path / "strip.png"
    invoke(plain, "--unpaired-images", 20, "--discard", 10, "--dry-run", "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    figure = strip_figure(plan_unpairing(250, unpaired_images=20, unpaired_text=20))
    (image,) = figure.axes[0].images
    cells = image.get_array()
    assert cells.shape == (3, 100)
    np.testing.assert_array_equal(cells[0], [1] * 20 + [0] * 60 + [2] * 20)
    assert cells.mask.sum() == 50
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "true pair",
        "image only",
        "text only",
    ]


def test_the_published_rows(plain):
    assert "as published in 2022" in invoke(plain, "--unpaired-images", 50, "--published", "--dry-run")
    with pytest.raises(UserError, match="--published takes"):
        invoke(plain, "--discard", 50, "--published", "--dry-run")


def test_a_file_without_a_split_needs_its_training_rows(tmp_path):
    import h5py

    path = tmp_path / "iall.mat"
    with h5py.File(path, "w") as file:
        file["IAll"] = np.ones((60, 3, 4, 4), dtype=np.uint8)
    with pytest.raises(UserError, match="give --train FROM:TO"):
        invoke(path, "--unpaired-text", 20, "--dry-run")
    invoke(path, tmp_path / "out.mat", "--unpaired-text", 20, "--train", "10:60", "--block", 0)
    with h5py.File(tmp_path / "out.mat") as file:
        blank = np.flatnonzero(file["IAll"][:].sum(axis=(1, 2, 3)) == 0)
    np.testing.assert_array_equal(blank, np.arange(10, 20))


def test_an_existing_target_is_kept_unless_asked(plain, tmp_path):
    target = tmp_path / "out.h5"
    target.write_bytes(b"old")
    with pytest.raises(UserError, match=r"out\.h5 exists; choose another name or pass --overwrite"):
        invoke(plain, target, "--unpaired-images", 20)
    assert target.read_bytes() == b"old"
    invoke(plain, target, "--unpaired-images", 20, "--overwrite")
    assert len(cmh_data.load(target)) == 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unpaired-images", 20], "Name the file to write"),
        (["--dry-run", "--train", "5"], "--train takes FROM:TO"),
        (["--dry-run", "--train", "0:200"], "--train 0:200 leaves the 150 rows"),
        (["--dry-run", "--train", "0:20", "--protocol", "umml"], "Give either --train or --protocol"),
        (["--dry-run", "--unpaired-images", 120], "must be a percentage from 0 to 100, but it is 120"),
        (["--dry-run", "--select", "random", "--unpaired-images", 20], "seed must be a number"),
    ],
)
def test_bad_input_is_refused_with_the_cure(plain, arguments, message):
    with pytest.raises((UserError, ValueError), match=message):
        invoke(plain, *arguments)
