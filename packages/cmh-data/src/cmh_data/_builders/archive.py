"""Reading official archives in place: folders, zip files and tar files."""

from __future__ import annotations

import io
import lzma
import os
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from cmh_data._builders.packed import PACKED_ENDINGS, TAR_ENDINGS, PackedFiles
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_MEMBER = 4 << 30
DAMAGE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    NotImplementedError,
    EOFError,
)


class Archive:
    """The files of a folder and of the zip and tar files at its top, by their path inside.

    Nothing is unpacked, so no path can lead out. Links to folders, links out of the folder, links that lead
    nowhere, and what is no file (pipes, sockets, devices) are left alone; `links` names those to folders and
    those to files outside.

    Args:
        source: a folder, one zip file, or one tar file.
        packages: also open Debian packages and compressed tar files, unpacked into temporary files.

    Raises:
        DataError: there is nothing of that kind, or a zip or tar file is damaged.
    """

    def __init__(self, source: Path, *, packages: bool = False) -> None:
        self.source = source
        self._lock = threading.Lock()
        self.links: list[str] = []
        self._files: dict[str, Path] = {}
        self._members: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] = {}
        self._packed: dict[str, tuple[PackedFiles, str]] = {}
        endings = TAR_ENDINGS + (PACKED_ENDINGS if packages else ())
        tars: list[Path] = []
        if source.is_dir():
            root = source.resolve()
            self._read_folder(root)
            zips = sorted(
                path for path in self._files.values() if path.suffix == ".zip" and path.parent == root
            )
            tars = sorted(
                path
                for path in self._files.values()
                if path.name.lower().endswith(endings) and path.parent == root
            )
        elif source.is_file() and source.name.lower().endswith(endings):
            zips, tars = [], [source]
        elif source.is_file() and zipfile.is_zipfile(source):
            zips = [source]
        else:
            raise DataError(
                f"{source} is neither a folder nor a zip file; give the folder of the official files."
            )
        for path in zips:
            self._add_zip(path)
        for path in tars:
            packed = PackedFiles(path)
            for name in packed.members:  # a name that is taken is told apart by its tar file
                self._packed[name if name not in self._packed else f"{path.name}/{name}"] = packed, name

    def _read_folder(self, root: Path) -> None:
        for folder, folders, names in os.walk(root):
            at = Path(folder).relative_to(root)
            self.links += [(at / name).as_posix() for name in folders if (root / at / name).is_symlink()]
            for name in names:
                path = root / at / name
                inside = Path(os.path.realpath(path)).is_relative_to(root)  # a loop of links is no error
                if not path.is_file():  # to open a pipe would wait for ever
                    continue
                if inside:
                    self._files[(at / name).as_posix()] = path
                else:
                    self.links.append((at / name).as_posix())

    @property
    def said_of_links(self) -> str:
        """That links were left alone, and which; "" where there is none."""
        if not self.links:
            return ""
        more = f" and {len(self.links) - 1} more" if len(self.links) > 1 else ""
        return f"links to folders and out of the folder are not followed: {min(self.links)}{more}"

    def names(self) -> Iterator[str]:
        """All paths inside, with `/` between folders."""
        yield from self._files
        yield from (name for name in self._members if name not in self._files)
        yield from (name for name in self._packed if name not in self._files and name not in self._members)

    def size(self, name: str) -> int:
        """The bytes of one file, as the folder or the zip file states them."""
        if name in self._files:
            return self._files[name].stat().st_size
        if name not in self._members:
            packed, inside = self._packed[name]
            return packed.members[inside][1]
        return self._members[name][1].file_size

    def read(self, name: str, *, largest: int = LARGEST_MEMBER) -> bytes:
        """The bytes of one file, at most `largest`."""
        try:
            size = self.size(name)
            if size > largest:
                raise DataError(f"{self.source}: {name} has {size} bytes, but at most {largest} are read.")
            if name in self._files:
                return self._files[name].read_bytes()
            if name not in self._members:
                packed, inside = self._packed[name]
                return packed.read(inside)
            archive, info = self._members[name]
            with self._lock:  # a zip file counts its readers, and not safely so
                return archive.read(info)
        except DAMAGE as error:
            raise self._unreadable(name, error) from error

    def head(self, name: str, count: int) -> bytes:
        """The first bytes of one file."""
        try:
            stored: IO[bytes] = self._files[name].open("rb") if name in self._files else self._open(name)
            with stored:
                return stored.read(count)
        except DAMAGE as error:
            raise self._unreadable(name, error) from error

    def text_lines(self, name: str, *, encoding: str, longest: int) -> Iterator[str]:
        """The lines of one text file one by one, with their ends, so that a large table is never held whole.

        Args:
            name: the file.
            encoding: of its characters.
            longest: the most characters in a line.

        Yields:
            Line after line.

        Raises:
            DataError: the file cannot be read, or a line is too long.
            UnicodeDecodeError: the characters are encoded otherwise.
        """
        try:
            stored: IO[bytes] = self._files[name].open("rb") if name in self._files else self._open(name)
            with stored, io.TextIOWrapper(stored, encoding=encoding, newline="") as text:
                number = 0
                while line := text.readline(longest + 1):
                    number += 1
                    if len(line) > longest:
                        raise DataError(
                            f"{self.source}: line {number} of {name} has more than {longest} characters."
                        )
                    yield line
        except UnicodeDecodeError:
            raise
        except DAMAGE as error:
            raise self._unreadable(name, error) from error

    def _open(self, name: str) -> IO[bytes]:
        if name not in self._members:
            packed, inside = self._packed[name]
            return io.BytesIO(packed.read(inside))
        archive, info = self._members[name]
        with self._lock:
            return archive.open(info)

    def _unreadable(self, name: str, error: BaseException) -> DataError:
        return DataError(f"{self.source}: {name} cannot be read ({error}); fetch the archive again.")

    def lines(self, name: str) -> list[str]:
        """The lines of one text file, LF or CRLF, UTF-8 or else Latin-1."""
        content = self.read(name)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        lines = text.replace("\r\n", "\n").split("\n")
        return lines[:-1] if lines and not lines[-1] else lines

    def find(self, ending: str) -> str | None:
        """The first path that ends in these folders and this name."""
        wanted = PurePosixPath(ending).parts
        for name in sorted(self.names(), key=lambda name: (len(name), name)):
            if PurePosixPath(name).parts[-len(wanted) :] == wanted:
                return name
        return None

    def require(self, ending: str) -> str:
        """As `find`, but missing files are an error."""
        name = self.find(ending)
        if name is None:
            raise DataError(f"{self.source} lacks {ending}; give the folder that holds the official files.")
        return name

    def _add_zip(self, path: Path) -> None:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
            raise DataError(
                f"{path} is a damaged or truncated zip file ({error}); fetch it again."
            ) from error
        for info in archive.infolist():
            parts = PurePosixPath(info.filename).parts
            if not info.filename or info.is_dir() or info.filename.startswith(("/", "\\")) or ".." in parts:
                continue
            self._members.setdefault(info.filename, (archive, info))
