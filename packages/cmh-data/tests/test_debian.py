"""Builders from Debian's packages, on made-up packages and indices of the same form."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import tarfile

import cmh_data
import numpy as np
import pytest
from cmh_data._builders.archive import Archive
from PIL import Image, ImageDraw, ImageFont

UNIHAN = "usr/share/unicode"
FONT = "usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"
# Letters stand for the characters, since Pillow brings a font of these.
READINGS = """# comment, kDefinition
U+0041	kCantonese	a1
U+0041	kDefinition	(same as U+4E18 丘) big water; Kangxi radical 85
U+0042	kDefinition	water, fire
U+0043	kDefinition	fire; radical number 86
U+0044	kDefinition	a rare one
U+4E00	kDefinition	fire that the font cannot draw
U+0049	kDefinition	water that lacks a radical
"""
SOURCES = """U+0041	kRSUnicode	85.3
U+0042	kRSUnicode	85.4 86.1
U+0043	kRSUnicode	86'.2
U+0044	kRSUnicode	86.0
U+4E00	kRSUnicode	1.0
"""
RADICALS = "# radicals\n85; 2F54; 6C34\n86; 2F55; 706B\n120'; 2EB0; 7E9F\n"


def tar(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def deb(files, compression="xz"):
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": tar({}, "w:xz") + b"\n",  # odd or even, what follows is found
        f"data.tar.{compression}": tar(files, f"w:{compression}"),
    }
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def png(colour, size=64):
    out = io.BytesIO()
    Image.new("RGBA", (size, size), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def characters(tmp_path):
    files = {
        f"{UNIHAN}/Unihan_Readings.txt.bz2": bz2.compress(READINGS.encode()),
        f"{UNIHAN}/Unihan_IRGSources.txt.bz2": bz2.compress(SOURCES.encode()),
        f"{UNIHAN}/CJKRadicals.txt": RADICALS.encode(),
    }
    (tmp_path / "unicode-data_1_all.deb").write_bytes(deb(files))
    font = ImageFont.load_default(20)
    (tmp_path / "fonts-wqy-zenhei_1_all.deb").write_bytes(deb({FONT: font.font_bytes}))
    return tmp_path


def test_characters_have_pictures_definitions_and_radicals(characters):
    built = cmh_data.build_hanzi(characters, least_count=2)
    assert built.ids == ("A", "B", "C")  # D has no word left, 一 no glyph, I no radical
    assert built.label_names == ("85 水", "86 火")
    assert built.label.tolist() == [[1, 0], [1, 0], [0, 1]]  # of B, the first radical
    assert built.text_vocabulary == ("fire", "water")
    assert built.text.tolist() == [[0, 1], [1, 1], [1, 0]]
    steps = built.provenance["steps"]
    assert re.match(r"6 characters with a definition, 1 of them not in .*wqy-zenhei.ttc", steps[0])
    assert "1 definitions without a word of the vocabulary left out" in steps


def test_definitions_do_not_name_the_label(characters):
    captions = cmh_data.build_hanzi(characters, least_count=1).captions
    assert captions[:3] == ("(same as ) big water;", "water, fire", "fire;")


def test_the_picture_of_a_character_is_what_the_font_draws(characters):
    built = cmh_data.build_hanzi(characters, least_count=2)
    drawn = np.asarray(Image.open(io.BytesIO(built.pictures()[1].read_bytes())))
    expected = Image.new("L", (56, 56), 255)
    font = ImageFont.truetype(io.BytesIO(ImageFont.load_default(20).font_bytes), 48)
    ImageDraw.Draw(expected).text((28, 28), "B", font=font, fill=0, anchor="mm")
    np.testing.assert_array_equal(drawn, np.asarray(expected))
    pixels = built.pixels(56)
    np.testing.assert_array_equal(pixels[1][0], drawn)


def test_characters_become_a_data_set(characters):
    built = cmh_data.build_hanzi(characters, least_count=2)
    data = built.dataset(built.pixels(8), n_query=1, seed=3)
    assert (data.name, len(data.split.query), len(data.split.train)) == ("hanzi", 1, 2)
    assert data.image_present.all()
    assert data.text_present.all()
    with pytest.raises(
        cmh_data.DataError, match="the protocol hanzi fits Chinese characters of unicode-data"
    ):
        built.dataset(built.pixels(8), protocol="hanzi")


@pytest.mark.parametrize(
    ("package", "message"),
    [
        (
            "unicode-data",
            "lacks Unihan_Readings.txt of unicode-data; get it with: apt-get download unicode-d",
        ),
        (
            "fonts-wqy-zenhei",
            "lacks wqy-zenhei.ttc of fonts-wqy-zenhei; get it with: apt-get download fonts-",
        ),
    ],
)
def test_a_missing_package_is_named(characters, package, message):
    (characters / f"{package}_1_all.deb").unlink()
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.build_hanzi(characters)


@pytest.mark.parametrize("damage", [lambda file: file[:-900], lambda file: b"<html>" + file, lambda _: b""])
def test_a_damaged_package_is_named(characters, damage):
    path = characters / "unicode-data_1_all.deb"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(cmh_data.DataError, match=r"unicode-data_1_all.deb is .*fetch it again"):
        cmh_data.build_hanzi(characters)


def test_a_font_that_cannot_draw_is_named(characters):
    content = bytearray(ImageFont.load_default(20).font_bytes)
    content[len(content) // 4 :: 7] = bytes(len(content[len(content) // 4 :: 7]))
    (characters / "fonts-wqy-zenhei_1_all.deb").write_bytes(deb({FONT: bytes(content)}))
    with pytest.raises(cmh_data.DataError, match=r"font|none of the"):
        cmh_data.build_hanzi(characters)


def test_code_points_of_no_character_are_left_alone(characters):
    lines = "U+110000\tkDefinition\twater\nU+D800\tkDefinition\twater\n"
    files = {
        f"{UNIHAN}/Unihan_Readings.txt": (READINGS + lines).encode(),
        f"{UNIHAN}/Unihan_IRGSources.txt": SOURCES.encode(),
        f"{UNIHAN}/CJKRadicals.txt": b"85; 2F54; 110000\n",
    }
    (characters / "unicode-data_1_all.deb").write_bytes(deb(files))
    assert cmh_data.build_hanzi(characters, least_count=2).ids == ("A", "B", "C")


def test_a_package_of_another_compression_is_refused(tmp_path):
    content = deb({"a": b"1"}).replace(b"data.tar.xz ", b"data.tar.zst")
    (tmp_path / "a.deb").write_bytes(content)
    with pytest.raises(
        cmh_data.DataError, match=r"data\.tar\.zst is compressed in a way that is not read here"
    ):
        cmh_data.build_hanzi(tmp_path)


INDEX = """---
File: DEP-11
Version: '0.16'
---
Type: desktop-application
ID: b.desktop
Name:
  C: Boat
  de: Boot
Summary:
  C: A game of boats
Description:
  C: >-
    <p>Sail &amp; win.</p><ul><li>Many boats</li></ul>
Categories:
- Game
- BoardGame
- Education
Keywords:
  C:
  - sea
Icon:
  cached:
  - name: boat.png
    width: 64
    height: 64
---
Type: desktop-application
ID: a.desktop
Name:
  C: Player
Summary:
  C: Plays the sea
Categories:
- Audio
- Video
Icon:
  cached:
  - name: player.png
---
Type: desktop-application
ID: c.desktop
Name:
  C: Another player
Categories:
- Audio
Icon:
  cached:
  - name: copy.png
---
Type: addon
ID: d.addon
Name:
  C: No category
Icon:
  cached:
  - name: boat.png
---
Type: desktop-application
ID: e.desktop
Name:
  C: No icon
Categories:
- Game
"""


@pytest.fixture
def programs(tmp_path):
    prefix = "deb.example_dists_bookworm_main_dep11_"
    small = {"boat.png": png("red"), "player.png": png("blue"), "copy.png": png("blue")}
    (tmp_path / f"{prefix}Components-amd64.yml.gz").write_bytes(gzip.compress(INDEX.encode()))
    (tmp_path / f"{prefix}icons-64x64.tar.gz").write_bytes(tar(small, "w:gz"))
    (tmp_path / f"{prefix}icons-128x128.tar.gz").write_bytes(tar({"boat.png": png("red", 128)}, "w:gz"))
    return tmp_path


def test_programs_have_icons_texts_and_categories(programs):
    built = cmh_data.build_debian_apps(programs, least_count=1, largest_share=1.0)
    assert built.ids == ("a.desktop", "b.desktop")  # c has the icon of a
    assert built.label_names == ("AudioVideo", "Education", "Game")
    assert built.label.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert built.captions == (
        "Player Plays the sea",
        "Boat A game of boats Sail & win. Many boats sea",
    )
    assert "sea" in built.text_vocabulary
    assert built.provenance["steps"][:3] == [
        "5 components",
        "1 with the icon of an earlier one left out",
        "1 without a main category or a text left out",
    ]


def test_the_largest_icon_is_taken(programs):
    built = cmh_data.build_debian_apps(programs, least_count=1)
    sizes = [Image.open(io.BytesIO(one.read_bytes())).size for one in built.pictures()]
    assert sizes == [(64, 64), (128, 128)]
    assert built.image_names == ("64x64/player.png", "128x128/boat.png")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("Components", "lacks Components-amd64.yml.gz of Debian's DEP-11"),
        ("icons", "lacks icons-64x64.tar.gz"),
    ],
)
def test_a_missing_index_is_named(programs, missing, message):
    for path in programs.glob(f"*{missing}*"):
        path.unlink()
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.build_debian_apps(programs)


@pytest.mark.parametrize(
    "content", [b"a: [", b"- &a [*a", b"\x1f\x8b\x08nonsense", gzip.compress(b"\xff\xfe\xfd")]
)
def test_a_damaged_index_is_named(programs, content):
    next(programs.glob("*Components*")).write_bytes(content)
    with pytest.raises(
        cmh_data.DataError, match=r"Components-amd64.yml.gz cannot be read \(.*fetch it again"
    ):
        cmh_data.build_debian_apps(programs)


def test_tar_files_are_read_in_place_and_never_lead_out(tmp_path):
    (tmp_path / "one.tar").write_bytes(tar({"a.txt": b"1", "../b.txt": b"2", "/c.txt": b"3"}))
    (tmp_path / "two.tar").write_bytes(tar({"a.txt": b"4", "d/e.txt": b"5"}))
    archive = Archive(tmp_path)
    found = {name: archive.read(name) for name in archive.names() if not name.endswith(".tar")}
    assert found == {"a.txt": b"1", "two.tar/a.txt": b"4", "d/e.txt": b"5"}
    assert archive.size("two.tar/a.txt") == 1
    assert archive.head("d/e.txt", 1) == b"5"
    assert list(archive.text_lines("a.txt", encoding="utf-8", longest=9)) == ["1"]


def test_a_tar_file_that_ends_early_is_named(tmp_path):
    (tmp_path / "one.tar").write_bytes(tar({"a.txt": b"1" * 5000})[:3000])
    with pytest.raises(cmh_data.DataError, match=r"one.tar.*fetch (it|the archive) again"):
        Archive(tmp_path).read("a.txt")
