"""Builders on miniature archives of the official layouts, and on MIR-Flickr25K from its true values."""

from __future__ import annotations

import io
import json
import zipfile
from typing import ClassVar

import cmh_data
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet


def jpeg(colour, size=(9, 6)):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def put(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def mirflickr(tags, labels, *, images=(), common=None):
    """The files of both official archives: one tag file per image, one file of image numbers per label."""
    files = {
        f"mirflickr/meta/tags/tags{number}.txt": "\r\n".join(words) + "\r\n" for number, words in tags.items()
    }
    files |= {f"mirflickr/im{number}.jpg": jpeg((number * 20, 0, 0)) for number in images}
    for name, numbers in labels.items():
        files[f"mirflickr25k_annotations_v080/{name}.txt"] = "\n".join(map(str, numbers)) + "\n"
        files[f"mirflickr25k_annotations_v080/{name}_r1.txt"] = "1\n"
    files["mirflickr25k_annotations_v080/README.txt"] = "Annotations"
    if common is not None:
        files["mirflickr/doc/common_tags.txt"] = "".join(f"{tag} {count}\n" for tag, count in common)
    return files


class TestMirFlickr:
    TAGS: ClassVar = {
        1: ["sky", "dog", "sky"],
        2: ["sky"],
        3: [],
        4: ["rare"],
        10: ["dog", "café"],
        11: ["dog", "sky"],
    }
    LABELS: ClassVar = {"dog": [1, 3, 10], "animals": [10, 4], "sea": [2]}

    def test_rows_tags_and_labels(self, tmp_path):
        put(tmp_path, mirflickr(self.TAGS, self.LABELS, images=self.TAGS))
        built = cmh_data.build_mirflickr25k(tmp_path, least_tag_count=2)
        assert built.ids == ("1", "2", "10")  # 3 has no tag, 4 no frequent tag, 11 no label
        assert built.text_vocabulary == ("dog", "sky")
        assert built.text.tolist() == [[1, 1], [0, 1], [1, 0]]
        assert built.label_names == ("animals", "dog", "sea")
        assert built.label.tolist() == [[0, 1, 0], [0, 0, 1], [1, 1, 0]]

    def test_the_order_of_common_tags_is_kept(self, tmp_path):
        put(tmp_path, mirflickr(self.TAGS, self.LABELS, common=[("sky", 3), ("dog", 3), ("rare", 1)]))
        assert cmh_data.build_mirflickr25k(tmp_path, least_tag_count=2).text_vocabulary == ("sky", "dog")

    def test_pixels_are_read_from_the_archive(self, tmp_path):
        put(tmp_path, mirflickr(self.TAGS, self.LABELS, images=self.TAGS))
        built = cmh_data.build_mirflickr25k(tmp_path, least_tag_count=2)
        pixels = built.pixels(8)
        assert pixels.shape == (3, 3, 8, 8)
        assert [round(int(value), -1) for value in pixels[:][:, 0, 4, 4]] == [20, 40, 200]
        data = built.dataset(pixels, n_query=1, seed=3)
        back = cmh_data.load(cmh_data.save(data, tmp_path / "out.h5"))
        np.testing.assert_array_equal(back.image[[2, 0]], pixels[np.array([2, 0])])
        assert back.digest == data.digest == back.compute_digest()

    def test_the_true_values_come_back(self, tmp_path, shared_data):
        known = np.load(shared_data / "mirflickr25k_text_labels.npz")
        names, starts, columns = known["tag_names"], known["indptr"], known["indices"]
        tags = {
            int(number): [str(names[column]) for column in columns[starts[row] : starts[row + 1]]]
            for row, number in enumerate(known["image_id"])
        }
        others = sorted(set(range(1, 25001)) - set(tags))
        labels = {
            str(name): known["image_id"][known["labels"][:, column] == 1].tolist()
            for column, name in enumerate(known["label_names"])
        }
        # Images that were left out: rare words only, a label but no tag, or a frequent tag but no label.
        tags |= {number: ["tagof2images"] if number == others[0] else [] for number in others}
        labels["animals"] = [*labels["animals"], *others[:100]]
        counts = np.bincount(columns, minlength=len(names))
        for column in np.flatnonzero(counts < 20):
            for number in others[100 : 120 - counts[column]]:
                tags[number].append(str(names[column]))
        common = [(str(name), max(20, int(count))) for name, count in zip(names, counts, strict=True)]
        with zipfile.ZipFile(tmp_path / "mirflickr25k.zip", "w") as archive:
            for name, content in mirflickr(tags, labels, common=[*common, ("tagof2images", 2)]).items():
                archive.writestr(name, content)
        built = cmh_data.build_mirflickr25k(tmp_path)
        text = np.zeros((20015, 1386), np.uint8)
        text[np.repeat(np.arange(20015), np.diff(starts)), columns] = 1
        np.testing.assert_array_equal(built.text, text)
        np.testing.assert_array_equal(built.label, known["labels"])
        assert built.ids == tuple(map(str, known["image_id"]))
        assert built.text_vocabulary == tuple(names)
        assert built.label_names == tuple(known["label_names"])
        data = built.dataset(np.ones((20015, 2), np.float32), protocol="umml")
        assert data.split.query.tolist() == known["query"].tolist()


def nuswide(rows=6):
    labels = {"sky": [1, 1, 0, 1, 0, 0], "dog": [0, 0, 1, 1, 0, 1], "rare": [0, 0, 0, 0, 1, 0]}
    files = {f"Groundtruth/AllLabels/Labels_{name}.txt": "\r\n".join(map(str, column[:rows]))
             for name, column in labels.items()}  # fmt: skip
    files["ImageList/Imagelist.txt"] = "".join(f"actor\\000{row}_12.jpg\n" for row in range(6))
    files["NUS_WID_Tags/TagList1k.txt"] = "nature\nred\n"
    files["NUS_WID_Tags/AllTags1k.txt"] = "1\t0\t\r\n0\t0\t\r\n1\t1\t\r\n0\t1\t\r\n1\t1\t\r\n0\t0\t\r\n"
    return files


def test_nuswide(tmp_path):
    built = cmh_data.build_nuswide(put(tmp_path, nuswide()), concepts=2)
    assert built.name == "nuswide-tc2"
    assert built.ids == tuple(f"actor/000{row}_12.jpg" for row in (0, 1, 2, 3, 5))
    assert built.label_names == ("dog", "sky")
    assert built.label.tolist() == [[0, 1], [0, 1], [1, 0], [1, 1], [1, 0]]
    assert built.text.tolist() == [[1, 0], [0, 0], [1, 1], [0, 1], [0, 0]]


def test_nuswide_of_different_lengths(tmp_path):
    with pytest.raises(cmh_data.DataError, match=r"Imagelist.txt has 6 lines, but Labels_\w+.txt has 5"):
        cmh_data.build_nuswide(put(tmp_path, nuswide(rows=5)), concepts=2)


def test_coco(tmp_path):
    instances = {
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}],
        "images": [{"id": number, "file_name": f"COCO_{number}.jpg"} for number in (9, 3, 4, 5)],
        "annotations": [
            {"image_id": number, "category_id": one} for number, one in ((9, 1), (9, 90), (3, 1), (4, 1))
        ],
    }
    captions = {"annotations": [
        {"image_id": 9, "caption": "A man holds a brush."}, {"image_id": 9, "caption": "A MAN"},
        {"image_id": 3, "caption": "a man outside"}, {"image_id": 5, "caption": "nothing"},
    ]}  # fmt: skip
    files = {"annotations/instances_val2014.json": json.dumps(instances)}
    files |= {"annotations/captions_val2014.json": json.dumps(captions), "val2014/COCO_3.jpg": jpeg("red")}
    built = cmh_data.build_coco(put(tmp_path, files), least_count=2)
    assert built.ids == ("val2014/COCO_3.jpg", "val2014/COCO_9.jpg")
    assert built.label_names == ("person", "toothbrush")
    assert built.label.tolist() == [[1, 0], [1, 1]]
    assert built.text_vocabulary == ("man",)
    assert built.image_names == ()  # one image file is missing


def flickr30k(folder, lines=None):
    """The official files: one line per caption, five per image, and the image folder."""
    images = ("1000092795.jpg", "10002456.jpg", "999.jpg", "998.jpg")
    lines = lines or [
        f"{image}#{number}\t{'A man' if number else 'Two dogs'} in a green shirt {image[0]} ."
        for image in images
        for number in range(5)
    ]
    files = {"results_20130124.token": "\n".join(lines) + "\n"}
    return put(
        folder,
        files
        | {f"flickr30k-images/{image}": jpeg((60 * number, 90, 0)) for number, image in enumerate(images)},
    )


def test_flickr30k_one_row_per_caption(tmp_path):
    built = cmh_data.build_flickr30k(flickr30k(tmp_path), least_count=4)
    assert len(built) == 20
    assert built.ids[:2] == ("1000092795.jpg#0", "1000092795.jpg#1")
    assert built.image_names[4:6] == ("flickr30k-images/1000092795.jpg", "flickr30k-images/10002456.jpg")
    assert built.text_vocabulary == ("green", "in", "shirt", "man", "dogs", "two")
    assert built.text[:2].tolist() == [[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 0]]
    np.savez(
        tmp_path / "f.npz", ids=["999.jpg", "10002456.jpg", "1000092795.jpg", "998.jpg"], image=np.eye(4)
    )
    features = built.features(tmp_path / "f.npz")
    assert features.argmax(axis=1).tolist() == [2] * 5 + [1] * 5 + [0] * 5 + [3] * 5
    data = built.dataset(features, n_query=1, n_train=2)
    assert (len(data.split.query), len(data.split.train), len(data.split.retrieval)) == (5, 10, 15)
    assert len({data.ids[row].split("#")[0] for row in data.split.query}) == 1  # no image on both sides
    path = cmh_data.save(data, tmp_path / "a.h5")
    back = cmh_data.load(path)  # no label column at all: evaluation is instance recall
    assert back.label.shape == (20, 0)
    assert back.digest == data.digest == back.compute_digest()


def test_flickr30k_one_row_per_image(tmp_path):
    built = cmh_data.build_flickr30k(flickr30k(tmp_path), captions="join", least_count=4)
    assert built.ids == ("1000092795.jpg", "10002456.jpg", "999.jpg", "998.jpg")
    assert built.text.all()
    assert len(built.dataset(built.pixels(4), n_query=1).split.query) == 1
    with pytest.raises(cmh_data.DataError, match='captions must be "each" or "join", but it is \'first\''):
        cmh_data.build_flickr30k(tmp_path, captions="first")


@pytest.mark.parametrize("line", ["1.jpg#0 no tab", "1.jpg\tno number", "1.jpg#0\tfirst\n1.jpg#0\tagain"])
def test_flickr30k_that_is_not_as_documented(tmp_path, line):
    with pytest.raises(cmh_data.DataError, match=r"must be `image.jpg#number<TAB>caption`, each number once"):
        cmh_data.build_flickr30k(flickr30k(tmp_path, [line]))


def test_wikipedia(tmp_path):
    files = {
        "categories.list": "art\nbiology\n",
        "trainset_txt_img_cat.list": "a-1\timg1\t2\nb-2.1\timg2\t1\n",
        "testset_txt_img_cat.list": "c-3\timg3\t2",
        "texts/a-1.xml": "<text>the cell, the Cell</text>",
        "texts/b-2.1.xml": "<text>painting of a cell</text>",
        "texts/c-3.xml": "<text>cell painting</text>",
        "images/biology/img1.jpg": jpeg("red"), "images/art/img2.jpg": jpeg("red"),
        "images/biology/img3.jpg": jpeg("red"),
    }  # fmt: skip
    built = cmh_data.build_wikipedia(put(tmp_path, files))
    assert built.ids == ("a-1", "b-2.1", "c-3")
    assert built.text_vocabulary == ("cell", "painting")
    assert built.text.tolist() == [[1, 0], [1, 1], [1, 1]]
    assert built.label.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert (built.split.train.tolist(), built.split.query.tolist()) == ([0, 1], [2])
    assert built.image_names[1] == "images/art/img2.jpg"
    (tmp_path / "texts/c-3.xml").unlink()
    with pytest.raises(cmh_data.DataError, match=r"lacks texts/c-3.xml \(1 texts are missing\)"):
        cmh_data.build_wikipedia(tmp_path)


ROWS = [
    {"image": "pictures/1.jpg", "text": "A red cat", "labels": "cat;red", "split": "train"},
    {"image": "pictures/2.jpg", "text": "a red dog", "labels": "dog", "split": "train"},
    {"image": "pictures/3.jpg", "text": "the cat", "labels": "cat", "split": "query"},
]


def table(kind, rows):
    if kind == "csv":
        lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
        return "\ufeff" + "\r\n".join(lines)
    if kind == "jsonl":
        return "".join(json.dumps(row | {"labels": row["labels"].split(";")}) + "\n" for row in rows)
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_own_folder(tmp_path, kind):
    files = {f"pictures/{number}.jpg": jpeg("blue") for number in (1, 2, 3)} | {
        f"items.{kind}": table(kind, ROWS)
    }
    built = cmh_data.build_folder(put(tmp_path, files))
    assert built.label_names == ("cat", "dog", "red")
    assert built.label.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert built.text_vocabulary == ("cat", "red")
    assert (built.split.train.tolist(), built.split.query.tolist()) == ([0, 1], [2])
    data = built.dataset(built.pixels(4))
    assert data.image[0].shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"readme": "x"},
            r"must hold one table .csv, .tsv, .jsonl or .parquet, or pictures .* but holds readme",
        ),
        ({"a.csv": "a,b\n1,2\n"}, "has the columns a, b, and none is known as image or text; say which"),
        ({"a.csv": "image,text\n"}, "a.csv holds no row"),
        ({"a.jsonl": "{nonsense"}, "a.jsonl cannot be read"),
        (
            {"a.csv": "image,text,labels\nx.jpg,1,a\n"},
            "no word is in at least 2 of the 1 texts; lower least_count",
        ),
        (
            {"a.csv": "image,text,labels,split\nx,cat,a,other\ny,cat,a,train\n"},
            "split must be train, query or retrieval",
        ),
    ],
)
def test_own_folder_that_is_not_right(tmp_path, files, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.build_folder(put(tmp_path, files))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mirflickr25k", "lacks meta/tags/tags1.txt"),
        ("nuswide", "lacks Imagelist.txt"),
        ("coco", "lacks annotations/instances_train2014.json"),
        ("flickr30k", "lacks results_20130124.token"),
        ("wikipedia", "lacks categories.list"),
    ],
)
def test_folders_without_the_official_files(tmp_path, name, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.builders()[name](tmp_path)
    with pytest.raises(cmh_data.DataError, match="is neither a folder nor a zip file"):
        cmh_data.builders()[name](tmp_path / "nothing")


def test_an_image_that_is_none(tmp_path):
    files = {f"pictures/{number}.jpg": b"no image" for number in (1, 2, 3)} | {
        "items.csv": table("csv", ROWS)
    }
    built = cmh_data.build_folder(put(tmp_path, files))
    with pytest.raises(cmh_data.DataError, match=r"pictures/1.jpg cannot be read as an image"):
        built.pixels(4)[0]


def test_archives_never_lead_out(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.csv").symlink_to(outside)
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        for name in ("../escape.csv", "/absolute.csv", "fine.txt"):
            archive.writestr(name, "x")
    from cmh_data._builders.archive import Archive

    assert sorted(Archive(folder).names()) == ["evil.zip", "fine.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "outside.txt"]


def test_random_split():
    split = cmh_data.random_split(50, n_query=5, n_train=20, seed=1)
    assert (len(split.train), len(split.query), len(split.retrieval)) == (20, 5, 45)
    assert cmh_data.random_split(50, n_query=5, n_train=20, seed=1).digest == split.digest
    with pytest.raises(
        cmh_data.DataError, match="30 queries and 30 training rows cannot be drawn from 50 rows"
    ):
        cmh_data.random_split(50, n_query=30, n_train=30)


def test_words_by_choice():
    table, words = cmh_data.bag_of_words(
        ["Über Äpfel 2007", "über alles", "the of"], least_count=1, stop_words=["of"], largest_share=0.5
    )
    assert words == ("alles", "the", "äpfel")
    assert table.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    table, words = cmh_data.bag_of_words(["2007 A"], pattern=r"\w+", vocabulary=["a", "b"])
    assert table.tolist() == [[1, 0]]


def test_features_are_joined_by_id(tmp_path):
    put(tmp_path / "source", mirflickr(TestMirFlickr.TAGS, TestMirFlickr.LABELS))
    built = cmh_data.build_mirflickr25k(tmp_path / "source", least_tag_count=2)
    features = np.arange(8.0).reshape(4, 2)
    np.savez(tmp_path / "a.npz", ids=np.array(["10", "9", "2", "1"]), image=features)
    np.testing.assert_array_equal(built.features(tmp_path / "a.npz"), features[[3, 2, 0]])
    np.save(tmp_path / "a.npy", features[:3])
    np.testing.assert_array_equal(built.features(tmp_path / "a.npy"), features[:3])
    np.savez(tmp_path / "b.npz", ids=np.array(["10", "9", "2", "3"]), image=features)
    np.save(tmp_path / "b.npy", features)
    for name, message in (
        ("b.npz", "1 are missing"),
        ("b.npy", "has 4 rows, but mirflickr25k has 3"),
        ("c", "must be"),
    ):
        with pytest.raises(cmh_data.DataError, match=message):
            built.features(tmp_path / name)
