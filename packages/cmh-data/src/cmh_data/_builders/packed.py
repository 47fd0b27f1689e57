"""Tar files and Debian packages, read in place."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import threading
import weakref
import zlib
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TAR_ENDINGS = (".tar",)
PACKED_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".deb")
LARGEST_PACKAGE = 1 << 30  # bytes of a Debian package
LARGEST_UNPACKED = 8 << 30  # bytes of a compressed tar file when it is unpacked
AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60  # bytes
OPENERS: Mapping[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": lambda packed: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    ".tgz": lambda packed: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".tar": lambda packed: packed,
}
DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, OverflowError)


class PackedFiles:
    """The files of one tar file or Debian package; a compressed one is unpacked into a temporary file first.

    Only regular files are there, no links, and none under a path that leads out.

    Args:
        path: `.tar`, a compressed tar file, or `.deb`.

    Raises:
        DataError: it is damaged, too large, or compressed in a way that is not read.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self.members: Mapping[str, tuple[int, int]] = {}
        """From the path of each file inside to where it begins and its bytes."""
        try:
            self._content = _content(path)
            weakref.finalize(self, self._content.close)
            with tarfile.open(fileobj=self._content, mode="r:") as tar:
                self.members = {
                    name: (info.offset_data, info.size)
                    for info in tar
                    if info.isreg() and not info.issparse() and (name := _name_inside(info.name))
                }
        except DAMAGE as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is a damaged or truncated archive ({error}); fetch it again.") from error

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        offset, size = self.members[name]
        with self._lock:
            self._content.seek(offset)
            found = self._content.read(size)
        if len(found) < size:
            raise EOFError(f"the archive ends {size - len(found)} bytes early")
        return found


def _name_inside(name: str) -> str:
    """The path inside without `./`; "" where it leads out."""
    plain = name.removeprefix("./")
    return "" if plain.startswith(("/", "\\")) or ".." in PurePosixPath(plain).parts else plain


def _content(path: Path) -> IO[bytes]:
    """Return a plain tar file as an open stream."""
    name = path.name.lower()
    if name.endswith(".tar"):
        return path.open("rb")
    if name.endswith(".deb"):
        return _unpack(*_data_of_package(path), path)
    with path.open("rb") as packed:
        return _unpack(name, packed, path)


def _data_of_package(path: Path) -> tuple[str, IO[bytes]]:
    """Return the name and the bytes of the `data.tar...` of a Debian package, which is an `ar` archive."""
    if path.stat().st_size > LARGEST_PACKAGE:
        raise DataError(f"{path} is larger than {LARGEST_PACKAGE} bytes, the most that is read of a package.")
    content = path.read_bytes()
    if not content.startswith(AR_MAGIC):
        raise DataError(f"{path} is no Debian package; fetch it again.")
    place = len(AR_MAGIC)
    while place + AR_HEADER <= len(content):
        header = content[place : place + AR_HEADER]
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = int(header[48:58])
        place += AR_HEADER
        if name.startswith("data.tar"):
            return name, io.BytesIO(content[place : place + size])
        place += size + size % 2  # each part begins at an even place
    raise DataError(f"{path} is a damaged or truncated Debian package: it holds no data.tar; fetch it again.")


def _unpack(name: str, packed: IO[bytes], path: Path) -> IO[bytes]:
    """Copy a tar file out of its compression into a temporary file."""
    opener = next((one for ending, one in OPENERS.items() if name.endswith(ending)), None)
    if opener is None:
        raise DataError(f"{path}: {name} is compressed in a way that is not read here; gz, bz2 and xz are.")
    with ExitStack() as on_error:
        unpacked: IO[bytes] = on_error.enter_context(tempfile.TemporaryFile())
        stream = opener(packed)
        while unpacked.tell() <= LARGEST_UNPACKED and (block := stream.read(1 << 20)):
            unpacked.write(block)
        if unpacked.tell() > LARGEST_UNPACKED:
            raise DataError(f"{path} is larger than {LARGEST_UNPACKED} bytes when it is unpacked.")
        unpacked.seek(0)
        on_error.pop_all()  # it stays open
    return unpacked
