import csv
import json
import os
import subprocess

import numpy as np
import pytest
from running import SMALL, UMML

TINY = (
    "--preset", "small", "--set", "layer_widths=[16, 16, 8]", "--set", "batch_size=20",
    "--epochs", "2", "--bits", "16",
)  # fmt: skip


@pytest.fixture
def save(tmp_path):
    def write(arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return "data.npz"

    return write


def test_train_and_evaluate_on_a_file_of_ones_own(umml, save, arrays, tmp_path):
    trained = umml("train", save(arrays), *TINY, "--unpaired-images", 20, "--unpaired-text", 10)
    assert "image → text" in trained.stdout
    assert "40 of 40" in trained.stdout
    assert "28" in trained.stdout  # 20% of 40 lost their text, 10% their image
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    evaluated = umml("evaluate", folder)
    assert "image-to-text" in evaluated.stdout
    again = umml("train", "data.npz", *TINY, "--unpaired-images", 20, "--unpaired-text", 10)
    assert "complete already" in again.stdout


def test_the_same_seed_gives_the_same_codes(umml, save, arrays, tmp_path):
    file = save(arrays)
    for out in ("first", "second"):
        umml("train", file, *TINY, "--out", out, "--seed", 3)
    (first,), (second,) = (
        (path for path in (tmp_path / out).glob("*/codes.npz")) for out in ("first", "second")
    )
    with np.load(first) as one, np.load(second) as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("agah", ("--preset", "small", "--epochs", 3)),
        ("amsh", ()),
        ("mtfh", ("--epochs", 3)),
        ("cagan", ("--preset", "small", "--epochs", 3)),
        ("cfrh", ("--preset", "small")),
        ("dchmt", ("--preset", "small", "--epochs", 5)),
        ("dsph", ("--preset", "small", "--epochs", 5)),
        ("dcmh", ("--preset", "small", "--epochs", 10)),
        ("djsrh", ("--preset", "small", "--epochs", 5)),
        ("ucch", ("--preset", "small", "--epochs", 6)),
        ("jdsh", ("--preset", "small", "--epochs", 2)),
    ],
)
def test_the_other_methods_train_on_the_emoji(umml, tmp_path, method, options):
    trained = umml("train", "emoji", "--method", method, *options, "--bits", 16, "--unpaired-text", 20)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    result = json.loads((folder / "result.json").read_text())
    assert result["specification"]["method"] == method
    assert result["training_pairs"] == {"rows": 1200, "kept": 1200, "paired": 960}
    assert [json.loads(line)["epoch"] for line in (folder / "metrics.jsonl").read_text().splitlines()] == [
        *range(result["epochs"])
    ]
    with np.load(folder / "codes.npz", allow_pickle=False) as codes:
        assert codes["bits"] == 16
        for name, rows in (("query", 300), ("retrieval", 1576)):
            assert codes[f"{name}_image"].shape == codes[f"{name}_text"].shape == (rows, 1)
        assert len(np.unique(codes["retrieval_image"])) > 10  # no collapse
    for task, value in result["map"].items():
        assert value > 0.16, task  # untrained: about 0.14
        assert f"{value:.4f}" in trained.stdout
        assert f"{value:.4f}" in umml("evaluate", folder).stdout


def test_runs_and_report_find_what_train_wrote(umml, tmp_path):
    missing = umml("report", check=False)
    assert missing.returncode == 2
    assert "There are no runs in the current folder" in missing.stderr
    umml("train", "emoji", "--preset", "small", "--epochs", 1)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert folder.name[:8] in umml("runs", "list").stdout
    assert "paired · seed 0" in umml("runs", "show", folder.name[:6]).stdout
    umml("report")
    assert folder.name in (tmp_path / "runs" / "runs.csv").read_text()
    assert (
        "data:image/png" in (tmp_path / "runs" / "report.html").read_text()
    )  # retrievals of the built-in data
    (tmp_path / "umml-reproduce").mkdir()
    both = umml("report", check=False)
    assert both.returncode == 2
    assert "There are runs in umml-reproduce and in runs; name the folder" in both.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_stream_without_arrows_does_not_end_a_training_as_an_error(save, arrays, tmp_path, encoding):
    done = subprocess.run(
        [UMML, "train", save(arrays), *TINY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"image -> text" in done.stdout


def test_a_plan_without_data_says_what_would_be_run(umml, tmp_path):
    done = umml("reproduce", "table3", "figure8", "--plan", "--method", "DADH", "--bits", 32)
    assert "table3" in done.stdout
    assert "agah" not in done.stdout
    assert "--data mirflickr25k=PATH" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert umml("reproduce", "table3", check=False).returncode == 2


def test_an_alias_makes_the_same_run(umml, save, arrays, tmp_path):
    options = ("--epochs", 1, "--set", "batch_size=20", "--set", "graph_widths=[8]", "--set", "bits=16")
    for method in ("cagan", "AGAH-2023"):
        umml("train", save(arrays), "--method", method, *options)
    (path,) = tmp_path.glob("runs/*/result.json")
    assert json.loads(path.read_text())["specification"]["method"] == "cagan"


def test_a_batch_that_discarding_made_smaller_is_said(umml, save, arrays, tmp_path):
    done = umml("train", save(arrays), *TINY, "--discard", 80)
    assert (
        "Note: dadh on data, SD 80%: discarding leaves 8 training rows, fewer than a batch of 20"
        in done.stdout
    )
    assert "8, not 20" in done.stdout
    (path,) = tmp_path.glob("runs/*/result.json")
    assert json.loads(path.read_text())["training_pairs"]["batch"] == 8


def test_seeds_give_mean_and_interval(umml, tmp_path):
    umml("quickstart", "--out", "out", "--seeds", 2, "--set", "layer_widths=[8, 8, 8]", "--set", "epochs=1")
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").read_text().splitlines()))
    assert {row["seeds"] for row in rows} == {"2"}
    for row in rows:  # two seeds: Student's t with one degree of freedom
        assert float(row["map_half_width"]) == pytest.approx(12.706 * float(row["map_sd"]) / 2**0.5, abs=1e-5)


def test_methods_are_listed_and_described(umml):
    assert "dadh" in umml("methods").stdout
    assert "layer_widths" in umml("methods", "dadh").stdout


def change(**changes):
    return lambda arrays: {**arrays, **{name: make(arrays) for name, make in changes.items()}}


def without(*names):
    return lambda arrays: {key: value for key, value in arrays.items() if key not in names}


def with_nan(arrays):
    image = arrays["image"].copy()
    image[7, 3] = np.nan
    return image


def with_empty_row(arrays):
    labels = arrays["labels"].copy()
    labels[5] = 0
    return labels


@pytest.mark.parametrize(
    ("spoil", "arguments", "said"),
    [
        (without("text"), (), "text"),
        (
            without("labels", "label_names"),
            (),
            "dadh learns from labels, but data has none; choose a method that needs none",
        ),
        (without("labels", "label_names"), (), "add an array labels of zeros and ones"),
        (
            dict,
            ("--set", "batch_size=41"),
            "batch_size of dadh is 41, but data has only 40 training rows; make it",
        ),
        (change(text=lambda arrays: arrays["text"][:-1]), (), "59"),
        (change(image=with_nan), (), "row 7"),
        (change(labels=with_empty_row), (), "row 5"),
        (change(query=lambda _: np.arange(35, 45)), (), "query"),
        (change(query=lambda _: np.arange(0)), (), "query"),
        (change(train=lambda _: np.array([0, 1, 99])), (), "99"),
        (dict, ("--method", "dadhh"), "dadhh"),
        (dict, ("--preset", "huge"), "huge"),
        (dict, ("--unpaired-images", "130"), "unpaired_images"),
        (dict, ("--unpaired-images", "60", "--unpaired-text", "60"), "120%"),
        (dict, ("--discard", "100"), "nothing to train on"),
        (dict, ("--bits", "0"), "bits"),
        (dict, ("--bits", "1000"), "bits"),
        (dict, ("--set", "colour=blue"), "colour"),
        (dict, ("--set", "epochs"), "NAME=VALUE"),
        (dict, ("--device", "tpu"), "device"),
        (dict, ("--device", "cuda"), "cuda"),
        (dict, ("--precision", "float8"), "precision"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_written(umml, save, arrays, spoil, arguments, said, tmp_path):
    done = umml("train", save(spoil(arrays)), *TINY, *arguments, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not list(tmp_path.glob("runs/*/result.json"))


def test_a_file_that_is_not_there_or_is_cut_short(umml, save, arrays, tmp_path):
    assert "nowhere.npz" in umml("train", "nowhere.npz", check=False).stderr
    file = tmp_path / save(arrays)
    file.write_bytes(file.read_bytes()[:500])
    done = umml("train", "data.npz", check=False)
    assert done.returncode == 2
    assert "data.npz" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_that_cannot_be_is_one_sentence(umml, tmp_path):
    (tmp_path / "out").write_text("in the way")
    done = umml("quickstart", "--out", "out", *SMALL, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "out" in done.stderr


@pytest.fixture
def code_files(tmp_path):
    """Two queries and four items whose scores are easily worked out."""
    arrays = {
        "q": np.array([[1, 1, 1], [-1, -1, -1]]),
        "d": np.array([[1, 1, 1], [1, 1, -1], [1, -1, -1], [-1, -1, -1]]),
        "ql": np.array([[1, 0], [0, 1]]),
        "dl": np.array([[1, 0], [0, 1], [1, 0], [0, 1]]),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return (
        "--query-codes",
        "q.npy",
        "--database-codes",
        "d.npy",
        "--query-labels",
        "ql.npy",
        "--database-labels",
        "dl.npy",
    )


def test_codes_from_anywhere_are_scored(umml, code_files, tmp_path):
    # Relevant items at ranks 1 and 3 for both queries: AP = (1/1 + 2/3) / 2.
    printed = umml("evaluate", *code_files, "--out", "report.json").stdout
    assert "0.8333" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["tasks"]["retrieval"]["mean_average_precision"] == pytest.approx(5 / 6)
    cut = json.loads(umml("evaluate", *code_files, "--definition", "retrieved@2", "--format", "json").stdout)
    assert cut["tasks"]["retrieval"]["mean_average_precision"] == pytest.approx(1)
    assert "| retrieval | 3 | 0.8333 |" in umml("evaluate", *code_files, "--format", "markdown").stdout
    assert r"\toprule" in umml("evaluate", *code_files, "--format", "latex").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--definition", "map@5"), "map@5"),
        (("--query-codes", "none.npy"), "none.npy"),
        (("--query-labels", "dl.npy"), "query codes (2, 3) and labels (4, 2)"),
        (("--versus", "runs/x"), "--versus"),
    ],
)
def test_bad_evaluations_are_one_sentence(umml, code_files, arguments, said):
    done = umml("evaluate", *code_files, *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_half_a_question_is_answered_with_what_is_missing(umml, tmp_path):
    assert "--database-labels" in umml("evaluate", "--query-codes", "q.npy", check=False).stderr
    assert "codes.npz" in umml("evaluate", tmp_path, check=False).stderr
