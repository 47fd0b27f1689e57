import h5py
import numpy as np
import pytest
from umml_cli.code_files import read_side, split_location
from umml_cli.commands.evaluate import parse_definition
from umml_cli.errors import UserError


def test_a_key_follows_the_last_colon_unless_the_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_location("codes.mat:qB") == ("codes.mat", "qB")
    assert split_location("codes.npy") == ("codes.npy", None)
    (tmp_path / "codes:1").touch()
    assert split_location("codes:1") == ("codes:1", None)


def test_matrices_of_matlab_73_are_turned_so_that_rows_agree(tmp_path):
    codes, labels = np.sign(np.arange(12.0).reshape(4, 3) - 5), np.eye(4)[:, :2]
    with h5py.File(tmp_path / "codes.mat", "w") as file:
        file["qB"], file["qL"] = codes.T, labels.T
    np.save(tmp_path / "labels.npy", labels)
    turned = read_side("query", f"{tmp_path}/codes.mat:qB", f"{tmp_path}/labels.npy")
    assert np.array_equal(turned.codes, codes)
    both = read_side("query", f"{tmp_path}/codes.mat:qB", f"{tmp_path}/codes.mat:qL")
    assert both.codes.shape == (4, 3)
    assert both.labels.shape == (4, 2)


def test_codes_and_labels_of_other_items_are_refused(tmp_path):
    np.save(tmp_path / "codes.npy", np.ones((5, 3)))
    np.save(tmp_path / "labels.npy", np.ones((4, 2)))
    with pytest.raises(UserError, match=r"query codes \(5, 3\) and labels \(4, 2\) have no number of rows"):
        read_side("query", str(tmp_path / "codes.npy"), str(tmp_path / "labels.npy"))
    np.save(tmp_path / "labels.npy", np.ones(5))
    with pytest.raises(UserError, match="labels must be a matrix"):
        read_side("query", str(tmp_path / "codes.npy"), str(tmp_path / "labels.npy"))


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("all", {"k": None}),
        ("retrieved@50", {"k": 50, "normalise": "retrieved"}),
        ("first-relevant@5", {"k": 5, "normalise": "first-relevant"}),
    ],
)
def test_definitions_by_name(text, arguments):
    assert parse_definition(text) == arguments


@pytest.mark.parametrize("text", ["", "map", "retrieved", "retrieved@0", "min@-1", "best@5"])
def test_unknown_definitions_are_refused(text):
    with pytest.raises(UserError, match="Unknown definition"):
        parse_definition(text)
