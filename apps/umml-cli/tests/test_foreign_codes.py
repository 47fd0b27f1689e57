import h5py
import numpy as np
import pytest
from cmh_metrics import pack_codes
from umml_cli.errors import UserError
from umml_cli.inputs.foreign_codes import read_side, split_location


def test_a_key_follows_the_last_colon_unless_the_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_location("codes.mat:qB") == ("codes.mat", "qB")
    assert split_location("codes.npy") == ("codes.npy", None)
    (tmp_path / "codes:1").touch()
    assert split_location("codes:1") == ("codes:1", None)


@pytest.fixture
def hdf5(tmp_path):
    """Write codes and labels to one HDF5 file; returns where they are."""

    def write(codes, labels, *, matlab):
        with h5py.File(tmp_path / "codes.mat", "w") as file:
            file["qB"], file["qL"] = codes, labels
            for item in file.values() if matlab else ():
                item.attrs["MATLAB_class"] = np.bytes_("double")
        return f"{tmp_path}/codes.mat:qB", f"{tmp_path}/codes.mat:qL"

    return write


CODES, LABELS = np.sign(np.arange(12.0).reshape(4, 3) - 5), np.eye(4)[:, :2]


@pytest.mark.parametrize("matlab", [True, False])
def test_matrices_of_hdf5_are_turned_so_that_rows_agree(tmp_path, hdf5, matlab):
    codes, labels = hdf5(CODES.T, LABELS.T, matlab=matlab)
    np.save(tmp_path / "labels.npy", LABELS)
    turned = read_side("query", codes, f"{tmp_path}/labels.npy")
    assert np.array_equal(turned.codes, CODES)
    both = read_side("query", codes, labels)
    assert both.codes.shape == (4, 3)
    assert both.labels.shape == (4, 2)


def test_matrices_of_hdf5_that_lie_as_they_should_stay(hdf5):
    assert np.array_equal(read_side("query", *hdf5(CODES, LABELS, matlab=False)).codes, CODES)


@pytest.mark.parametrize("labels", [np.eye(4)[:, :3], np.eye(3, 4)])
def test_matlab_is_turned_where_shapes_alone_would_not_say(hdf5, labels):
    # as many bits as labels, or as many bits as items
    codes = CODES if labels.shape == (4, 3) else CODES[:3]
    turned = read_side("query", *hdf5(codes.T, labels.T, matlab=True))
    assert np.array_equal(turned.codes, codes)
    assert np.array_equal(turned.labels, labels)


def test_hdf5_of_nobody_knows_whom_is_refused_where_two_ways_fit(tmp_path, hdf5):
    with pytest.raises(
        UserError, match=r"codes \(4, 3\) and labels \(4, 3\) fit together in more than one way"
    ):
        read_side("query", *hdf5(CODES, np.eye(4)[:, :3], matlab=False))
    codes, _ = hdf5(np.eye(4), LABELS, matlab=False)
    np.save(tmp_path / "labels.npy", LABELS)
    with pytest.raises(UserError, match="save them as npy or npz, a row for each item"):
        read_side("query", codes, f"{tmp_path}/labels.npy")


def test_the_only_array_of_a_matlab_file_and_sparse_labels(tmp_path):
    with h5py.File(tmp_path / "codes.mat", "w") as file:
        file["B"] = np.eye(4) + np.eye(4, k=1)
        file["B"].attrs["MATLAB_class"] = np.bytes_("double")
    with h5py.File(tmp_path / "labels.mat", "w") as file:
        sparse = file.create_group("L")  # 4 x 4, ones on the diagonal
        sparse.attrs["MATLAB_class"], sparse.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(4)
        sparse["data"], sparse["ir"], sparse["jc"] = np.ones(4), np.arange(4), np.arange(5)
    turned = read_side("query", f"{tmp_path}/codes.mat", f"{tmp_path}/labels.mat")
    assert turned.codes[1, 0] == 1
    assert turned.codes[0, 1] == 0
    assert np.array_equal(turned.labels, np.eye(4))


def test_packed_codes_of_other_items_are_refused(tmp_path):
    pack_codes(CODES).save(tmp_path / "codes.npz")
    np.save(tmp_path / "labels.npy", LABELS[:3])
    with pytest.raises(
        UserError, match=r"codes \(4, 3\) and labels \(3, 2\) have no number of rows in common"
    ):
        read_side("query", str(tmp_path / "codes.npz"), str(tmp_path / "labels.npy"))


def test_codes_and_labels_of_other_items_are_refused(tmp_path):
    np.save(tmp_path / "codes.npy", np.ones((5, 3)))
    np.save(tmp_path / "labels.npy", np.ones((4, 2)))
    with pytest.raises(UserError, match=r"query codes \(5, 3\) and labels \(4, 2\) have no number of rows"):
        read_side("query", str(tmp_path / "codes.npy"), str(tmp_path / "labels.npy"))
    np.save(tmp_path / "labels.npy", np.ones(5))
    with pytest.raises(UserError, match="labels must be a matrix"):
        read_side("query", str(tmp_path / "codes.npy"), str(tmp_path / "labels.npy"))
