"""Folders without a table, shards of webdataset, and several tables."""

from __future__ import annotations

import io
import json
import tarfile

import cmh_data
import numpy as np
import pytest
import scipy.io
from PIL import Image


def picture(seed):
    out = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


def put(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def shard(path, files):
    with tarfile.open(path, "w") as archive:
        for name, stated in files.items():
            content = stated if isinstance(stated, bytes) else stated.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def names_of(built):
    return [
        tuple(name for name, there in zip(built.label_names, row, strict=True) if there)
        for row in built.label
    ]


def test_texts_beside_pictures_and_folders_as_labels(tmp_path):
    files = {
        "photos/animals/cats/a cat.png": picture(0),
        "photos/animals/cats/a cat.txt": "\ufeffa red cat\n",
        "photos/animals/犬.png": picture(1),
        "photos/animals/犬.txt": "a red 小狗 dog",
        "photos/boats/3.png": picture(2),
        "photos/boats/4.txt": "red boat",
        "photos/README.txt": "about this folder",
        "photos/.hidden.png": picture(3),
    }
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.ids == (
        "photos/animals/cats/a cat.png",
        "photos/animals/犬.png",
        "photos/boats/3.png",
        "photos/boats/4.txt",
    )
    assert names_of(built) == [("animals", "cats"), ("animals",), ("boats",), ("boats",)]
    assert built.captions == ("a red cat", "a red 小狗 dog", "", "red boat")
    assert built.image_present.tolist() == [True, True, True, False]
    assert built.text_present.tolist() == [True, True, False, True]
    assert built.provenance["steps"][:3] == [
        "3 pictures, 3 .txt; labels from the folders",
        "1 of 4 rows without a text",
        "1 of 4 rows without an image",
    ]


def test_pictures_and_texts_in_folders_of_their_own(tmp_path):
    files = {f"images/cats/{number}.png": picture(number) for number in range(3)}
    files |= {f"texts/cats/{number}.txt": "red cat" for number in range(2)}
    files |= {"images/dogs/0.png": picture(5), "texts/dogs/0.txt": "red dog", "texts/dogs/9.txt": "a dog"}
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.captions == ("red cat", "red cat", "", "red dog", "a dog")
    assert built.label_names == ("cats", "dogs")
    assert (int(built.image_present.sum()), int(built.text_present.sum())) == (4, 4)


def test_two_folders_that_share_no_item(tmp_path):
    files = {f"pictures/{number}.png": picture(number) for number in range(12)}
    files |= {f"texts/t{number}.txt": "red thing" for number in range(20)}
    built = cmh_data.build_folder(put(tmp_path, files))
    data = built.dataset(built.pixels(4), n_query=8)
    assert (int(data.image_present.sum()), int(data.text_present.sum())) == (12, 20)
    assert not (data.image_present & data.text_present).any()
    assert data.label.shape == (32, 0)


def test_folders_can_be_the_split(tmp_path):
    files = {
        f"{side}/cats/{n}.png": picture(10 * len(side) + n) for side in ("train", "test") for n in range(3)
    }
    files |= {f"{side}/cats/{n}.txt": "red cat" for side in ("train", "test") for n in range(3)}
    files |= {"test/dogs/1.png": picture(1000), "test/dogs/1.txt": "red"}
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.label_names == ("cats", "dogs")
    assert [built.ids[row].split("/")[0] for row in built.split.query] == ["test"] * 4
    assert [built.ids[row].split("/")[0] for row in built.split.train] == ["train"] * 3


def test_shards_of_webdataset(tmp_path):
    def item(number, **more):
        files = {f"{number:05}.png": picture(number), f"{number:05}.txt": f"red cat {'x' * number}"}
        return files | {f"{number:05}.{ending}": content for ending, content in more.items()}

    shard(tmp_path / "shard-0.tar", item(0, cls="3") | item(1, cls="4"))
    shard(
        tmp_path / "shard-1.tar", {"00002.png": picture(2)} | item(3, json=json.dumps({"label": ["4", "5"]}))
    )
    built = cmh_data.build_folder(tmp_path, least_count=1)
    assert built.ids == ("00000.png", "00001.png", "00002.png", "00003.png")
    assert names_of(built) == [("3",), ("4",), (), ("4", "5")]
    assert built.captions == ("red cat", "red cat x", "", "red cat xxx")
    assert built.pixels(4)[2].any()
    alone = cmh_data.build_folder(tmp_path / "shard-0.tar")
    assert len(alone) == 2


def test_items_of_the_same_name_in_two_shards_stay_apart(tmp_path):
    for number in range(2):
        shard(
            tmp_path / f"{number}.tar",
            {"0.png": picture(number), "0.txt": f"red {'cat' if number else 'dog'}"},
        )
    built = cmh_data.build_folder(tmp_path)
    assert sorted(zip(built.ids, built.captions, strict=True)) == [
        ("0.png", "red dog"),
        ("1.tar/0.png", "red cat"),
    ]
    assert built.label_names == ()


def test_texts_and_labels_of_json_files(tmp_path):
    files = {
        "1.png": picture(1),
        "1.json": json.dumps({"caption": "a red cat", "url": "https://x.org/1.png", "tags": ["x", "y"]}),
        "2.png": picture(2),
        "2.json": json.dumps({"caption": None}),
        "info.json": "[not read]",
    }
    built = cmh_data.build_folder(put(tmp_path, files), least_count=1)
    assert built.captions == ("a red cat", "")
    assert built.label_names == ("x", "y")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1.txt": b"caf\xe9"}, "1.txt is not encoded as utf-8-sig .* or name its encoding"),
        ({"1.json": "{"}, "1.json is not JSON"),
        ({"1.json": "[1]"}, "1.json must be a JSON object, but it is a list"),
        ({"1.txt": " \n"}, "no row of the folder has a text"),
    ],
)
def test_files_beside_pictures_that_are_not_right(tmp_path, files, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.build_folder(put(tmp_path, {"1.png": picture(1)} | files))


def test_texts_of_another_encoding(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(2)}
    files |= {f"{number}.txt": "café".encode("cp1252") for number in range(2)}
    built = cmh_data.build_folder(put(tmp_path, files), encoding="cp1252")
    assert built.text_vocabulary == ("café",)
    with pytest.raises(cmh_data.DataError, match="has no table, so there are no columns"):
        cmh_data.build_folder(tmp_path, columns={"text": "caption"})


def test_folders_as_labels_beside_a_table(tmp_path):
    files = {"cats/1.png": picture(1), "dogs/2.png": picture(2), "dogs/3.png": picture(3)}
    lines = ["image,text", "cats/1.png,red", "dogs/2.png,red", ",red"]
    folder = put(tmp_path, files | {"t.csv": "\n".join(lines)})
    assert cmh_data.build_folder(folder).label_names == ()
    assert names_of(cmh_data.build_folder(folder, labels_from_folders=True)) == [
        ("cats",),
        ("dogs",),
        (),
        ("dogs",),
    ]


def test_tables_in_parts_are_one(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(4)}
    for part in range(2):
        rows = [{"image": f"{2 * part + n}.png", "text": "red cat", "labels": f"l{n}"} for n in range(2)]
        files[f"part-{part}.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.ids == ("0.png", "1.png", "2.png", "3.png")
    assert names_of(built) == [("l0",), ("l1",)] * 2


def test_a_table_of_images_and_one_of_texts_share_no_row(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(3)}
    files["images.csv"] = "file,labels\n0.png,x\n1.png,y\n2.png,x\n"
    files["texts.csv"] = "caption,labels\na red cat,x\nred,y\n"
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.ids == ("0.png", "1.png", "2.png", "texts.csv#1", "texts.csv#2")
    assert built.image_present.tolist() == [True] * 3 + [False] * 2
    assert built.text_present.tolist() == [False] * 3 + [True] * 2
    assert names_of(built) == [("x",), ("y",), ("x",), ("x",), ("y",)]
    chosen = cmh_data.build_folder(tmp_path, columns={"text": "caption", "image": "file"})
    assert chosen.ids == built.ids
    with pytest.raises(cmh_data.DataError, match=r"no table of .* has a column 'words': images.csv has file"):
        cmh_data.build_folder(tmp_path, columns={"text": "words"})


def test_tables_that_say_the_same_of_an_item_are_refused(tmp_path):
    files = {"captions.csv": "image,text\n1.png,red\n", "labels.csv": "image,labels\n1.png,x\n"}
    with pytest.raises(cmh_data.DataError, match="or one of images and one of texts, but holds captions"):
        cmh_data.build_folder(put(tmp_path, files))


@pytest.mark.parametrize("labels", ["label", "category", None])
def test_lists_of_clip_based_programs_with_gaps(tmp_path, labels):
    """index.mat, caption.mat, label.mat: the author's paths, padded with blanks; some rows lack a side."""
    files = {f"images/im{number}.png": picture(number) for number in range(1, 13)}
    folder = put(tmp_path, files)
    paths = [f"/home/author/data/images/im{number}.png" for number in range(1, 13)]
    paths[3] = ""
    captions = ["a red cat", "a long red dog"] * 6
    captions[4], captions[5] = "", "nan"
    table = np.zeros((12, 11))
    table[np.arange(12), np.arange(12) % 11] = 1
    scipy.io.savemat(folder / "index.mat", {"index": np.array(paths)})
    scipy.io.savemat(folder / "caption.mat", {"caption": np.array(captions)})
    if labels is not None:
        scipy.io.savemat(folder / "label.mat", {labels: table})
    built = cmh_data.build_folder(folder)
    assert len(built) == 13  # im4 stands in no row
    assert built.image_present.tolist() == [True] * 3 + [False] + [True] * 9
    assert built.text_present.tolist() == [True] * 4 + [False] * 2 + [True] * 6 + [False]
    assert built.image_names[0] == "images/im1.png"
    assert built.captions[1] == "a long red dog"
    if labels is None:
        assert built.label.shape == (13, 0)
    else:
        np.testing.assert_array_equal(built.label[:12], table)
    steps = " ".join(built.provenance["steps"])
    assert "MATLAB lists: ids from index and captions from caption" in steps
    assert "11 paths that lead out of the folder were found by the picture's name" in steps
    data = built.dataset(built.pixels(4), n_query=3)
    assert (data.image_present & data.text_present)[data.split.query].all()


def test_lists_of_clip_based_programs_are_inspected_with_their_gaps(tmp_path):
    scipy.io.savemat(tmp_path / "index.mat", {"index": np.array(["a.jpg", "", "c.jpg"], dtype=object)})
    scipy.io.savemat(tmp_path / "caption.mat", {"caption": np.array(["a cat", "dog", ""], dtype=object)})
    scipy.io.savemat(
        tmp_path / "bag.mat", {"caption_one_hot": np.eye(3), "label": np.array([[0, 1], [1, 0], [1, 1]])}
    )
    report = cmh_data.inspect(tmp_path)
    assert report.parts["text"].missing_rows == 1
    assert {"1 of 3 rows have no path.", "1 of 3 rows have no caption."} <= set(report.notes)


def test_lists_of_unequal_length_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "index.mat", {"index": np.array(["a.jpg", "b.jpg"])})
    scipy.io.savemat(tmp_path / "caption.mat", {"caption": np.array(["a cat", "dog", "boat"])})
    with pytest.raises(cmh_data.DataError, match="but they have 2 and 3"):
        cmh_data.build_folder(tmp_path)
