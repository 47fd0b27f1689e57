"""One image, one text and one label table: most of the field, and the plain layout of one's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_files import KEY_NAMES, common_rows, find_role

from cmh_data._errors import DataError
from cmh_data._layouts.raw import RawData, class_table
from cmh_data._layouts.rows_first import read_image, read_rows_first

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_files import Variable

    from cmh_data._layouts.options import ReadOptions

    Found = Mapping[str, Variable]

PLAIN = "plain arrays image, text, labels, train, query"


def tables(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """DCMH, AGAH, DADH, JDSH, UCCH, CFRH, UMML, and one's own `image, text, labels`."""
    roles = {role: variable for role in KEY_NAMES if (variable := find_role(found, role)) is not None}
    if "labels" not in roles:  # words in HDF5
        words = [found[key] for key in KEY_NAMES["labels"] if key in found and found[key].shape]
        roles |= {"labels": words[0]} if words else {}
    if not roles:
        return None
    plain = all(role == variable.key for role, variable in roles.items()) and "labels" in roles
    raw = read_roles(path, PLAIN if plain else _name_of(roles), roles, options)
    for role in {"image", "text"} - set(roles):
        key = next((key for key in KEY_NAMES[role] if key in found and found[key].dtype.kind in "USO"), None)
        if key is not None:
            cure = "encode pictures whose paths you have with umml features, addresses are not fetched"
            if role == "text":
                cure = "turn words into a table with bag_of_words"
            raw.warnings.append(f"{key} must hold numbers, but its dtype is {found[key].dtype}: {cure}.")
    return raw


def read_own(path: Path, found: Found) -> RawData:
    """This package's own format: every part as it is stored, under its own name."""
    raw = RawData(path=path, layout=PLAIN, chosen={})
    for role in ("image", "text", "labels"):
        if role in found:
            raw.chosen[role] = role
    if "image" in found:
        image = found["image"]
        on_disk = len(image.shape) == 4
        raw.image = (
            read_image(image, image.shape[0], [], pixel_axes="height-width") if on_disk else image.read()
        )
    if "text" in found:
        raw.text = found["text"].read()
    if "labels" in found:
        raw.labels = found["labels"].read()
    return raw


def read_roles(path: Path, layout: str, roles: Found, options: ReadOptions) -> RawData:
    """Read image, text and labels with the rows first, and labels as zeros and ones.

    Args:
        path: the file or folder.
        layout: its name.
        roles: the variables by role.
        options: what the user says.

    Returns:
        The parts.

    Raises:
        DataError: no number of rows is shared, or it cannot be told which axis has the rows.
    """
    raw = RawData(path=path, layout=layout, chosen={role: variable.key for role, variable in roles.items()})
    n = _rows(roles, options.n_rows, plain=layout == PLAIN)
    if "image" in roles:
        rows = roles["image"].shape[0] if n is None and roles["image"].shape else n or 0
        raw.image = read_image(roles["image"], rows, raw.notes, pixel_axes=options.pixel_axes)
    if "text" in roles:
        raw.text = read_rows_first(roles["text"], n, raw.notes)
    if "labels" in roles:
        stored = read_rows_first(roles["labels"], n, raw.notes)
        try:
            raw.labels = class_table([stored], raw, key=roles["labels"].key)[0]
        except DataError:
            if stored.ndim != 2 or min(stored.shape) < 2 or stored.dtype.kind not in "buif":
                raise
            raw.labels = stored  # what is wrong with it is said when it is checked
    if raw.text is not None and raw.text.ndim == 2 and raw.text.shape[1] == 1387:
        raw.notes.append(
            "text is 1387 wide: MIR-Flickr25K has 1386 tags, the last column is UMML's unpaired marker."
        )
    return raw


def _rows(roles: Found, n_rows: int | None, *, plain: bool) -> int | None:
    """The number of rows; None: the parts of the plain layout differ, which is said when they are checked."""
    if n_rows is not None:
        return common_rows(roles, n_rows)
    lengths = [
        {variable.shape[0], variable.shape[3]} if len(variable.shape) == 4 else set(variable.shape)
        for variable in roles.values()
    ]
    shared = set.intersection(*lengths)
    first = {variable.shape[0] for variable in roles.values() if variable.shape}
    if not shared and plain:
        return None
    by_row = all(variable.kind in {"npz", "npy"} for variable in roles.values())
    if len(shared) > 1 and len(first) == 1 and by_row:
        return first.pop()  # NumPy's convention; MATLAB's files need the other rules
    return common_rows(roles, n_rows)


def _name_of(roles: Mapping[str, Variable]) -> str:
    keys = {role: variable.key for role, variable in roles.items()}
    image = roles.get("image")
    pixels = image is not None and len(image.shape) == 4
    several = len({variable.file for variable in roles.values()}) > 1
    named = ", ".join(keys.values())
    if set(keys) != {"image", "text", "labels"}:
        return f"a part of a set, {named}"
    if keys["image"] in {"IAll", "XAll"}:
        return f"{'several files' if several else 'one file'} {named} ({'pixels' if pixels else 'features'})"
    if keys["image"] == "images":
        return f"merged file {named} ({'pixels; DCMH, SSAH, AGAH' if pixels else 'features; DADH'})"
    return f"tables {named}"
