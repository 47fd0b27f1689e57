"""A file of every layout of the field is unpaired by cmh-unpair and read again by cmh-data."""

import shutil

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_unpair import plan_unpairing, unpair_file


def make_arrays(rows, n_label, n_word):
    rng = np.random.default_rng(0)
    return {
        "pixels": rng.integers(1, 256, (rows, 3, 2, 3), dtype=np.uint8),
        "features": rng.integers(1, 100, (rows, 4)) / 8,
        "words": np.eye(n_word, dtype=np.uint8)[rng.integers(0, n_word, rows)],
        "labels": np.eye(n_label, dtype=np.uint8)[rng.integers(0, n_label, rows)],
    }


def matlab5(path, **arrays):
    scipy.io.savemat(path, arrays)


def matlab73(path, **arrays):
    """As MATLAB writes: a block of 512 bytes in front, every axis order reversed, chunks and gzip."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array.T, compression="gzip", compression_opts=1)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def python_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def triple(prefix, texts=matlab5):
    def write(folder, data):
        matlab73(folder / f"{prefix}-iall.mat", IAll=data["pixels"].T)
        texts(folder / f"{prefix}-yall.mat", YAll=data["words"])
        matlab5(folder / f"{prefix}-lall.mat", LAll=data["labels"])

    return write


def features_and_sparse_words(folder, data):
    matlab5(folder / "mirflickr25k-iall-vgg.mat", XAll=data["features"])
    matlab5(folder / "mirflickr25k-yall.mat", YAll=scipy.sparse.csc_array(data["words"].astype(float)))
    matlab5(folder / "mirflickr25k-lall.mat", LAll=data["labels"])


def merged_by_matlab(folder, data):
    matlab73(folder / "FLICKR-25K.mat", images=data["pixels"].T, YAll=data["words"], LAll=data["labels"])


def merged_by_python(folder, data):
    python_hdf5(folder / "FLICKR-25K.mat", images=data["pixels"], YAll=data["words"], LAll=data["labels"])


def sparse_words_in_matlab73(folder, data):
    matlab73(folder / "FLICKR-25K.mat", images=data["pixels"].T, LAll=data["labels"])
    words = scipy.sparse.csc_array(data["words"].astype(float))
    with h5py.File(folder / "FLICKR-25K.mat", "r+") as file:
        group = file.create_group("YAll")
        group.attrs["MATLAB_sparse"] = np.uint64(len(data["words"]))
        group["data"], group["jc"] = words.data, words.indptr.astype(np.uint64)
        group["ir"] = words.indices.astype(np.uint64)


def dadh_mirflickr(folder, data):
    matlab5(folder / "FLICKR-25K.mat", images=data["features"], YAll=data["words"], LAll=data["labels"])


def dadh_nus_wide(folder, data):
    matlab5(folder / "NUS-WIDE-TC21.mat", image=data["features"], text=data["words"], label=data["labels"])


def ucch_hdf5(folder, data):
    python_hdf5(folder / "data.h5py", XAll=data["features"], YAll=data["words"], LAll=data["labels"])


WITHOUT_SPLIT = {
    "DCMH, three files": triple("mirflickr25k"),
    "UCCH, features and sparse words": features_and_sparse_words,
    "DCMH, one file by MATLAB": merged_by_matlab,
    "AGAH, one file by Python": merged_by_python,
    "sparse words in MATLAB 7.3": sparse_words_in_matlab73,
    "DADH, MIR-Flickr": dadh_mirflickr,
    "DADH, NUS-WIDE": dadh_nus_wide,
    "UCCH, HDF5": ucch_hdf5,
    "JDSH, NUS-WIDE TC10": triple("nus-wide-tc10", texts=matlab73),
}


@pytest.fixture(scope="module")
def wikipedia_sized():
    """The least sizes for which cmh-data knows a protocol; the names of the files say nothing to it."""
    return make_arrays(2866, 10, 20)


@pytest.mark.parametrize("write", WITHOUT_SPLIT.values(), ids=WITHOUT_SPLIT)
def test_files_without_a_split(tmp_path, write, wikipedia_sized):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    write(source, wikipedia_sized)
    before = cmh_data.load(source, protocol="wikipedia")
    plan = plan_unpairing(len(before.split.train), unpaired_images=20, unpaired_text=30)
    removed = {}
    for path in source.iterdir():
        if path.name.endswith("-lall.mat"):
            shutil.copy(path, target)
            continue
        report = unpair_file(path, target / path.name, plan, rows=before.split.train)
        removed |= {array.role: array.emptied for array in report.arrays}
    assert removed == {"image": plan.counts.without_image, "text": plan.counts.without_text}
    after = cmh_data.load(target, protocol="wikipedia")
    assert_unpaired(before, after, plan)
    assert cmh_data.inspect(target).parts["text"].missing_rows == plan.counts.without_text


def wikipedia(folder, data):
    split = {"I": data["features"], "T": data["words"].astype(float), "L": data["labels"]}
    arrays = {f"{key}_{side}": values[rows] for key, values in split.items() for side, rows in SIDES.items()}
    matlab5(folder / "wikiData.mat", **arrays)
    return {"wikiData.mat": {"image_key": "I_tr", "text_key": "T_tr"}}


def uci_digits(folder, data):
    asked = wikipedia(folder, data)
    matlab5(
        folder / "uci_all.mat",
        **{key: values for key, values in scipy.io.loadmat(folder / "wikiData.mat").items() if key[0] != "_"},
        P_tr=data["words"][SIDES["tr"]],
        P_te=data["words"][SIDES["te"]],
    )
    (folder / "wikiData.mat").unlink()
    return {"uci_all.mat": asked["wikiData.mat"]}


def pascal_sentence(folder, data):
    classes = data["labels"].argmax(axis=1)[:, None]
    for part, values in (("img", data["features"]), ("txt", data["words"] * 1.5), ("img_lab", classes)):
        for side, name in (("tr", "train"), ("te", "test")):
            matlab5(folder / f"{name}_{part}.mat", **{f"{name}_{part}": values[SIDES[side]]})
    return {"train_img.mat": {"image_key": "train_img"}, "train_txt.mat": {"text_key": "train_txt"}}


def iapr_tc12(folder, data):
    matlab5(
        folder / "iapr-tc12-rand.mat",
        VDatabase=data["features"][SIDES["tr"]],
        YDatabase=data["words"][SIDES["tr"]],
        databaseL=data["labels"][SIDES["tr"]],
        VTest=data["features"][SIDES["te"]],
        YTest=data["words"][SIDES["te"]],
        testL=data["labels"][SIDES["te"]],
    )
    return {"iapr-tc12-rand.mat": {"image_key": "VDatabase", "text_key": "YDatabase"}}


SIDES = {"tr": slice(0, 80), "te": slice(80, 110)}


@pytest.mark.parametrize("write", [wikipedia, uci_digits, pascal_sentence, iapr_tc12])
def test_files_whose_training_rows_are_arrays_of_their_own(tmp_path, write):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    asked = write(source, make_arrays(110, 5, 6))
    shutil.copytree(source, target)
    before = cmh_data.load(source)
    plan = plan_unpairing(80, unpaired_images=20, unpaired_text=30)
    for name, keys in asked.items():
        unpair_file(source / name, target / name, plan, overwrite=True, **keys)
    assert_unpaired(before, cmh_data.load(target), plan)


def test_the_own_format_of_cmh_data(tmp_path):
    before = cmh_data.sample()
    cmh_data.save(before, tmp_path / "in.h5")
    plan = plan_unpairing(len(before.split.train), unpaired_images=20, unpaired_text=30)
    unpair_file(tmp_path / "in.h5", tmp_path / "out.h5", plan, rows=before.split.train)
    after = cmh_data.load(tmp_path / "out.h5")
    assert_unpaired(before, after, plan)
    assert after.label_names == before.label_names


def test_the_split_of_a_coco_file_stays(tmp_path):
    data = make_arrays(60, 5, 6)
    matlab73(tmp_path / "COCO.mat", IAll=data["pixels"].T, LAll=data["labels"])
    query = np.arange(1.0, 11.0)
    with h5py.File(tmp_path / "COCO.mat", "r+") as file:
        file["param/indexQuery"], file["param/indexDatabase"] = query[None], np.arange(11.0, 61.0)[None]
    unpair_file(
        tmp_path / "COCO.mat", tmp_path / "out.mat", plan_unpairing(50, unpaired_text=20), rows=range(10, 60)
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out.mat").rename(tmp_path / "out" / "COCO.mat")
    np.save(tmp_path / "out" / "COCO_BoW.npy", data["words"])
    report = cmh_data.inspect(tmp_path / "out")
    assert report.rows == 60
    with h5py.File(tmp_path / "out" / "COCO.mat") as file:
        np.testing.assert_array_equal(file["param/indexQuery"][0], query)
        blank = np.flatnonzero(file["IAll"][:].sum(axis=(1, 2, 3)) == 0)
    np.testing.assert_array_equal(blank, np.arange(10, 20))


def assert_unpaired(before, after, plan):
    """Only the items that the plan names are empty, everything else is as it was."""
    train = before.split.train
    for name, present in (("image", plan.image_present), ("text", plan.text_present)):
        expected = np.array(getattr(before, name)[:])
        expected[train[~present]] = 0
        np.testing.assert_array_equal(np.asarray(getattr(after, name)[:]), expected)
    np.testing.assert_array_equal(after.label, before.label)
    for rows in ("train", "query", "retrieval"):
        np.testing.assert_array_equal(getattr(after.split, rows), getattr(before.split, rows))
