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
    assert "text: 20 of 150 items removed" in output
    assert "image: 10 of 150 items removed" in output
    dataset = cmh_data.load(target)
    text, image = np.asarray(dataset.text[:]), np.asarray(dataset.image[:])
    np.testing.assert_array_equal(np.flatnonzero(text.sum(axis=1) == 0), np.arange(20))
    np.testing.assert_array_equal(np.flatnonzero(np.abs(image).sum(axis=1) == 0), np.arange(90, 100))
    assert dataset.digest != cmh_data.load(plain).digest
    again = tmp_path / "again.h5"
    invoke(plain, again, "--plan-file", record)
    assert cmh_data.load(again).digest == dataset.digest
    assert UnpairingPlan.from_json(record.read_text()) == plan_unpairing(
        100, unpaired_images=20, unpaired_text=10
    )


@pytest.mark.parametrize(
    "given",
    [
        ("--unpaired-images", 40), ("--unpaired-text", 40), ("--discard", 20), ("--block", 0),
        ("--published",), ("--select", "random"), ("--seed", 0), ("--scores", "scores.csv"),
    ],
)  # fmt: skip
def test_a_plan_says_alone_which_rows_lose_something(plain, tmp_path, given):
    record = tmp_path / "plan.json"
    record.write_text(plan_unpairing(100, unpaired_images=20).to_json())
    with pytest.raises(UserError, match=f"{given[0]} does not go with --plan-file"):
        invoke(plain, tmp_path / "out.h5", "--plan-file", record, *given)
    assert not (tmp_path / "out.h5").exists()


def test_queries_that_lose_something_are_said(plain, tmp_path):
    shares = ("--unpaired-images", 10, "--unpaired-text", 10, "--block", 0)
    said = " ".join(invoke(plain, tmp_path / "a.h5", *shares, "--train", "50:150").split())
    assert "10 of the rows that lose their image or text are query rows of the file" in said
    assert "query rows" not in invoke(plain, tmp_path / "b.h5", *shares, "--train", "0:100")


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
    invoke(plain, "--unpaired-images", 20, "--discard", 10, "--dry-run", "--figure", picture)
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


def test_shuffled_rows_are_drawn_as_shuffled():
    figure = strip_figure(plan_unpairing(100, unpaired_images=20, shuffle=30, discard=10, seed=0))
    (image,) = figure.axes[0].images
    np.testing.assert_array_equal(image.get_array()[0], [5] * 10 + [1] * 20 + [4] * 30 + [0] * 40)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["true pair", "image only", "text shuffled", "dropped"]


def test_a_plan_with_shuffled_rows_is_drawn_but_not_written(plain, tmp_path):
    record = tmp_path / "plan.json"
    record.write_text(plan_unpairing(100, shuffle=30, seed=0).to_json())
    output = invoke(plain, "--plan-file", record, "--dry-run", "--figure", tmp_path / "a.png")
    assert "text shuffled             30    30.00%" in output
    with pytest.raises(ValueError, match="plan must be one without shuffled rows"):
        invoke(plain, tmp_path / "out.h5", "--plan-file", record)
    assert not (tmp_path / "out.h5").exists()


def write(path, **arrays):
    import h5py

    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[key] = array
    return path


def coco(path, text="COCO_BoW"):
    features = np.arange(1.0, 241.0).reshape(60, 4)
    return write(path, XAll=features, LAll=np.eye(3)[np.arange(60) % 3], **{text: np.ones((60, 6), np.uint8)})


def read(path, key):
    import h5py

    with h5py.File(path) as file:
        return file[key][()]


def test_the_names_of_cmh_data_are_the_names_of_unpairing(tmp_path):
    output = invoke(
        coco(tmp_path / "coco.h5"),
        tmp_path / "out.h5",
        "--unpaired-images",
        20,
        "--train",
        "0:50",
        "--block",
        0,
    )
    assert "COCO_BoW: 10 of 60 items removed" in output
    np.testing.assert_array_equal(read(tmp_path / "out.h5", "COCO_BoW")[:, 0], np.arange(60) >= 10)


def test_a_plan_that_would_empty_no_text_fails_and_the_key_option_helps(tmp_path):
    source = coco(tmp_path / "own.h5", text="annotations")
    arguments = (source, tmp_path / "out.h5", "--unpaired-images", 20, "--train", "0:50", "--block", 0)
    with pytest.raises(ValueError, match=r"text_key must name the text array .* annotations \(60, 6\)"):
        invoke(*arguments)
    with pytest.raises(ValueError, match="plan must empty something in this file"):
        invoke(*arguments, "--text-key", "")
    assert not (tmp_path / "out.h5").exists()
    assert "annotations: 10 of 60 items removed" in invoke(*arguments, "--text-key", "annotations")
    assert read(tmp_path / "out.h5", "annotations").sum() == 50 * 6


def test_the_axis_of_a_square_array_is_an_option(tmp_path):
    source = write(tmp_path / "square.h5", YAll=np.ones((60, 60)))
    arguments = (source, tmp_path / "out.h5", "--unpaired-images", 20, "--train", "0:50", "--block", 0)
    with pytest.raises(ValueError, match="has 60 on several axes"):
        invoke(*arguments)
    invoke(*arguments, "--item-axis", "YAll=1")
    np.testing.assert_array_equal(read(tmp_path / "out.h5", "YAll")[0], np.arange(60) >= 10)
    with pytest.raises(UserError, match="--item-axis takes KEY=AXIS"):
        invoke(*arguments, "--item-axis", "YAll", "--overwrite")


def test_a_file_that_reaches_out_is_refused_with_training_rows_too(tmp_path):
    import h5py

    source = coco(tmp_path / "coco.h5")
    with h5py.File(source, "r+") as file:
        file["more"] = h5py.ExternalLink("other.h5", "/more")
    with pytest.raises(cmh_data.DataError, match="holds an external link at /more"):
        invoke(source, tmp_path / "out.h5", "--unpaired-images", 20, "--train", "0:50")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco.h5"]


def test_training_rows_that_are_ranked_too(plain, tmp_path):
    arguments = ("--unpaired-images", 20, "--unpaired-text", 10)
    output = invoke(plain, tmp_path / "a.h5", *arguments)
    assert "20 texts and 10 images of training rows that are also in the retrieval set are removed" in output
    with pytest.raises(UserError, match="30 of the training rows that lose something are in"):
        invoke(plain, tmp_path / "b.h5", *arguments, "--ranked", "refuse")
    assert not (tmp_path / "b.h5").exists()
    output = invoke(plain, tmp_path / "c.h5", *arguments, "--ranked", "keep")
    assert "text: 0 of 150 items removed" in output
    assert "Warning" not in output
    for key in ("text", "image", "labels"):
        np.testing.assert_array_equal(read(tmp_path / "c.h5", key), read(plain, key))
    np.testing.assert_array_equal(np.flatnonzero(read(tmp_path / "c.h5", "text_present") == 0), np.arange(20))
    source = write(tmp_path / "iall.h5", IAll=np.ones((60, 3, 4, 4), np.uint8))
    with pytest.raises(UserError, match="--ranked keep needs to know the retrieval set"):
        invoke(source, "--dry-run", "--unpaired-text", 20, "--train", "0:50", "--ranked", "keep")


def test_npz_and_the_plan_is_shown_after_the_check(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"image": rng.random((60, 4)), "text": np.ones((60, 5)), "labels": np.eye(3)[np.arange(60) % 3]}
    np.savez(tmp_path / "a.npz", **arrays, train=np.arange(40), query=np.arange(40, 60))
    output = invoke(tmp_path / "a.npz", tmp_path / "b.npz", "--unpaired-images", 20, "--block", 0)
    assert output.index("true pairs") < output.index("text: 8 of 60 items removed")
    with np.load(tmp_path / "b.npz") as found:
        np.testing.assert_array_equal(found["text"][:, 0], np.arange(60) >= 8)
    np.save(tmp_path / "one.npy", arrays["text"])
    result = run.invoke(
        app, [str(tmp_path / "one.npy"), "--dry-run", "--unpaired-images", "20", "--train", "0:40"]
    )
    assert "true pairs" not in result.output
    assert "must be an HDF5, MATLAB 5, MATLAB 7.3 or npz file" in str(result.exception)


def test_label_names_in_brackets_are_shown(tmp_path):
    arrays = {"image": np.eye(60), "text": np.ones((60, 5)), "labels": np.eye(2)[np.arange(60) % 2]}
    names = np.array(["[red]", "b"])
    np.savez(tmp_path / "a.npz", **arrays, train=np.arange(40), query=np.arange(40, 60), label_names=names)
    assert "[red]" in invoke(
        tmp_path / "a.npz", "--unpaired-images", 20, "--dry-run", "--item-axis", "image=0"
    )
