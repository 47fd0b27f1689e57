"""Build the Chinese characters from two Debian packages: pictures of a font, definitions of Unicode."""

from __future__ import annotations

import bz2
import hashlib
import io
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders.archive import Archive
from cmh_data._builders.bag_of_words import bag_of_words, vocabulary_digest
from cmh_data._builders.common import built
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from PIL.ImageFont import FreeTypeFont

    from cmh_data._builders.built_data import BuiltData

FONT_SIZE = 48  # pixels
SIDE = 56  # pixels of a picture: the font's characters and a margin
LARGEST_FONT = 256 << 20  # bytes
NO_CHARACTER = "\U0010fffe"  # is in no font, so it is drawn as missing characters are
WORD = "[a-z]{2,}"
LEAST_COUNT = 5
# A definition that names the radical names the label; code points and characters are pictures in words.
LEAKS = re.compile(
    r"(?:a |the |simplified |variant of |form of )*(?:GB |Kang[xz]i )?\bradicals?(?: number)? ?\d+"
    r"(?: on the [a-z ]*)?|U\+[0-9A-F]+|[^\x00-\u2fff]+",
    re.IGNORECASE,
)


class GlyphPictures(Archive):
    """The source folder, and pictures of characters that are drawn when they are read.

    Args:
        source: the folder with the packages.

    Raises:
        DataError: there is no such folder, or a package is damaged.
    """

    def __init__(self, source: Path) -> None:
        super().__init__(source, packages=True)
        self._drawing = threading.Lock()  # a font may be used by one thread at a time
        self._font: FreeTypeFont | None = None

    def load_font(self) -> str:
        """Find the font `wqy-zenhei.ttc`, and return its path inside."""
        from PIL import ImageFont  # noqa: PLC0415 - an extra

        name = self.find("wqy-zenhei.ttc")
        if name is None:
            raise DataError(_lacks(self, "wqy-zenhei.ttc", "fonts-wqy-zenhei"))
        content = super().read(name, largest=LARGEST_FONT)
        try:
            self._font = ImageFont.truetype(io.BytesIO(content), FONT_SIZE)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.source}: {name} cannot be read as a font ({error}).") from error
        return name

    def draw(self, character: str) -> bytes:
        """Return a PNG file of one character, black on white; b"" where the font lacks it."""
        try:
            return self._draw(character)
        except (OSError, ValueError, MemoryError) as error:
            raise DataError(
                f"{self.source}: the font cannot draw U+{ord(character):04X} ({error}); fetch it again."
            ) from error

    def _draw(self, character: str) -> bytes:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - an extra

        assert self._font is not None
        with self._drawing:
            shape, missing = self._font.getmask(character), self._font.getmask(NO_CHARACTER)
            if not shape.getbbox() or (shape.size == missing.size and bytes(shape) == bytes(missing)):
                return b""
            image = Image.new("L", (SIDE, SIDE), 255)
            ImageDraw.Draw(image).text(
                (SIDE // 2, SIDE // 2), character, font=self._font, fill=0, anchor="mm"
            )
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def read(self, name: str, *, largest: int = LARGEST_FONT) -> bytes:
        """Return the bytes of one file; `U+4E00.png` is drawn."""
        if found := re.fullmatch(r"U\+([0-9A-F]{4,6})\.png", name):
            return self.draw(chr(int(found[1], 16)))
        return super().read(name, largest=largest)


def build_hanzi(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    r"""Chinese characters as pictures, their English definitions as texts, their Kangxi radicals as labels.

    Rows are the characters, by code point, that have a definition (`kDefinition` of Unihan), a glyph in the
    font WenQuanYi Zen Hei and a word of the vocabulary: 20,035 with the packages of Debian 12. Of characters
    that look alike to the pixel the first is kept. Definitions lose what gives the label away: radical
    numbers, code points and characters.

    The radical is part of the picture, so that images tell labels almost by construction; results say nothing
    about photographs. The texts are short, 4 words in the middle, and classes are long-tailed.

    Args:
        source: the folder with the Debian packages `unicode-data` and `fonts-wqy-zenhei` as
            `apt-get download` leaves them.
        **words: how definitions become words, see `bag_of_words`; by default words of two or more letters in
            at least 5 definitions.

    Returns:
        Rows, words and labels; the pictures, 56 pixels wide, are drawn when they are read.

    Raises:
        DataError: a package is missing, or not as documented.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         build_hanzi(folder)
        ...     except DataError as error:
        ...         print(str(error).removeprefix(folder))
         lacks Unihan_Readings.txt of unicode-data; get it with: apt-get download unicode-data
    """
    archive = GlyphPictures(Path(source))
    definitions = {code: _plain(text) for code, text in _unihan(archive, "Readings", "kDefinition")}
    radicals = {
        code: int(text.split(".", 1)[0].rstrip("'"))
        for code, text in _unihan(archive, "IRGSources", "kRSUnicode")
        if re.match(r"\d+'*\.", text)
    }
    try:
        font = archive.load_font()
    except ImportError as error:
        raise DataError("drawing characters needs pillow: install cmh-data[images].") from error
    drawn: dict[bytes, int] = {}
    without_glyph = repeated = 0
    for code in sorted(definitions.keys() & radicals.keys()):
        picture = archive.draw(chr(code))
        digest = hashlib.sha256(picture).digest()
        without_glyph += not picture
        repeated += bool(picture) and digest in drawn
        if picture:
            drawn.setdefault(digest, code)
    codes = list(drawn.values())
    if not codes:
        raise DataError(f"{archive.source}: {font} has none of the {len(definitions)} characters.")
    texts = [definitions[code] for code in codes]
    table, vocabulary = bag_of_words(
        texts, **{"pattern": WORD, "least_count": LEAST_COUNT, "largest_vocabulary": None, **words}
    )
    kept = np.flatnonzero(table.any(axis=1))
    codes = [codes[row] for row in kept]
    names = _radical_names(archive)
    numbers = sorted({radicals[code] for code in codes})
    label = np.zeros((len(codes), len(numbers)), np.uint8)
    column = {number: place for place, number in enumerate(numbers)}
    label[np.arange(len(codes)), [column[radicals[code]] for code in codes]] = 1
    return built(
        archive,
        name="hanzi",
        ids=[chr(code) for code in codes],
        image_names=[f"U+{code:04X}.png" for code in codes],
        text=table[kept],
        text_vocabulary=vocabulary,
        label=label,
        label_names=[f"{number} {names.get(number, '')}".strip() for number in numbers],
        captions=[texts[row] for row in kept],
        steps=[
            f"{len(definitions)} characters with a definition, {without_glyph} of them not in {font}",
            f"{repeated} characters that look like an earlier one left out",
            f"{len(texts) - len(kept)} definitions without a word of the vocabulary left out",
            f"{len(vocabulary)} words, SHA-256 {vocabulary_digest(vocabulary)}",
            f"pictures drawn at {FONT_SIZE} pixels by Pillow {_pillow_version()}",
        ],
    )


def _plain(definition: str) -> str:
    return " ".join(LEAKS.sub(" ", definition).split())


def _unihan(archive: Archive, part: str, field: str) -> Iterator[tuple[int, str]]:
    """Code point and value of one field of a Unihan file, compressed or not."""
    name = archive.find(f"Unihan_{part}.txt.bz2") or archive.find(f"Unihan_{part}.txt")
    if name is None:
        raise DataError(_lacks(archive, f"Unihan_{part}.txt", "unicode-data"))
    content = archive.read(name)
    try:
        text = (bz2.decompress(content) if name.endswith(".bz2") else content).decode("utf-8")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{archive.source}: {name} cannot be read ({error}); fetch it again.") from error
    found = re.findall(rf"^U\+([0-9A-F]{{4,6}})\t{field}\t(.+)$", text, re.MULTILINE)
    if not found:
        raise DataError(f"{archive.source}: {name} holds no {field}.")
    values = (
        (_character(code), value.split(" ")[0] if field == "kRSUnicode" else value) for code, value in found
    )
    return ((code, value) for code, value in values if code)


def _radical_names(archive: Archive) -> Mapping[int, str]:
    """From each Kangxi radical to its character, as far as `CJKRadicals.txt` says."""
    name = archive.find("CJKRadicals.txt")
    text = "" if name is None else archive.read(name).decode("utf-8", "replace")
    return {
        int(number): chr(_character(code))
        for number, code in re.findall(r"^(\d{1,3}); [0-9A-F]+; ([0-9A-F]{4,6})\b", text, re.MULTILINE)
    }


def _character(code: str) -> int:
    """The number of a code point in hexadecimal; 0 where no character has it."""
    number = int(code, 16)
    return number if number < 0xD800 or 0xE000 <= number <= sys.maxunicode else 0


def _lacks(archive: Archive, name: str, package: str) -> str:
    return f"{archive.source} lacks {name} of {package}; get it with: apt-get download {package}"


def _pillow_version() -> str:
    import PIL  # noqa: PLC0415 - an extra

    return PIL.__version__
