"""Features to a file, block by block, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from cmh_features._encoded import Encoded, Skipped, load_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class FeatureFile:
    """A `.npy` file of features that grows by blocks, with a `.json` file beside it that says what it is.

    Until it is complete it is called `NAME.part`, and `NAME.part.json` counts the rows that are safe on disk.

    Args:
        path: the `.npy` file.
        n: rows of the complete file.
        width: numbers a row.
        record: what is encoded by what; a file of another record is refused.

    Raises:
        ValueError: if `path` does not end in .npy, or is of other items or another encoder.
    """

    def __init__(self, path: Path, *, n: int, width: int, record: Mapping[str, Any]) -> None:
        if path.suffix != ".npy":
            raise ValueError(f"out must end in .npy, but it is {path}")
        self._path, self._record = path, dict(record)
        self._part = path.with_name(path.name + ".part")
        self._journal = path.with_name(path.name + ".part.json")
        self._final_record = path.with_suffix(".json")
        self.skipped: list[Skipped] = []
        self.done = 0
        self.complete = False
        if path.exists():
            self._check_record(path, self._final_record)
            self.complete = True
            return
        self._resume(n, width)

    def append(self, rows: NDArray[np.float32], skipped: Sequence[Skipped]) -> None:
        """Write the next rows and note them, once they are safe on disk, as done."""
        self._file.write(np.ascontiguousarray(rows, "<f4").data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done += len(rows)
        self.skipped += skipped
        self._write_journal()

    def finish(self) -> Encoded:
        """Give the complete file its name and open it."""
        if not self.complete:
            self._file.close()
            _atomic_write(self._final_record, {**self._record, "skipped": self.skipped})
            self._part.replace(self._path)
            self._journal.unlink()
            self.complete = True
        return load_features(self._path)

    def close(self) -> None:
        """Leave the file as it is; the next run continues it."""
        if not self.complete:
            self._file.close()

    def _resume(self, n: int, width: int) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._journal.exists() and self._part.exists():
            journal = self._check_record(self._part, self._journal)
            self.done = int(journal["done"])
            self.skipped = [Skipped(*one) for one in journal["skipped"]]
            self._file = self._part.open("r+b")
        else:
            self._file = self._part.open("w+b")
            header = {"descr": "<f4", "fortran_order": False, "shape": (n, width)}
            npy_format.write_array_header_1_0(self._file, header)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._write_journal()
        self._file.seek(0)
        npy_format.read_magic(self._file)
        npy_format.read_array_header_1_0(self._file)
        end = self._file.tell() + 4 * width * self.done
        self._file.seek(end)
        self._file.truncate(end)  # a block that was being written when the run was killed

    def _check_record(self, path: Path, record_path: Path) -> dict[str, Any]:
        try:
            found = json.loads(record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        for key, value in json.loads(json.dumps(self._record)).items():
            if not isinstance(found, dict) or found.get(key) != value:
                raise ValueError(
                    f"{path} holds features of another encoder or of other items ({key} differs); "
                    "delete it or choose another name"
                )
        return dict(found)

    def _write_journal(self) -> None:
        _atomic_write(self._journal, {**self._record, "done": self.done, "skipped": self.skipped})


def _atomic_write(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
