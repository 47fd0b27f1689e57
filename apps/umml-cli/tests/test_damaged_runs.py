"""A run folder that is not as it was written: one sentence, whatever was changed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from cmh_metrics import pack_codes
from pydantic import TypeAdapter, ValidationError
from umml_cli.errors import UserError
from umml_cli.report.gallery import look_up
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import RunFolder, RunResult


def codes():
    rng = np.random.default_rng(0)
    made = {}
    for side, n in (("query", 5), ("retrieval", 7)):
        for part in ("image", "text"):
            made[f"{side}_{part}"] = pack_codes(rng.normal(size=(n, 16)), code_values="signed")
            made[f"{side}_{part}_present"] = np.ones(n, bool)
        made[f"{side}_rows"] = np.arange(n)
        made[f"{side}_labels"] = rng.integers(2, size=(n, 3), dtype=np.uint8)
    return RunCodes(**made)


def precision():
    values = np.array([0.5, np.nan, 1.0])
    both = {"i2t": values, "t2i": values}
    return RunPrecision.of(both, both, np.ones((3, 2), dtype=np.uint8))


def stored(path):
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (codes, {"query_labels": np.ones((5, 4), np.uint8)}, "different numbers of labels"),
        (codes, {"query_labels": np.full((5, 3), 7, np.uint8)}, "more than 0 and 1"),
        (codes, {"query_rows": np.arange(5) - 1}, "negative rows"),
        (codes, {"query_rows": np.arange(5.0)}, "query_rows does not fit"),
        (codes, {"query_rows": np.arange(4)}, "does not fit the query rows"),
        (codes, {"retrieval_text": np.zeros((6, 1), np.uint64)}, "retrieval_text does not fit"),
        (codes, {"retrieval_text": np.zeros((7, 3), np.uint64)}, "words"),
        (codes, {"query_text_present": np.ones(5, np.int64)}, "query_text_present does not fit"),
        (codes, {"bits": np.int64(0)}, "bits must be"),
        (codes, {"bits": np.ones(2)}, "bits is not a whole number"),
        (codes, {"query_image": None}, "it lacks query_image"),
        (precision, {"last_i2t": np.array([0.5, np.nan, 1.5])}, "not between 0 and 1"),
        (precision, {"last_i2t": np.array([0.5, 0.5, 1.0])}, "values of i2t are missing"),
        (precision, {"last_i2t": np.ones((3, 1))}, "not one number a query"),
        (precision, {"query_labels": np.ones(3)}, "not a table of 0 and 1"),
    ],
)
def test_arrays_that_cannot_have_been_written_are_refused(tmp_path, make, changes, said):
    path = tmp_path / "run" / "file.npz"
    make().save(path)
    arrays = {**stored(path), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(UserError, match=f"file.npz is damaged: .*{said}.*Remove the folder"):
        type(make()).load(path)


@pytest.mark.parametrize("make", [codes, precision])
def test_bytes_that_changed_are_refused_or_read(tmp_path, make):
    path = tmp_path / "file.npz"
    make().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(150):
        content = bytearray(whole)
        for at in rng.integers(len(whole), size=int(rng.integers(1, 6))):
            content[at] = rng.integers(256)
        path.write_bytes(content[: int(rng.integers(1, len(whole)))] if rng.random() < 0.2 else content)
        try:
            type(make()).load(path)
        except UserError:
            continue


def test_what_was_saved_is_read_again(tmp_path):
    codes().save(tmp_path / "codes.npz")
    read = RunCodes.load(tmp_path / "codes.npz")
    assert np.array_equal(read.query_image.words, codes().query_image.words)
    precision().save(tmp_path / "precision.npz")
    assert np.array_equal(
        RunPrecision.load(tmp_path / "precision.npz").last_i2t, precision().last_i2t, equal_nan=True
    )


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", "{}", '{"epoch": -1, "seconds": 1}', '{"epoch": 0, "seconds": "1"}',
             '{"epoch": 0, "seconds": NaN}', '{"epoch": 0.5, "seconds": 1}', '{"epoch": 0, "seconds": 1, "x": [1]}',  # noqa: E501
             '{"epoch": 0, "seconds": 1, "x": 1e999}', "[" * 100_000]
)  # fmt: skip
def test_a_damaged_line_of_losses_is_named_but_the_last_may_be_cut(tmp_path, line):
    folder = RunFolder(tmp_path)
    good = json.dumps({"epoch": 0, "seconds": 0.5, "total": 1.0})
    folder.metrics.write_text(f"{good}\n{line}")
    assert folder.read_metrics() == [json.loads(good)]
    folder.metrics.write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(UserError, match=r"metrics.jsonl is damaged: line 2"):
        folder.read_metrics()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"map": 1}', "[" * 100_000, "\xff"])
def test_a_damaged_result_is_one_sentence(tmp_path, text):
    folder = RunFolder(tmp_path)
    for path, read in (
        (folder.result, folder.read_result),
        (folder.specification, folder.read_specification),
    ):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(UserError, match=path.name):
            read()


def test_codes_of_rows_that_the_data_lack_are_refused():
    five = SimpleNamespace(name="five", label=np.ones((5, 3)))
    with pytest.raises(UserError, match="name row 6, but the data have 5 rows"):
        look_up(five, codes())


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_time_that_is_none_is_refused(seconds):
    field = TypeAdapter(RunResult.model_fields["seconds"].annotation)
    assert field.validate_python({"training": 1.5}) == {"training": 1.5}
    with pytest.raises(ValidationError):
        field.validate_python({"training": seconds})
