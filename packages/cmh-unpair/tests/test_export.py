"""Read exported files back as the original programs do: plain SciPy for MATLAB 5, plain h5py for 7.3."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_unpair import export_arrays, plan_unpairing, unpair_file

N, ROWS = 24, np.arange(2, 22)
PLAN = plan_unpairing(20, unpaired_images=20, unpaired_text=10, block=10)
FEATURES = np.arange(1, 1 + N * 6, dtype=np.float32).reshape(N, 6)
PIXELS = (np.arange(N * 3 * 4 * 5) % 250 + 1).astype(np.uint8).reshape(N, 3, 4, 5)
TEXTS = (np.arange(N * 7).reshape(N, 7) % 3 == 0).astype(np.int16) + 1
LABELS = np.eye(N, 5, dtype=bool)


def blank(values, present):
    result = values.copy()
    result[ROWS[~present]] = 0
    return result


@pytest.mark.parametrize(
    ("program", "data_set", "files"),
    [
        ("dadh", "mirflickr", {"FLICKR-25K.mat": ("images", "YAll", "LAll")}),
        ("dadh", "nus-wide", {"NUS-WIDE-TC21.mat": ("image", "text", "label")}),
        ("agah", "mirflickr", {"FLICKR-25K.mat": ("images", "YAll", "LAll")}),
        (
            "agah",
            "nus-wide",
            {
                "nus-wide-tc21-iall.mat": "IAll",
                "nus-wide-tc21-yall.mat": "YAll",
                "nus-wide-tc21-lall.mat": "LAll",
            },
        ),
        (
            "jdsh",
            "mirflickr",
            {
                "mirflickr25k-iall.mat": "IAll",
                "mirflickr25k-yall.mat": "YAll",
                "mirflickr25k-lall.mat": "LAll",
            },
        ),
        (
            "jdsh",
            "nus-wide",
            {
                "nus-wide-tc10-iall.mat": "IAll",
                "nus-wide-tc10-yall.mat": "YAll",
                "nus-wide-tc10-lall.mat": "LAll",
            },
        ),
    ],
)
@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array])
def test_names_keys_versions_and_axes(tmp_path, program, data_set, files, wrap):
    images = FEATURES if program == "dadh" else PIXELS
    written = export_arrays(
        tmp_path, program, data_set, images=images, texts=wrap(TEXTS), labels=LABELS, plan=PLAN, rows=ROWS
    )
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == sorted(files) == sorted(p.name for p in written)
    )
    found = []
    for name, keys in files.items():
        path = tmp_path / name
        if path.read_bytes().startswith(b"MATLAB 5.0"):
            read = scipy.io.loadmat(path)
            found += [read[key] for key in ((keys,) if isinstance(keys, str) else keys)]
        else:
            with h5py.File(path) as read:
                found += [read[key][()] for key in ((keys,) if isinstance(keys, str) else keys)]
    if (program, data_set) == ("jdsh", "nus-wide"):
        found[1] = found[1].T  # its loader does this
    for array, expected in zip(
        found,
        (blank(images, PLAN.image_present), blank(TEXTS, PLAN.text_present), LABELS.astype(np.uint8)),
        strict=True,
    ):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_exported_files_can_be_unpaired_themselves(tmp_path):
    options = {"images": FEATURES, "texts": TEXTS, "labels": LABELS}
    (whole,) = export_arrays(tmp_path, "dadh", "nus-wide", **options)
    unpair_file(whole, tmp_path / "out.mat", PLAN, rows=ROWS)
    read = scipy.io.loadmat(tmp_path / "out.mat")
    np.testing.assert_array_equal(read["image"], blank(FEATURES, PLAN.image_present))
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        export_arrays(tmp_path, "dadh", "nus-wide", **options)
    export_arrays(tmp_path, "dadh", "nus-wide", **options, overwrite=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"program": "ucch"}, "program must be one of dadh, agah, jdsh, but it is 'ucch'"),
        ({"data_set": "coco"}, "data_set must be one of mirflickr, nus-wide, but it is 'coco'"),
        ({"images": PIXELS}, r"images must have 2 axes for this program, but the shape is \(24, 3, 4, 5\)"),
        ({"texts": TEXTS[1:]}, r"must have the same number of rows, but they have \[23, 24\]"),
        ({"plan": plan_unpairing(24, discard=50)}, "plan must be one that only removes"),
        ({"plan": plan_unpairing(20)}, "rows must be given because the arrays have 24 rows"),
        ({"labels": LABELS.astype(np.float16)}, "LAll must hold integers or floats"),
    ],
)
def test_bad_input_is_refused_with_the_reason(tmp_path, arguments, message):
    options = {
        "program": "dadh",
        "data_set": "mirflickr",
        "images": FEATURES,
        "texts": TEXTS,
        "labels": LABELS,
    }
    with pytest.raises(ValueError, match=message):
        export_arrays(tmp_path, **options | arguments)
    assert list(tmp_path.iterdir()) == []
