"""Empty rows of arrays in a copy of a file, whatever its container."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, Self

from cmh_files.containers import container
from cmh_files.errors import CopyError, DataError, damaged, is_disk_fault
from cmh_files.hdf5 import child
from cmh_files.mat5 import rewrite as mat5
from cmh_files.npz import rewrite as npz

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes
    from cmh_files.row_edit import RowEdit

Format = Literal["hdf5", "matlab-7.3", "matlab-5", "npz"]


class Backend(Protocol):
    """What rewrites one container."""

    def list_arrays(self, path: Path) -> tuple[Shapes, dict[str, str]]:
        """List the arrays of numbers of a file.

        Args:
            path: the file.

        Returns:
            Shapes by key, and of those that can only be removed the reason in words.
        """

    def copy_edited(
        self,
        source: Path,
        target: Path,
        edits: Sequence[RowEdit],
        extra: Mapping[str, NDArray[np.uint8]],
        *,
        verify: bool,
    ) -> None:
        """Write a copy of a file with removed items.

        Args:
            source: the file.
            target: a new file.
            edits: which items of which arrays are removed.
            extra: `(n,)` vectors added, in place of those of the same name.
            verify: read the copy again and compare it.

        Raises:
            CopyError: the copy differs from what it should be.
        """

    def digest_items(self, path: Path, edit: RowEdit) -> tuple[str, str] | None:
        """Compute SHA-256 of the removed and of the other items of a finished copy.

        Args:
            path: the copy.
            edit: which items are removed.

        Returns:
            Both digests; None for a sparse table.
        """


def file_format(path: Path) -> Format:
    """Tell the format of a file that can be rewritten from its bytes; names and endings say nothing.

    Args:
        path: the file.

    Returns:
        "hdf5", "matlab-7.3", "matlab-5" or "npz".

    Raises:
        DataError: it is none of these, or no file.

    Example:
        >>> import tempfile
        >>> import numpy
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "pairs.npz")
        >>> numpy.savez(path, XAll=numpy.ones((3, 2)), YAll=numpy.ones((3, 4)))
        >>> file_format(path)
        'npz'
    """
    if not path.is_file():
        raise DataError(f"{path} was not found, or is not a file.")
    kind = container(path)
    if kind == "mat5":
        return "matlab-5"
    if kind == "npz":
        return "npz"
    if kind == "hdf5":
        with path.open("rb") as file:
            return "matlab-7.3" if file.read(10) == b"MATLAB 7.3" else "hdf5"
    cure = "; save its array with a name, as npz" if kind == "npy" else ""
    raise DataError(
        f"{path} must be an HDF5, MATLAB 5, MATLAB 7.3 or npz file, but it is none of these{cure}."
    )


class RewritableFile:
    """A file of which a copy can be written with some items of some arrays removed; a context manager.

    HDF5 files are read and changed in a child process, because damaged bytes can crash the HDF5 library.

    Args:
        path: an HDF5, MATLAB 5, MATLAB 7.3 or npz file.

    Attributes:
        path: the file.
        format: "hdf5", "matlab-7.3", "matlab-5" or "npz".
        shapes: shapes of its arrays of numbers by key, as h5py, SciPy or NumPy shows them.
        limited: of the arrays that can only be removed, which take no marker, mean or cast, what they are.

    Raises:
        DataError: the file is of another format, damaged, or reaches out of itself.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy
        >>> from cmh_files import RowEdit
        >>> path = Path(tempfile.mkdtemp(), "pairs.npz")
        >>> numpy.savez(path, XAll=numpy.ones((3, 2)), YAll=numpy.ones((3, 4)))
        >>> edit = RowEdit(
        ...     key="YAll", role="text", shape=(3, 4), axis=0, present=numpy.array([True, False, True]),
        ...     training=numpy.ones(3, bool), marker=False, mean=False, integers=False,
        ... )
        >>> with RewritableFile(path) as file:
        ...     file.shapes
        ...     file.rewrite(path.with_name("unpaired.npz"), [edit], {})
        {'XAll': (3, 2), 'YAll': (3, 4)}
        {}
        >>> numpy.load(path.with_name("unpaired.npz"))["YAll"].sum(axis=1).tolist()
        [4.0, 0.0, 4.0]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.format: Format = file_format(path)
        self._helper = child.Helper()
        backends: dict[str, Backend] = {"matlab-5": mat5, "npz": npz}
        self._backend = backends.get(self.format, self._helper)
        try:
            with _as_data_error(path):
                self.shapes, self.limited = self._backend.list_arrays(path)
        except BaseException:
            self._helper.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._helper.close()

    def rewrite(
        self,
        target: Path,
        edits: Sequence[RowEdit],
        extra: Mapping[str, NDArray[np.uint8]],
        *,
        verify: bool = True,
        digests: bool = False,
    ) -> dict[str, tuple[str, str] | None]:
        """Write a copy in which some items of some arrays are removed and all else is as it was.

        Args:
            target: a new file.
            edits: which items of which arrays are removed, and how.
            extra: `(n,)` uint8 vectors added, in place of those of the same name.
            verify: read the copy again and compare it with the source.
            digests: compute SHA-256 of the removed and of the other items of every array.

        Returns:
            The digests by key if they are wanted; None for a sparse table.

        Raises:
            DataError: the file is damaged.
            CopyError: the copy differs from what it should be.
            OSError: the disk is full, or the like.
        """
        with _as_data_error(self.path):
            self._backend.copy_edited(self.path, target, edits, extra, verify=verify)
            return {edit.key: self._backend.digest_items(target, edit) for edit in edits if digests}


@contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    """Turn what damaged bytes do to readers into `DataError`."""
    try:
        yield
    except DataError as error:
        text = str(error)
        raise (error if str(path) in text else DataError(f"{path}: {text}")) from error.__cause__
    except OSError as error:
        if isinstance(error, CopyError) or is_disk_fault(error):
            raise
        raise damaged(path, error) from error
    except (
        ArithmeticError, EOFError, LookupError, MemoryError, NotImplementedError, RuntimeError, SyntaxError,
        TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise damaged(path, error) from error
