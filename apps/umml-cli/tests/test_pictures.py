"""Pictures of an index, in a folder or a zip file: only what lies there is shown, drawn anew."""

import io
import os
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cmh_search import CodeIndex
from PIL import Image
from typer.testing import CliRunner
from umml_cli.errors import UserError
from umml_cli.main import app
from umml_cli.search.collection import _build, open_collection, told_apart, unfollowed
from umml_cli.search.pictures import Pictures


def png(colour):
    out = io.BytesIO()
    Image.new("RGB", (9, 5), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sea/boat.png", png("red"))
        file.writestr("words.png", b"no picture")
        file.writestr("../outside.png", png("blue"))
        file.mkdir("sea/folder.png")
    (tmp_path / "outside.png").write_bytes(png("blue"))
    return path


def pictures(tmp_path, root):
    return Pictures(CodeIndex.create(tmp_path / "index", bits=8, remarks={"pictures": str(root)}))


def item(name):
    return {"id": "a", "payload": {"picture": name}}


def test_a_picture_in_a_zip_file_is_shown(tmp_path, archive):
    made = pictures(tmp_path, archive)
    assert made.has(item("sea/boat.png"))
    with Image.open(io.BytesIO(made.small(item("sea/boat.png")))) as small:
        assert (small.format, small.size) == ("WEBP", (9, 5))


@pytest.mark.parametrize(
    "name", ["nothing.png", "sea/folder.png/", "../../outside.png", "/etc/passwd", "words.png", 3, None]
)
def test_what_is_no_picture_in_the_zip_file_is_not_shown(tmp_path, archive, name):
    assert pictures(tmp_path, archive).small(item(name)) is None


def test_a_member_that_says_it_is_huge_is_not_read(tmp_path, archive):
    content = bytearray(archive.read_bytes())
    directory = content.index(b"PK\x01\x02")  # the first member's entry; its size stands 24 bytes on
    content[directory + 24 : directory + 28] = struct.pack("<I", 2**31)
    archive.write_bytes(content)
    made = pictures(tmp_path, archive)
    assert not made.has(item("sea/boat.png"))


@pytest.mark.parametrize("root", ["missing.zip", "text.zip", "folder"])
def test_where_there_is_no_archive_nothing_is_shown(tmp_path, root):
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "folder").mkdir()
    assert not pictures(tmp_path, tmp_path / root).has(item("sea/boat.png"))


def test_a_collection_of_pictures_in_a_zip_file_names_them_as_the_archive_does(archive):
    raw = _build(archive)
    assert [str(file) for file in raw.files] == list(raw.ids)
    assert "sea/boat.png" in raw.ids
    assert raw.files[raw.ids.index("sea/boat.png")].read_bytes() == png("red")


def test_texts_beside_pictures_are_their_texts(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("1", "2"):
        (folder / f"{name}.png").write_bytes(png("red"))
    (folder / "1.txt").write_text("a red boat")
    raw = _build(folder)
    assert dict(zip(raw.ids, raw.captions, strict=True)) == {"1.png": "a red boat", "2.png": ""}


def test_a_picture_whose_name_breaks_the_line_is_refused(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a\nb.png").write_bytes(png("red"))
    done = CliRunner().invoke(
        app, ["features", str(folder), str(tmp_path / "x.npy"), "--image-encoder", "tiny-aligned"]
    )
    assert "holds a line break; rename it" in str(done.exception)
    assert not (tmp_path / "x.npy").exists()


def test_rows_that_share_a_name_alone_are_told_apart_by_their_numbers():
    ids = ("a.png", "b.png", "a.png", "c.png")
    assert told_apart(ids, np.arange(4)) == ["a.png (row 0)", "b.png", "a.png (row 2)", "c.png"]
    assert told_apart(ids, np.array([1, 2, 3])) == ids  # the other a.png is not in the collection
    taken = ("a", "a", "a (row 0)")
    assert len(set(told_apart(taken, np.arange(3)))) == 3


NO_SPACE = SimpleNamespace(method=SimpleNamespace(one_space=True))


def test_links_to_folders_are_named_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "2.png").write_bytes(png("blue"))
    here = tmp_path / "here"
    here.mkdir()
    (here / "1.png").write_bytes(png("red"))
    assert unfollowed(str(here)) == []
    (here / "more").symlink_to(tmp_path / "elsewhere")
    assert _build(here).ids == ("1.png",)
    assert unfollowed(str(here)) == ["links to folders are not followed: more"]
    assert unfollowed("emoji") == []
    (here / "1.png").unlink()
    with pytest.raises(UserError, match="holds no pictures; links to folders are not followed: more"):
        open_collection(str(here), NO_SPACE)


def test_a_folder_with_texts_alone_is_no_collection(tmp_path):
    (tmp_path / "captions.csv").write_text("image,text\n,red cat\n")
    with pytest.raises(UserError, match=r"holds no pictures\. Put them into it, beside a table"):
        open_collection(str(tmp_path), NO_SPACE)


@pytest.mark.parametrize("command", ["index", "features"])
def test_a_picture_whose_name_is_not_utf_8_is_refused(tmp_path, command):
    folder = tmp_path / "photos"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(png("red"))
    if command == "index":
        with pytest.raises(UserError) as refused:
            _build(folder)
        said = str(refused.value)
    else:
        arguments = [str(folder), str(tmp_path / "x.npy"), "--image-encoder", "grey-pixels"]
        said = str(CliRunner().invoke(app, ["features", *arguments]).exception)
    assert said.endswith("the name of a picture is not UTF-8, b'caf\\xe9.png'; rename it.")
    assert not (tmp_path / "x.npy").exists()


def test_the_end_of_encoding_is_said_once(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png("red"))
    arguments = [str(folder), str(tmp_path / "x.npy"), "--image-encoder", "grey-pixels"]
    done = CliRunner().invoke(app, ["features", *arguments])
    assert done.exit_code == 0, done.exception
    assert done.output.count("images: 3 of 3") == 1
