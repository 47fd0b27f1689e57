from __future__ import annotations

from dataclasses import replace

import cmh_data
import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "photos"
    source.mkdir()
    for number in range(1, 7):
        (source / f"{number}.png").write_bytes(bytes([number]))
    lines = ["image,text,labels", "1.png,red cat,a", "2.png,,a", "3.png,blue boat,b", "4.png,red boat,b"]
    lines += ["5.png,red cat é 图,a", "7.png,no picture,b"]
    (source / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return source


def test_captions_stay_beside_the_features_and_survive_a_file(folder, tmp_path):
    built = cmh_data.build_folder(folder)
    assert built.captions == ("red cat", "", "blue boat", "red boat", "red cat é 图", "no picture", "")
    features = np.arange(14, dtype=np.float32).reshape(7, 2) + 1
    data = built.dataset(
        features,
        text=features + 0.5,
        image_present=np.array([1, 1, 1, 0, 1, 0, 1], bool),
        text_present=np.array([1, 0, 1, 1, 1, 1, 0], bool),
        encoders={"image": {"name": "made-up"}},
        n_query=1,
    )
    assert data.captions == built.captions
    assert data.text_vocabulary == ()
    assert data.image_present.tolist() == [True, True, True, False, True, False, True]
    assert set(data.split.query) <= {0, 2, 4}
    assert data.provenance["encoders"]["image"]["name"] == "made-up"
    again = cmh_data.load(cmh_data.save(data, tmp_path / "a.h5"))
    assert again.captions == data.captions
    assert again.digest == data.digest == again.compute_digest()
    assert np.array_equal(again.text[:], features + 0.5)


def test_captions_count_in_the_digest_only_where_there_are_any():
    sample = cmh_data.sample()
    assert sample.captions == ()
    with_captions = replace(sample, captions=("x",) * len(sample), stored_digest=None)
    assert with_captions.digest != sample.digest


def test_picture_files_are_read_when_needed(folder):
    files = cmh_data.build_folder(folder).pictures()
    assert [str(file) if file else None for file in files] == [
        *(f"{number}.png" for number in range(1, 6)),
        None,
        "6.png",
    ]
    assert files[2].read_bytes() == b"\x03"


def test_there_must_be_one_caption_a_row(folder):
    built = replace(cmh_data.build_folder(folder), captions=("a",))
    with pytest.raises(cmh_data.DataError, match="captions has 1 entries, but there are 7 rows"):
        built.dataset(np.ones((7, 2), np.float32))
