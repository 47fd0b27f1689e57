"""Rewriting of HDF5 files in a child process, because damaged bytes can crash the HDF5 library.

The parent sends requests, each an `.npz` with its arrays and one member of JSON, and reads answers in JSON.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from cmh_files.errors import CopyError, DataError, damaged, is_disk_fault
from cmh_files.hdf5 import rewrite
from cmh_files.hdf5.open import trust
from cmh_files.hdf5.probe import is_too_large, limit_memory
from cmh_files.row_edit import RowEdit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes

LEAST_SECONDS = 60
BYTES_PER_SECOND = 1 << 20  # no disk and no filter is slower
MASKS = ("present", "training")


class Helper:
    """A child process that works on HDF5 files, started when it is first asked; a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def list_arrays(self, path: Path) -> tuple[Shapes, dict[str, str]]:
        """List the arrays of numbers of a file, as `cmh_files.hdf5.rewrite` does.

        Args:
            path: the file.

        Returns:
            Shapes by key, and of those that can only be removed the reason in words.

        Raises:
            DataError: the file is damaged or reaches out of itself.
        """
        shapes, limited = self.ask(path, {"work": "list"}, {})
        return {key: tuple(shape) for key, shape in shapes.items()}, limited

    def copy_edited(
        self,
        source: Path,
        target: Path,
        edits: Sequence[RowEdit],
        extra: Mapping[str, NDArray[np.uint8]],
        *,
        verify: bool,
    ) -> None:
        """Write a copy of a file with removed items, as `cmh_files.hdf5.rewrite` does.

        Args:
            source: the file.
            target: a new file.
            edits: which items of which arrays are removed.
            extra: `(n,)` uint8 vectors written beside the data.
            verify: read the copy again and compare it.

        Raises:
            DataError: the file is damaged.
            CopyError: the copy differs from what it should be.
            OSError: the disk is full, or the like.
        """
        request = {"work": "copy", "target": str(target), "verify": verify, "extra": list(extra)}
        arrays = {f"extra{number}": values for number, values in enumerate(extra.values())}
        request["edits"] = [_without_masks(edit) for edit in edits]
        self.ask(source, request, arrays | _masks(edits))

    def digest_items(self, path: Path, edit: RowEdit) -> tuple[str, str] | None:
        """Compute SHA-256 of the removed and of the other items, as `cmh_files.hdf5.rewrite` does.

        Args:
            path: the finished copy.
            edit: which items are removed.

        Returns:
            Both digests; None for a sparse matrix.
        """
        found = self.ask(path, {"work": "digest", "edits": [_without_masks(edit)]}, _masks([edit]))
        return None if found is None else (str(found[0]), str(found[1]))

    def ask(self, path: Path, request: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """Have the process do some work on a file.

        Args:
            path: the file.
            request: what to do.
            arrays: what it needs.

        Returns:
            The answer.

        Raises:
            DataError: the file is damaged, crashes the library or keeps it busy without end.
            CopyError: a copy differs from what it should be.
            OSError: the disk is full, or the like.
        """
        if not path.is_file():
            raise DataError(f"{path} does not exist.")
        seconds = LEAST_SECONDS + path.stat().st_size // BYTES_PER_SECOND
        text = json.dumps(request | {"path": str(path), "parent": os.getpid(), "seconds": seconds})
        content = BytesIO()
        np.savez(content, **{**arrays, "request": np.frombuffer(text.encode(), np.uint8)})  # type: ignore[arg-type]
        process = self._start()
        ended = threading.Event()

        def end() -> None:
            ended.set()
            process.kill()

        late = threading.Timer(seconds, end)
        late.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            _send(process.stdin, content.getvalue())
            answer = _receive(process.stdout)
        except (BrokenPipeError, EOFError):
            answer = None
        finally:
            late.cancel()
        if answer is None:
            self.close()
            if ended.is_set():
                raise DataError(
                    f"{path} keeps the HDF5 library busy for more than {seconds} seconds; "
                    "it is damaged, or the machine is too busy to read it now: try once more."
                )
            raise DataError(
                f"{path} is a damaged HDF5 file (it crashes the HDF5 library); fetch or make it again."
            )
        said = json.loads(answer)
        for kind, error_type in (("data", DataError), ("copy", CopyError), ("disk", OSError)):
            if kind in said:
                raise error_type(*said[kind])
        return said["result"]

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cmh_files.hdf5.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "little") + content)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    head = stream.read(8)
    content = stream.read(int.from_bytes(head, "little"))
    if len(head) < 8 or len(content) < int.from_bytes(head, "little"):
        raise EOFError
    return content


def perform(content: bytes) -> Any:
    """Do what a request asks for.

    Args:
        content: the bytes of the request.

    Returns:
        The answer, of lists, dicts, strings and numbers.

    Raises:
        DataError: the file is damaged.
        CopyError: a copy differs from what it should be.
        OSError: the disk is full, or the like.
    """
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        given = dict(arrays)
    request = json.loads(given["request"].tobytes())
    path = Path(request["path"])
    trust(path)  # a crash here is not the user's
    edits = [
        RowEdit(
            **{**fields, "shape": tuple(fields["shape"])},
            **{mask: given[f"{mask}{number}"] for mask in MASKS},
        )
        for number, fields in enumerate(request.get("edits", ()))
    ]
    try:
        if request["work"] == "list":
            return rewrite.list_arrays(path)
        if request["work"] == "digest":
            return rewrite.digest_items(path, edits[0])
        extra = {key: given[f"extra{number}"] for number, key in enumerate(request["extra"])}
        rewrite.copy_edited(path, Path(request["target"]), edits, extra, verify=request["verify"])
    except (DataError, CopyError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and is_disk_fault(error) and not is_too_large(error):
            raise
        raise damaged(path, error) from error
    return None


def _masks(edits: Sequence[RowEdit]) -> dict[str, NDArray[Any]]:
    return {f"{mask}{number}": getattr(edit, mask) for number, edit in enumerate(edits) for mask in MASKS}


def _without_masks(edit: RowEdit) -> dict[str, Any]:
    return {name: value for name, value in asdict(edit).items() if name not in MASKS}


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: nobody would read the answer."""
    while os.name == "nt" or os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Answer the requests on standard input, until there are no more."""
    watched = False
    while True:
        try:
            content = _receive(sys.stdin.buffer)
        except EOFError:
            return
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            request = json.loads(arrays["request"].tobytes())
        limit_memory(Path(request["path"]))
        if not watched:
            threading.Thread(target=_end_with, args=(request["parent"],), daemon=True).start()
            watched = True
        if hasattr(
            signal, "alarm"
        ):  # the library may run without end, holding up all threads of this process
            signal.alarm(request["seconds"] + 1)
        try:
            answer = {"result": perform(content)}
        except DataError as error:
            answer = {"data": [str(error)]}
        except CopyError as error:
            answer = {"copy": [str(error)]}
        except OSError as error:
            answer = {"disk": [error.errno or errno.EIO, error.strerror or str(error)]}
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        _send(sys.stdout.buffer, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
