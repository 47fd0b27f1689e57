"""One file of every layout: real ones where the shared data has them, miniatures otherwise."""

from __future__ import annotations

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_data._layouts.options import ReadOptions
from cmh_data._layouts.read import read_raw

N = 12


@pytest.fixture
def truth():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, (N, 4)).astype(np.uint8)
    labels[:, 0] |= ~labels.any(axis=1)
    return {
        "pixels": rng.integers(0, 256, (N, 3, 5, 7), dtype=np.uint8),  # height 5, width 7
        "features": rng.normal(size=(N, 16)),
        "words": rng.integers(0, 2, (N, 10)).astype(np.uint8),
        "labels": labels,
        "classes": np.arange(N) % 3,
    }


def matlab73(path, arrays):
    """What MATLAB writes: a 512-byte block before the HDF5 signature, every axis order reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = np.asarray(array).transpose()
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def python_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def matlab_pixels(pixels):
    """MATLAB keeps pixels as height x width x colour x row."""
    return pixels.transpose(2, 3, 1, 0)


def dcmh_triple(folder, truth):
    matlab73(folder / "mirflickr25k-iall.mat", {"IAll": matlab_pixels(truth["pixels"])})
    scipy.io.savemat(folder / "mirflickr25k-yall.mat", {"YAll": truth["words"].astype(np.int64)})
    scipy.io.savemat(folder / "mirflickr25k-lall.mat", {"LAll": truth["labels"].astype(float)})
    return folder, "pixels"


def tc10_triple(folder, truth):
    matlab73(folder / "nus-wide-tc10-iall.mat", {"IAll": matlab_pixels(truth["pixels"])})
    matlab73(folder / "nus-wide-tc10-yall.mat", {"YAll": truth["words"]})
    scipy.io.savemat(folder / "nus-wide-tc10-lall.mat", {"LAll": truth["labels"]}, do_compression=True)
    return folder, "pixels"


def vgg_features(folder, truth):
    scipy.io.savemat(folder / "mirflickr25k-iall-vgg.mat", {"XAll": truth["features"]})
    scipy.io.savemat(
        folder / "mirflickr25k-yall.mat", {"YAll": scipy.sparse.csc_array(truth["words"].astype(float))}
    )
    scipy.io.savemat(folder / "mirflickr25k-lall.mat", {"LAll": truth["labels"]})
    return folder, "features"


def merged_by_matlab(folder, truth):
    arrays = {"images": matlab_pixels(truth["pixels"]), "YAll": truth["words"], "LAll": truth["labels"]}
    return matlab73(folder / "FLICKR-25K.mat", arrays), "pixels"


def merged_by_python(folder, truth):
    arrays = {"images": truth["pixels"].swapaxes(2, 3), "YAll": truth["words"], "LAll": truth["labels"]}
    return python_hdf5(folder / "FLICKR-25K.mat", arrays), "pixels"


def dadh_flickr(folder, truth):
    path = folder / "FLICKR-25K.mat"
    scipy.io.savemat(path, {"images": truth["features"], "YAll": truth["words"], "LAll": truth["labels"]})
    return path, "features"


def dadh_nus(folder, truth):
    path = folder / "NUS-WIDE-TC21.mat"
    scipy.io.savemat(path, {"image": truth["features"], "text": truth["words"], "label": truth["labels"]})
    return path, "features"


def coco_bow(folder, truth):
    with h5py.File(folder / "COCO.mat", "w", userblock_size=512) as file:
        file["IAll"] = truth["pixels"].swapaxes(2, 3)
        file["LAll"] = truth["labels"].T
        file["param/indexQuery"] = np.array([[2.0, 4.0]])
        file["param/indexDatabase"] = np.array([[row + 1.0 for row in range(N) if row not in {1, 3}]])
    np.save(folder / "COCO_BoW.npy", truth["words"])
    return folder, "pixels"


def ucch_coco(folder, truth):
    arrays = {"XAll": truth["features"], "YAll": truth["words"], "LAll": truth["labels"]}
    return python_hdf5(folder / "MSCOCO_deep_doc2vec_data_rand.h5py", arrays), "features"


def roph(folder, truth):
    path = folder / "wiki.mat"
    data = {
        "X1": truth["features"].T,
        "X2": truth["words"].T.astype(float),
        "Y": scipy.sparse.csc_array(truth["labels"].T.astype(float)),
        "split": {"ind_train": np.arange(10, 0, -1)[:, None], "ind_test": np.array([[12], [11]])},
    }
    scipy.io.savemat(path, {"data": data})
    return path, "features"


def sparse_v73(folder, truth):
    path = merged_by_matlab(folder, truth)[0]
    table = scipy.sparse.csc_array(truth["words"].astype(float))
    with h5py.File(path, "r+") as file:
        del file["YAll"]
        group = file.create_group("YAll")
        group.attrs["MATLAB_sparse"] = np.uint64(N)
        group["data"], group["ir"], group["jc"] = table.data, table.indices.astype(np.uint64), table.indptr
    return path, "pixels"


LAYOUTS = [
    dcmh_triple, tc10_triple, vgg_features, merged_by_matlab, merged_by_python, dadh_flickr, dadh_nus,
    coco_bow, ucch_coco, roph, sparse_v73,
]  # fmt: skip


@pytest.mark.parametrize("build", LAYOUTS, ids=lambda build: build.__name__)
def test_the_same_data_from_every_layout(tmp_path, truth, build):
    path, image = build(tmp_path, truth)
    raw = read_raw(path)
    assert raw.image.shape == truth[image].shape
    np.testing.assert_array_equal(raw.image[:], truth[image])
    np.testing.assert_array_equal(raw.text, truth["words"])
    np.testing.assert_array_equal(raw.labels, truth["labels"])


def test_rows_of_pixels_are_read_from_disk(tmp_path, truth):
    path, _ = merged_by_matlab(tmp_path, truth)
    rows = read_raw(path).image
    assert not isinstance(rows, np.ndarray)
    for wanted in (
        3,
        -1,
        slice(2, 5),
        slice(None, None, 5),
        [7, 1, 7, -2],
        np.arange(N) % 2 == 0,
        slice(4, 4),
    ):
        np.testing.assert_array_equal(rows[wanted], truth["pixels"][wanted])
    rows.close()
    np.testing.assert_array_equal(rows[0], truth["pixels"][0])
    rows.close()


def test_matlab_pixels_in_matlab_order_and_named_order(tmp_path, truth):
    path = python_hdf5(tmp_path / "a.h5", {"IAll": matlab_pixels(truth["pixels"]), "LAll": truth["labels"]})
    np.testing.assert_array_equal(read_raw(path).image[:], truth["pixels"])
    path = python_hdf5(tmp_path / "b.h5", {"IAll": truth["pixels"], "LAll": truth["labels"]})
    options = ReadOptions(pixel_axes="height-width")
    np.testing.assert_array_equal(read_raw(path, options).image[:], truth["pixels"])


def test_coco_split_counts_from_one(tmp_path, truth):
    raw = read_raw(coco_bow(tmp_path, truth)[0])
    assert raw.query.tolist() == [1, 3]
    assert raw.retrieval.tolist() == [0, 2, 4, 5, 6, 7, 8, 9, 10, 11]


def test_roph_loads_whole(tmp_path, truth):
    data = cmh_data.load(roph(tmp_path, truth)[0])
    assert data.split.query.tolist() == [11, 10]
    assert data.split.train.tolist() == list(range(9, -1, -1))


@pytest.mark.parametrize("base", [0, 1])
def test_class_numbers_become_columns(tmp_path, truth, base):
    path = tmp_path / "wikiData.mat"
    halves = {"tr": slice(0, 9), "te": slice(9, N)}
    arrays = {f"{key}_{side}": truth[name][rows] for side, rows in halves.items()
              for key, name in (("I", "features"), ("T", "words"))}  # fmt: skip
    for side, rows in halves.items():
        arrays[f"L_{side}"] = (truth["classes"][rows] + base)[:, None].astype(np.uint8)
    scipy.io.savemat(path, arrays)
    data = cmh_data.load(path)
    np.testing.assert_array_equal(data.label.argmax(axis=1), truth["classes"])
    assert data.label.shape == (N, 3)
    assert data.split.query.tolist() == [9, 10, 11]
    assert any(f"class numbers {base} to {base + 2}" in note for note in data.provenance["notes"])


def test_iapr_joins_database_and_test(tmp_path, truth):
    path = tmp_path / "iapr-tc12-rand.mat"
    first, last = slice(0, 10), slice(10, N)
    scipy.io.savemat(path, {
        "VDatabase": truth["features"][first], "VTest": truth["features"][last],
        "YDatabase": truth["words"][first], "YTest": truth["words"][last],
        "databaseL": truth["labels"][first], "testL": truth["labels"][last],
    })  # fmt: skip
    data = cmh_data.load(path)
    np.testing.assert_array_equal(data.image, truth["features"])
    assert data.split.query.tolist() == [10, 11]


@pytest.mark.parametrize("key", ["label", "category"])
def test_paths_and_captions_lose_their_padding(tmp_path, truth, key):
    scipy.io.savemat(tmp_path / "index.mat", {"index": np.array(["a/im1.jpg", "a/image22.jpg"] * 6)})
    scipy.io.savemat(
        tmp_path / "caption.mat", {"caption": np.array(["a cat", "the long dog"] * 6, dtype=object)}
    )
    scipy.io.savemat(tmp_path / "label.mat", {key: truth["labels"].astype(float)})
    raw = read_raw(tmp_path)
    assert raw.ids[:2] == ("a/im1.jpg", "a/image22.jpg")
    assert raw.captions[:2] == ("a cat", "the long dog")
    np.testing.assert_array_equal(raw.labels, truth["labels"])


def test_deephash_lists(tmp_path):
    (tmp_path / "train.txt").write_text("x/im1.jpg 0 1\nx/im2.jpg 1 0\n")
    (tmp_path / "database.txt").write_bytes(b"x/im2.jpg 1 0\r\nx/im3.jpg 1 1\r\n")
    (tmp_path / "test.txt").write_text("x/im4.jpg 0 0")
    raw = read_raw(tmp_path)
    assert raw.ids == ("x/im2.jpg", "x/im3.jpg", "x/im4.jpg", "x/im1.jpg")
    assert raw.labels.tolist() == [[1, 0], [1, 1], [0, 0], [0, 1]]
    assert (raw.train.tolist(), raw.query.tolist(), raw.retrieval.tolist()) == ([3, 0], [2], [0, 1])
    assert raw.notes[0] == "1 of 2 training rows lie in the database."


def cells(file, key, texts, *, nested=False):
    """A MATLAB cell array: references to 16-bit characters in the group #refs#."""
    references = []
    for number, text in enumerate(texts):
        target = file.create_dataset(
            f"#refs#/{key}{number}", data=np.array([[ord(one)] for one in text], np.uint16)
        )
        if nested:
            data = np.array([[target.ref]], dtype=h5py.ref_dtype)
            target = file.create_dataset(f"#refs#/{key}{number}n", data=data)
        references.append(target.ref)
    file.create_dataset(key, data=np.array([references], dtype=h5py.ref_dtype))
    file[key].attrs["MATLAB_class"] = np.bytes_("cell")


@pytest.mark.parametrize("nested", [False, True])
def test_cells_of_matlab_73(tmp_path, truth, nested):
    path = matlab73(tmp_path / "all.mat", {"category": truth["labels"]})
    with h5py.File(path, "r+") as file:
        cells(file, "index", [f"im{row}.jpg" for row in range(N)], nested=nested)
        cells(file, "caption", ["zwei Bären", "cat"] * 6, nested=nested)
    raw = read_raw(path)
    assert raw.ids[:2] == ("im0.jpg", "im1.jpg")
    assert raw.captions[:2] == ("zwei Bären", "cat")
    np.testing.assert_array_equal(raw.labels, truth["labels"])


def test_cells_that_hold_no_texts(tmp_path, truth):
    path = matlab73(tmp_path / "all.mat", {"category": truth["labels"]})
    with h5py.File(path, "r+") as file:
        cells(file, "index", ["a.jpg"] * N)
        cells(file, "caption", ["x"] * N)
        del file["#refs#/caption3"]
        file["elsewhere"] = np.ones((2, 1), np.uint16)
        references = file["caption"][()]
        references[0, 0] = file["elsewhere"].ref
        file["caption"][...] = references
    with pytest.raises(cmh_data.DataError, match=r"the cells of caption must point to texts in /#refs#/"):
        read_raw(path)


def test_characters_of_matlab_73(tmp_path, truth):
    path = matlab73(tmp_path / "a.mat", {"XAll": truth["features"], "LAll": truth["labels"]})
    with h5py.File(path, "r+") as file:
        file["ids"] = np.array([[ord(one) for one in f"im{row:02d}"] for row in range(N)], np.uint16).T
        file["ids"].attrs["MATLAB_class"] = np.bytes_("char")
    assert read_raw(path).ids[:2] == ("im00", "im01")


@pytest.mark.parametrize("classes", [False, True])
def test_ugach_lists(tmp_path, classes):
    lines = {"train": ["1", "2"] if classes else ["1 0", "0 1"], "test": ["2"] if classes else ["1 1"]}
    for side, labels in lines.items():
        (tmp_path / f"{side}_img.txt").write_text("".join(f"{side}{row}.jpg\n" for row in range(len(labels))))
        (tmp_path / f"{side}_label.txt").write_text("\n".join(labels))
    raw = read_raw(tmp_path)
    assert raw.ids == ("train0.jpg", "train1.jpg", "test0.jpg")
    assert raw.labels.tolist() == [[1, 0], [0, 1], [0, 1] if classes else [1, 1]]
    assert (raw.train.tolist(), raw.query.tolist()) == ([0, 1], [2])
    (tmp_path / "test_img.txt").write_text("a\nb\n")
    with pytest.raises(cmh_data.DataError, match=r"test_img.txt has 2 lines and test_label.txt 1"):
        read_raw(tmp_path)


def test_the_third_view_of_uci_digits(tmp_path, truth):
    rows = {"tr": slice(0, 9), "te": slice(9, N)}
    tables = {
        "I": truth["features"],
        "T": truth["words"],
        "P": truth["features"][:, :5],
        "L": truth["classes"][:, None],
    }
    scipy.io.savemat(
        tmp_path / "uci.mat",
        {f"{view}_{side}": table[part] for view, table in tables.items() for side, part in rows.items()},
    )
    first = cmh_data.load(tmp_path / "uci.mat")
    assert 'P_tr, P_te: a third view, not read; views="IP" takes it as text.' in first.provenance["notes"]
    np.testing.assert_array_equal(cmh_data.load(tmp_path / "uci.mat", views="IP").text, tables["P"])
    with pytest.raises(cmh_data.DataError, match=r"holds the views I, T, P; choose two of them with views="):
        cmh_data.load(tmp_path / "uci.mat", views="IX")
    with pytest.raises(cmh_data.DataError, match=r"views must be two different letters such as IT or IP"):
        cmh_data.load(tmp_path / "uci.mat", views="II")


def test_a_single_part_is_shown_but_does_not_load(tmp_path, truth):
    dcmh_triple(tmp_path, truth)
    path = tmp_path / "mirflickr25k-yall.mat"
    assert read_raw(path).text.shape == (N, 10)
    with pytest.raises(cmh_data.DataError, match=r"lacks image, labels, train, query .* give the folder"):
        cmh_data.load(path)


def test_the_number_of_rows_is_asked_for_when_two_fit(tmp_path):
    path = python_hdf5(tmp_path / "a.h5", {"XAll": np.ones((5, 4)), "YAll": np.ones((4, 5))})
    with pytest.raises(
        cmh_data.DataError, match=r"the number of rows may be 4 or 5 .* say which with n_rows="
    ):
        read_raw(path)
    raw = read_raw(path, ReadOptions(n_rows=5))
    assert (raw.image.shape, raw.text.shape) == ((5, 4), (5, 4))
    with pytest.raises(cmh_data.DataError, match="n_rows=6 is no length that all arrays share"):
        read_raw(path, ReadOptions(n_rows=6))


def test_labels_are_longer_than_wide(tmp_path):
    path = python_hdf5(
        tmp_path / "a.h5", {"XAll": np.ones((5, 4)), "YAll": np.ones((4, 5)), "LAll": np.ones((4, 5))}
    )
    assert read_raw(path).labels.shape == (5, 4)


BAD = [
    (
        {"a": np.ones((3, 2))},
        r"fits no known layout: found a \(3, 2\) float64; expected keys such as image: ",
    ),
    (
        {"XAll": np.ones((3, 2)), "YAll": np.ones((4, 5)), "LAll": np.ones((6, 7))},
        "share no number of rows: XAll",
    ),
    (
        {"XAll": np.ones((3, 2)), "YAll": np.ones((3, 5)), "LAll": np.full((3, 1), -7)},
        "class numbers from 0 on",
    ),
    ({"IAll": np.ones((3, 4, 5, 6), np.uint8), "LAll": np.eye(3)}, "must hold pixels of 3 colours, not 4"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_unknown_and_odd_files(tmp_path, content, message):
    path = python_hdf5(tmp_path / "a.mat", content)
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(path)


def test_two_files_with_one_key(tmp_path, truth):
    for name in ("mirflickr25k-iall-vgg.mat", "mirflickr25k-iall-vgg-rand.mat"):
        scipy.io.savemat(tmp_path / name, {"XAll": truth["features"]})
    with pytest.raises(
        cmh_data.DataError, match=r"holds XAll in .*-rand.mat and in .*vgg.mat; give the path of one"
    ):
        cmh_data.load(tmp_path)


class TestRealFiles:
    def test_wikipedia_original(self, shared_data):
        data = cmh_data.load(shared_data / "files" / "wikipedia_original")
        known = np.load(shared_data / "wikipedia_raw.npz")
        np.testing.assert_array_equal(data.label, known["labels"])
        np.testing.assert_array_equal(data.image.astype(np.float32), known["image"])
        assert data.label_names == tuple(known["class_names"])
        assert data.split.query.tolist() == known["query"].tolist()

    def test_both_wiki_data_files_are_one(self, shared_data):
        folders = ("wikipedia_mtfh", "wikipedia_rfdh")
        digests = {
            cmh_data.load(shared_data / "files" / folder / "wikiData.mat").digest for folder in folders
        }
        assert len(digests) == 1

    def test_wikipedia_roph(self, shared_data):
        data = cmh_data.load(shared_data / "files" / "wikipedia_roph" / "wiki.mat")
        known = np.load(shared_data / "wikipedia.npz")
        np.testing.assert_array_equal(data.label, known["labels"])
        np.testing.assert_array_equal(data.image.astype(np.float32), known["image"])
        np.testing.assert_array_equal(np.sort(data.split.query), known["query"])

    def test_pascal_leaves_out_what_cannot_be_paired(self, shared_data):
        raw = read_raw(shared_data / "files" / "pascal_dscmr")
        assert raw.image.shape == (100, 4096)
        assert any("train_img is missing, so the train rows cannot be paired" in note for note in raw.notes)

    def test_mirflickr_lists(self, shared_data):
        raw = read_raw(shared_data / "files" / "mirflickr_lists")
        known = read_raw(shared_data / "mirflickr25k_text_labels.npz")
        np.testing.assert_array_equal(raw.text, known.text)
        np.testing.assert_array_equal(raw.labels, known.labels)
        assert raw.text_vocabulary == known.text_vocabulary
