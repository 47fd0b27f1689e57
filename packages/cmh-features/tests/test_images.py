from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from cmh_features import UnreadableItemError, open_image
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def colour(image, place=(0, 0)):
    return image.getpixel(place)


def near(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_the_six_formats_are_read(kind):
    image = open_image(saved(Image.new("RGB", (20, 10), RED), kind))
    assert image.mode == "RGB"
    assert image.size == (20, 10)
    assert near(colour(image), RED)


def test_a_path_with_blanks_and_chinese_characters_is_read(tmp_path):
    path = tmp_path / "我的 照片 é.png"
    path.write_bytes(saved(Image.new("RGB", (2, 2), RED)))
    assert colour(open_image(path)) == colour(open_image(str(path))) == RED


def test_transparent_pixels_become_white():
    half = Image.new("RGBA", (2, 1), (*RED, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    image = open_image(saved(half))
    assert (colour(image), colour(image, (1, 0))) == (RED, WHITE)


def test_a_transparent_palette_entry_becomes_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    image = open_image(saved(palette, "GIF", transparency=1))
    assert (colour(image), colour(image, (1, 0))) == (RED, WHITE)


def test_a_transparent_colour_of_an_rgb_png_becomes_white():
    image = open_image(saved(Image.new("RGB", (1, 1), RED), transparency=RED))
    assert colour(image) == WHITE


def test_grey_with_alpha_is_laid_on_white():
    assert colour(open_image(saved(Image.new("LA", (1, 1), (0, 0))))) == WHITE


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind):
    image = open_image(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind))
    assert image.mode == "RGB"
    assert near(colour(image), RED)


def test_sixteen_bits_keep_their_upper_eight():
    grey = Image.fromarray(np.array([[0, 0x80FF, 0xFFFF]], np.uint16))
    image = open_image(saved(grey))
    assert [colour(image, (x, 0))[0] for x in range(3)] == [0, 0x80, 0xFF]


def test_one_bit_images_become_black_and_white():
    image = open_image(saved(Image.fromarray(np.array([[True, False]]))))
    assert (colour(image), colour(image, (1, 0))) == (WHITE, (0, 0, 0))


def test_exif_orientation_turns_the_image():
    upright = Image.new("RGB", (2, 4), "white")
    upright.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    image = open_image(saved(upright, "PNG", exif=exif))
    assert image.size == (4, 2)
    assert colour(image, (3, 0)) == RED


def test_exif_orientation_turns_a_jpeg_that_is_decoded_smaller():
    exif = Image.Exif()
    exif[0x0112] = 8
    image = open_image(saved(Image.new("RGB", (640, 320)), "JPEG", exif=exif), shrink_to=80)
    assert image.size == (80, 160)


def test_jpeg_is_decoded_smaller_but_never_below_what_is_needed():
    data = saved(Image.new("RGB", (900, 600), RED), "JPEG")
    assert open_image(data).size == (900, 600)
    assert open_image(data, shrink_to=150).size == (225, 150)
    assert min(open_image(data, shrink_to=299).size) >= 299


def test_only_the_first_frame_is_read():
    frames = [Image.new("RGB", (2, 2), RED), Image.new("RGB", (2, 2), "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert colour(open_image(data)) == RED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"these are words", "is not an image of the formats JPEG, PNG, GIF, WEBP, BMP, TIFF"),
        (saved(Image.new("RGB", (64, 64), RED), "JPEG")[:-20], "damaged"),
        (saved(Image.effect_noise((64, 64), 50))[:2000], "damaged"),
        (b"\xff\xd8\xff\xe0", "image"),
        (saved(Image.fromarray(np.full((2, 2), 2.0, np.float32)), "TIFF"), "real numbers outside 0 to 1"),
        (saved(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"), "beyond 16 bits"),
    ],
    ids=["empty", "words", "cut JPEG", "cut PNG", "four bytes", "real numbers", "large numbers"],
)
def test_what_cannot_be_read_says_why(content, reason, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(UnreadableItemError, match=reason):
            open_image(source)


def test_missing_files_and_folders_say_so(tmp_path):
    with pytest.raises(UnreadableItemError, match="cannot be opened"):
        open_image(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableItemError, match="is not a file"):
        open_image(tmp_path)


def test_too_many_pixels_are_refused_from_the_header_alone():
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(UnreadableItemError, match="9000 x 9000 pixels, more than the limit of 80000000"):
        open_image(data, max_pixels=80_000_000)
    with pytest.raises(UnreadableItemError, match="damaged"):
        open_image(data)
    bomb = data.replace(header, struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = bomb.replace(
        struct.pack(">I", zlib.crc32(b"IHDR" + header)),
        struct.pack(">I", zlib.crc32(b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))),
    )
    with pytest.raises(UnreadableItemError, match="more pixels than the limit"):
        open_image(bomb)


def test_postscript_starts_no_program(tmp_path):
    programs, mark = tmp_path / "bin", tmp_path / "started"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    (programs / "gs").chmod(0o755)
    (tmp_path / "a.jpg").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
    )
    script = f"import cmh_features; cmh_features.open_image({str(tmp_path / 'a.jpg')!r})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is not an image of the formats" in done.stderr
    assert not mark.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.full((2, 3), 200, np.uint8),
        np.full((2, 3, 1), 200, np.uint8),
        np.full((2, 3, 3), 200, np.uint8),
        np.full((3, 5, 2), 200, np.uint8),
        np.full((2, 3, 3), 200 / 255, np.float32),
        np.full((2, 3), 200 * 256, np.uint16),
    ],
)
def test_arrays_of_pixels_are_images(array):
    image = open_image(array)
    assert image.mode == "RGB"
    assert colour(image) == (200, 200, 200)


def test_three_channels_may_come_first():
    array = np.zeros((3, 4, 6), np.uint8)
    array[0] = 255
    image = open_image(array)
    assert (image.size, colour(image)) == ((6, 4), RED)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((2, 2, 2), np.uint8), "shape"),
        (np.zeros(5, np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.full((2, 2), np.nan), "real numbers outside"),
    ],
)
def test_other_arrays_are_refused(array, reason):
    with pytest.raises(UnreadableItemError, match=reason):
        open_image(array)


@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]), st.data())
def test_damaged_files_are_refused_and_never_crash(noise, kind, data):
    whole = bytearray(saved(Image.new("RGB", (9, 7), RED), kind))
    start = data.draw(st.integers(0, len(whole)))
    whole[start : start + len(noise)] = noise
    with contextlib.suppress(UnreadableItemError):
        assert open_image(bytes(whole), max_pixels=10_000).mode == "RGB"
