"""The items of a folder as the lists of CLIP-based programs say them: index.mat, caption.mat, label.mat."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cmh_files import variables

from cmh_data._builders.folder_tables import text_of
from cmh_data._builders.item_rows import ItemRows
from cmh_data._layouts.options import ReadOptions
from cmh_data._layouts.recognise import recognise

if TYPE_CHECKING:
    from cmh_data._builders.archive import Archive

ENDING = ".mat"
KEYS = frozenset({"index", "caption"})


def read_lists(archive: Archive) -> ItemRows | None:
    """Read rows from MATLAB files with `index` (paths), `caption` and, if it is there, `label` or `category`.

    Blank paths and captions are gaps. The paths are the author's own; pictures are found by their names.

    Args:
        archive: the folder.

    Returns:
        The rows, or None where there are no such files.

    Raises:
        DataError: the files do not go together, or one cannot be read.
    """
    if not archive.source.is_dir():
        return None
    paths = [Path(archive.source, name) for name in sorted(archive.names()) if name.lower().endswith(ENDING)]
    found = [variable for path in paths if path.is_file() for variable in variables(path)]
    if not {variable.key for variable in found} >= KEYS:
        return None
    raw = recognise(archive.source, found, ReadOptions())
    listed = " and ".join(f"{part} from {key.split()[0]}" for part, key in raw.chosen.items())
    rows = ItemRows("the lists", f"MATLAB lists: {listed}")
    table = np.zeros((len(raw.ids), 0), np.uint8) if raw.labels is None else raw.labels
    digits = len(str(max(table.shape[1] - 1, 0)))
    names = [f"{column:0{digits}d}" for column in range(table.shape[1])]  # sorted as the columns stand
    for number, (path, caption) in enumerate(zip(raw.ids, raw.captions, strict=True)):
        image = text_of(path)
        rows.add(
            archive.source,
            item=image or f"row {number + 1}",
            image=image,
            text=text_of(caption),
            labels=[names[column] for column in np.flatnonzero(table[number])],
            side="",
        )
    return rows
