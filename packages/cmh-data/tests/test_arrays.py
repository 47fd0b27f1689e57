import h5py
import numpy as np
import pytest
import scipy.io
from cmh_data import DataError, read_array

CODES = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]])


def save_npy(path):
    with path.open("wb") as file:
        np.save(file, CODES)


def save_npz(path):
    with path.open("wb") as file:
        np.savez(file, codes=CODES)


def save_mat(path):
    scipy.io.savemat(path, {"codes": CODES}, appendmat=False)


def save_hdf5(path):
    with h5py.File(path, "w") as file:
        file["codes"] = CODES


@pytest.mark.parametrize("save", [save_npy, save_npz, save_mat, save_hdf5])
def test_the_only_array_is_read_whatever_the_file_is(tmp_path, save):
    path = tmp_path / "codes.bin"
    save(path)
    assert np.array_equal(read_array(path), CODES)


def test_one_of_several_is_read_by_its_name(tmp_path):
    path = tmp_path / "both.npz"
    np.savez(path, a=CODES, b=CODES[:1])
    assert read_array(path, "b").shape == (1, 3)
    with pytest.raises(DataError, match="several arrays; name one of a, b"):
        read_array(path)
    with pytest.raises(DataError, match=r"no array 'c'; it has a \(2, 3\) float64"):
        read_array(path, "c")


@pytest.mark.parametrize("content", [b"plain text\n", b""])
def test_a_file_without_arrays_is_said(tmp_path, content):
    path = tmp_path / "codes.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"codes\.npy"):
        read_array(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="is not found"):
        read_array(tmp_path / "none.npy")


def test_what_is_no_array_does_not_make_it_several(tmp_path):
    odd = np.array([np.eye(2), "x"], dtype=object)
    scipy.io.savemat(tmp_path / "codes.mat", {"codes": CODES, "odd": odd})
    assert np.array_equal(read_array(tmp_path / "codes.mat"), CODES)
    with pytest.raises(DataError, match="holds odd as a MATLAB cell array that holds more than texts"):
        read_array(tmp_path / "codes.mat", "odd")
