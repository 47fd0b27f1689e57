"""Every layout of docs/data-layouts.md goes through `umml unpair`; no code of ours reads it back."""

import os
import re
import shutil
from pathlib import Path

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_unpair import UnpairingPlan, plan_unpairing
from test_unpair_layouts import make_arrays, matlab5, matlab73, python_hdf5

ROOT = Path(__file__).parents[2]
N = 60
PERCENT = ("--unpaired-images", 20, "--unpaired-text", 30)
IMAGE, TEXT = "image", "text"


def shared(name):
    for folder in (
        os.environ.get("UMML_SHARED"),
        ROOT.parent / "shared",
        *(p / "shared" for p in ROOT.parents),
    ):
        if folder and (Path(folder) / "data" / name).exists():
            return Path(folder) / "data" / name
    pytest.skip("the project's shared data is not beside this checkout")
    return None


def read_plainly(path):
    """All arrays of a file by key, sparse ones filled in, without any code of ours."""
    head = path.read_bytes()[:4]
    if head == b"PK\x03\x04":
        with np.load(path) as file:
            found = dict(file)
        if {"indptr", "indices", "shape"} <= set(found):
            parts = [found.pop(key) for key in ("indices", "indptr", "shape")]
            ones = np.ones(len(parts[0]))
            found["indptr"] = scipy.sparse.csr_array((ones, *parts[:2]), shape=parts[2]).toarray()
        return found
    if h5py.is_hdf5(path):
        found = {}

        def note(name, item):
            if isinstance(item, h5py.Group) and "MATLAB_sparse" in item.attrs:
                parts = [item[part][()].astype(np.int64) for part in ("ir", "jc")]
                shape = (int(item.attrs["MATLAB_sparse"]), len(parts[1]) - 1)
                found[name] = scipy.sparse.csc_array((item["data"][()], *parts), shape=shape).toarray()
            elif isinstance(item, h5py.Dataset) and item.parent.name.lstrip("/") not in found:
                found[name] = item[()]

        with h5py.File(path) as file:
            file.visititems(note)
        return found
    found = {}
    for key, value in scipy.io.loadmat(path).items():
        if not key.startswith("__"):
            flatten(found, key, value)
    return found


def flatten(found, key, value):
    if getattr(value, "dtype", None) is not None and value.dtype.names:
        for name in value.dtype.names:
            flatten(found, f"{key}/{name}", value[0, 0][name])
    else:
        found[key] = value.toarray() if scipy.sparse.issparse(value) else value


def triple(prefix, texts=matlab5, axis=0):
    def write(folder, data):
        matlab73(folder / f"{prefix}-iall.mat", IAll=data["pixels"].T)
        texts(folder / f"{prefix}-yall.mat", YAll=data["words"])
        matlab5(folder / f"{prefix}-lall.mat", LAll=data["labels"])
        return {
            f"{prefix}-iall.mat": {"IAll": (IMAGE, 0)},
            f"{prefix}-yall.mat": {"YAll": (TEXT, axis)},
        }

    return write


def vgg_features(folder, data):
    matlab5(folder / "iall-vgg.mat", XAll=data["features"])
    matlab5(folder / "yall.mat", YAll=scipy.sparse.csc_array(data["words"].astype(float)))
    return {"iall-vgg.mat": {"XAll": (IMAGE, 0)}, "yall.mat": {"YAll": (TEXT, 0)}}


def merged_by_matlab(folder, data):
    matlab73(folder / "FLICKR-25K.mat", images=data["pixels"].T, YAll=data["words"], LAll=data["labels"])
    return {"FLICKR-25K.mat": {"images": (IMAGE, 0), "YAll": (TEXT, 1)}}


def merged_by_python(folder, data):
    python_hdf5(folder / "FLICKR-25K.mat", images=data["pixels"], YAll=data["words"], LAll=data["labels"])
    return {"FLICKR-25K.mat": {"images": (IMAGE, 0), "YAll": (TEXT, 0)}}


def dadh_mirflickr(folder, data):
    matlab5(folder / "FLICKR-25K.mat", images=data["features"], YAll=data["words"], LAll=data["labels"])
    return {"FLICKR-25K.mat": {"images": (IMAGE, 0), "YAll": (TEXT, 0)}}


def dadh_nus_wide(folder, data):
    matlab5(folder / "TC21.mat", image=data["features"], text=data["words"], label=data["labels"])
    return {"TC21.mat": {"image": (IMAGE, 0), "text": (TEXT, 0)}}


def coco(folder, data):
    matlab73(folder / "COCO.mat", IAll=data["pixels"].T, XAll=data["features"], LAll=data["labels"])
    with h5py.File(folder / "COCO.mat", "r+") as file:
        file["param/indexQuery"] = np.arange(1.0, 11.0)[None]
        file["param/indexDatabase"] = np.arange(11.0, 61.0)[None]
    np.save(folder / "COCO_BoW.npy", data["words"])
    return {
        "COCO.mat": {"IAll": (IMAGE, 0), "XAll": (IMAGE, 1)},
        "COCO_BoW.npy": "save its array with a name",
    }


def ucch_coco(folder, data):
    python_hdf5(folder / "data.h5py", XAll=data["features"], YAll=data["words"], LAll=data["labels"])
    return {"data.h5py": {"XAll": (IMAGE, 0), "YAll": (TEXT, 0)}}


def sparse_matlab73(folder, data):
    matlab73(folder / "FLICKR-25K.mat", images=data["pixels"].T, LAll=data["labels"])
    words = scipy.sparse.csc_array(data["words"].astype(float))
    with h5py.File(folder / "FLICKR-25K.mat", "r+") as file:
        group = file.create_group("YAll")
        group.attrs["MATLAB_sparse"] = np.uint64(N)
        group["data"], group["jc"] = words.data, words.indptr.astype(np.uint64)
        group["ir"] = words.indices.astype(np.uint64)
    return {"FLICKR-25K.mat": {"images": (IMAGE, 0), "YAll": (TEXT, 0)}}


def iapr(folder, data):
    sides = {"Database": slice(0, 50), "Test": slice(50, N)}
    tables = {f"V{side}": data["features"][rows] for side, rows in sides.items()}
    tables |= {f"Y{side}": data["words"][rows] for side, rows in sides.items()}
    tables |= {f"{side.lower()}L": data["labels"][rows] for side, rows in sides.items()}
    matlab5(folder / "iapr.mat", **tables)
    return {"iapr.mat": {"VDatabase": (IMAGE, 0), "YDatabase": (TEXT, 0)}}, np.arange(50), ()


def uci_digits(folder, data):
    views = {"I": data["features"], "T": data["words"] * 1.5, "P": data["words"], "L": data["labels"]}
    sides = {"tr": slice(0, 45), "te": slice(45, N)}
    matlab5(
        folder / "uci.mat", **{f"{v}_{s}": a[rows] for v, a in views.items() for s, rows in sides.items()}
    )
    return {"uci.mat": {"I_tr": (IMAGE, 0), "T_tr": (TEXT, 0)}}, np.arange(45), ()


def own_npz(folder, data):
    rows = np.random.default_rng(1).permutation(N)
    arrays = {"image": data["features"], "text": data["words"], "labels": data["labels"]}
    np.savez(folder / "mine.npz", **arrays, train=rows[:40], query=rows[40:])
    return {"mine.npz": {"image": (IMAGE, 0), "text": (TEXT, 0)}}, rows[:40], ()


def emoji(folder, _data):
    cmh_data.save(cmh_data.sample(), folder / "emoji.h5")
    return {"emoji.h5": {"image": (IMAGE, 0), "text": (TEXT, 0)}}, cmh_data.sample().split.train, ()


def wikipedia(name, image="I_tr", text="T_tr"):
    def write(folder, _data):
        shutil.copytree(
            shared(f"files/wikipedia_{name}"), folder, dirs_exist_ok=True, copy_function=shutil.copyfile
        )
        (path,) = folder.glob("*.mat")
        return {path.name: {image: (IMAGE, 0), text: (TEXT, 0)}}, np.arange(2173), ()

    return write


def wikipedia_roph(folder, _data):
    shutil.copyfile(shared("files/wikipedia_roph/wiki.mat"), folder / "wiki.mat")
    split = scipy.io.loadmat(folder / "wiki.mat")["data"][0, 0]["split"][0, 0]
    rows = split["ind_train"].ravel().astype(np.int64) - 1
    return {"wiki.mat": {"data/X1": (IMAGE, 1), "data/X2": (TEXT, 1)}}, rows, ()


def pascal(folder, _data):
    shutil.copyfile(shared("files/pascal_dscmr/train_txt.mat"), folder / "train_txt.mat")
    return {"train_txt.mat": {"train_txt": (TEXT, 0)}}, np.arange(800), ("--train", "0:800")


def pascal_images(folder, _data):
    shutil.copyfile(shared("files/pascal_dscmr/test_img.mat"), folder / "test_img.mat")
    options = ("--train", "0:100", "--image-key", "test_img", "--item-axis", "test_img=0")
    return {"test_img.mat": {"test_img": (IMAGE, 0)}}, np.arange(100), options


def sparse_words(folder, _data):
    shutil.copyfile(shared("mirflickr25k_text_labels.npz"), folder / "words.npz")
    return {"words.npz": {"indptr": (TEXT, 0)}}, np.arange(5000), ("--train", "0:5000")


def web_news(folder, _data):
    shutil.copyfile(shared("webnews.npz"), folder / "news.npz")
    with np.load(folder / "news.npz") as file:
        return {"news.npz": {"image": (IMAGE, 0), "text": (TEXT, 0)}}, file["train"].astype(np.int64), ()


def text_lists(folder, _data):
    shutil.copytree(
        shared("files/mirflickr_lists"), folder, dirs_exist_ok=True, copy_function=shutil.copyfile
    )
    return {"all_tags.txt": "must be an HDF5, MATLAB 5, MATLAB 7.3 or npz file"}


def captions(folder, data):
    matlab5(folder / "caption.mat", caption=np.array(["a cat", "the long dog"] * 30, dtype=object))
    return {"caption.mat": "must hold an array of images .* or of texts .* but it holds no array"}


def cells(folder, data):
    with h5py.File(folder / "all.mat", "w", userblock_size=512) as file:
        targets = [
            file.create_dataset(f"#refs#/{n}", data=np.array([[99], [97]], np.uint16)) for n in range(N)
        ]
        file.create_dataset("caption", data=np.array([[t.ref for t in targets]], dtype=h5py.ref_dtype))
        file["category"] = data["labels"].T
    return {"all.mat": "must hold an array of images .* or of texts .* but it holds category"}


def name_lists(folder, _data):
    for side in ("train", "test", "database"):
        (folder / f"{side}.txt").write_text("x/im1.jpg 0 1\nx/im2.jpg 1 0\n")
    return {"train.txt": "must be an HDF5, MATLAB 5, MATLAB 7.3 or npz file"}


ROWS = np.arange(8, 58)
LAYOUTS = {
    "Wikipedia, original release with its lists": wikipedia("original"),
    "`wikiData.mat` of MTFH, one-hot labels": wikipedia("mtfh"),
    "`wikiData.mat` of RFDH, class numbers": wikipedia("rfdh"),
    "`wiki.mat` of RoPH, items in columns": wikipedia_roph,
    "Pascal Sentence of DSCMR, one file missing": pascal,
    "MIR-Flickr25K text lists": text_lists,
    "Sparse words without images, `.npz`": sparse_words,
    "Chinese web news, features and word counts, `.npz`": web_news,
    "A file that fits no layout": pascal_images,
    "DCMH cut in three files": triple("mirflickr25k"),
    "NUS-WIDE TC10 in three files, the text in MATLAB 7.3": triple("nus-wide-tc10", texts=matlab73, axis=1),
    "VGG features `XAll`, sparse words": vgg_features,
    "`FLICKR-25K.mat` merged by MATLAB (DCMH, SSAH)": merged_by_matlab,
    "`FLICKR-25K.mat` merged by Python (AGAH)": merged_by_python,
    "`FLICKR-25K.mat` of DADH, another file of that name": dadh_mirflickr,
    "`NUS-WIDE-TC21.mat` of DADH": dadh_nus_wide,
    "`COCO.mat` with `param` and `COCO_BoW.npy`": coco,
    "`MSCOCO_deep_doc2vec_data_rand.h5py` of UCCH": ucch_coco,
    "MATLAB 7.3 with a sparse table": sparse_matlab73,
    "IAPR TC-12 of UCCH, split already": iapr,
    "UCI digits of FSH, three views": uci_digits,
    "Paths, captions and labels (MITH, DCHMT, DSPH)": captions,
    "The same as cell arrays of MATLAB 7.3": cells,
    "Split lists of DeepHash and HashNet": name_lists,
    "Split lists of DeepHash for NUS-WIDE, names with `_m`": name_lists,
    "Lists of names and of labels (UGACH)": name_lists,
    "Your own data, `.npz`": own_npz,
    "This project's own format: the emoji data set": emoji,
}


def test_no_layout_of_the_page_is_left_out():
    page = (ROOT / "docs/data-layouts.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (.*)$", page, re.MULTILINE)) == set(LAYOUTS)


@pytest.mark.parametrize("title", LAYOUTS)
def test_what_the_plan_says_is_what_the_file_holds_to_the_row(tmp_path, umml, title):
    source = tmp_path / "source"
    source.mkdir()
    made = LAYOUTS[title](source, make_arrays(N, 5, 6))
    # The files with their arrays (or why they are refused), the training rows, the options that name these.
    files, rows, options = made if isinstance(made, tuple) else (made, ROWS, ("--train", "8:58"))
    plan = plan_unpairing(len(rows), unpaired_images=20, unpaired_text=30)
    lost = {IMAGE: rows[~plan.image_present], TEXT: rows[~plan.text_present]}
    for name, expected in files.items():
        target = tmp_path / f"out-{name}"
        done = umml("unpair", source / name, target, *PERCENT, *options, check=isinstance(expected, dict))
        if isinstance(expected, str):
            assert done.returncode == 2
            assert re.search(expected, done.stderr)
            assert not target.exists()
            continue
        before, after = read_plainly(source / name), read_plainly(target)
        masks = {f"{role}_present" for role, _ in expected.values()}
        assert {key for key in set(after) - set(before) if not key.startswith("unpairing_plan")} == masks
        for key, values in before.items():
            right = np.array(values)
            if key in expected:
                role, axis = expected[key]
                np.moveaxis(right, axis, 0)[lost[role]] = 0
            np.testing.assert_array_equal(after[key], right, err_msg=key, strict=True)
        for role, _ in expected.values():
            mask = after[f"{role}_present"].ravel()
            np.testing.assert_array_equal(np.flatnonzero(mask == 0), np.sort(lost[role]))
        (record,) = (values for key, values in after.items() if key.startswith("unpairing_plan"))
        assert UnpairingPlan.from_json(record.astype(np.uint8).tobytes()) == plan
