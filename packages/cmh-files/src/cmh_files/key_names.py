"""The field's names for images, texts and labels, and which axis of their arrays is the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cmh_files.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_files.variable import Variable

Role = Literal["image", "text"]
Shapes = dict[str, tuple[int, ...]]

#: The field's names by role, in order of preference: features load before pixels. `YAll` is text, but `Y`
#: (RoPH) is labels.
KEY_NAMES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "XAll", "images", "IAll", "FAll", "imgs", "img", "I", "X1"),
    "text": (
        "text", "YAll", "TAll", "texts", "tags", "tag", "T", "caption_one_hot", "BoW", "COCO_BoW", "X2",
        "caption",
    ),
    "labels": ("labels", "LAll", "label", "L", "category", "Y"),
}  # fmt: skip
#: Names by role of tables of the training rows alone, beside others of the test rows; RoPH keeps both in one
#: struct.
TRAINING_TABLES: Mapping[str, tuple[str, ...]] = {
    "image": ("I_tr", "train_img", "VDatabase"),
    "text": ("T_tr", "train_txt", "YDatabase"),
    "labels": ("L_tr", "train_img_lab", "databaseL"),
}


def find_role(found: Mapping[str, Variable], role: str) -> Variable | None:
    """Find the variable of a role, by the first name that is there.

    Args:
        found: variables by key.
        role: "image", "text" or "labels".

    Returns:
        The variable, or None. Words are neither image nor text: those are numbers.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from cmh_files import variables
        >>> path = Path(tempfile.mkdtemp(), "a.npz")
        >>> np.savez(path, XAll=np.ones((4, 2)), YAll=np.eye(4))
        >>> str(find_role({variable.key: variable for variable in variables(path)}, "text"))
        'YAll (4, 4) float64'
    """
    for name in KEY_NAMES[role]:
        variable = found.get(name)
        if variable is None or variable.dtype.kind == "O":
            continue
        if role == "labels" or variable.dtype.kind in "biufc":
            return variable
    return None


def common_rows(roles: Mapping[str, Variable], n_rows: int | None = None) -> int:
    """The one length that all roles share; that is the number of rows, whichever axis it stands on.

    Args:
        roles: the variables of image, text and labels that are there.
        n_rows: chooses where several lengths are shared.

    Returns:
        The number of rows.

    Raises:
        DataError: no length is shared, or several are and `n_rows` does not choose.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from cmh_files import variables
        >>> path = Path(tempfile.mkdtemp(), "a.npz")
        >>> np.savez(path, image=np.ones((4, 2)), text=np.ones((3, 4)))  # the text lies sideways
        >>> common_rows({variable.key: variable for variable in variables(path)})
        4
    """
    candidates = [set(_row_candidates(variable)) for variable in roles.values()]
    shared = set.intersection(*candidates)
    shapes = ", ".join(str(variable) for variable in roles.values())
    if n_rows is not None:
        if n_rows not in shared:
            raise DataError(f"n_rows={n_rows} is no length that all arrays share: {shapes}.")
        return n_rows
    if not shared:
        raise DataError(f"image, text and labels share no number of rows: {shapes}.")
    if len(shared) == 1:
        return shared.pop()
    if len(roles) == 1:
        variable = next(iter(roles.values()))
        return max(variable.shape) if variable.kind == "hdf5" else variable.shape[0]
    # A data set has more rows than label columns; several lengths may remain only when arrays are square.
    if "labels" in roles:
        longest = max(roles["labels"].shape)
        if longest in shared and roles["labels"].shape.count(longest) == 1:
            return longest
    options = " or ".join(map(str, sorted(shared)))
    raise DataError(f"the number of rows may be {options} in {shapes}: say which with n_rows=.")


def _row_candidates(variable: Variable) -> tuple[int, ...]:
    if len(variable.shape) == 4:
        return (variable.shape[0], variable.shape[3])
    return variable.shape


def choose_keys(shapes: Shapes, role: Role, asked: str | Sequence[str] | None) -> list[str]:
    """Choose the arrays of a role: those asked for, or all that have one of the field's names.

    Args:
        shapes: shapes of a file's arrays by key.
        role: "image" or "text".
        asked: a name or names, or None; no names at all say that the file holds none.

    Returns:
        The keys.

    Raises:
        ValueError: the file has no array of a name asked for.
    """
    if asked is None:
        found = [key for key in (*KEY_NAMES[role], *TRAINING_TABLES[role]) if key in shapes]
        if not found:
            found = [key for key in shapes if key.endswith({"image": "/X1", "text": "/X2"}[role])]
        sparse_text = role == "text" and not found and len(shapes.get("indptr", ())) == 2
        return ["indptr"] if sparse_text else found  # a sparse table of words in a file of NumPy's
    keys = [asked] if isinstance(asked, str) else list(asked)
    for key in keys:
        if key not in shapes:
            raise ValueError(
                f"{role}_key must be one of {', '.join(sorted(shapes)) or 'no array'}, but it is {key!r}"
            )
    return keys


def locate_rows(
    shapes: Shapes,
    keys: Mapping[Role, Sequence[str]],
    *,
    n_train: int,
    last_row: int | None,
    item_axis: Mapping[str, int],
) -> tuple[int, dict[str, int]]:
    """Find the number of items, which all arrays share, and the axis it is found on.

    Args:
        shapes: shapes of all arrays of the file.
        keys: the arrays of each role.
        n_train: training rows; without `last_row` the file holds exactly these.
        last_row: the greatest training row, or None.
        item_axis: axes that the user names.

    Returns:
        The number of items and the axis for every key.

    Raises:
        ValueError: no number fits, or several do.
    """
    named = [key for role_keys in keys.values() for key in role_keys]
    if not named:
        raise ValueError(
            f"the file must hold an array of images ({', '.join(KEY_NAMES['image'])}) or of texts "
            f"({', '.join(KEY_NAMES['text'])}), but it holds {', '.join(sorted(shapes)) or 'no array'}; "
            f"name one with image_key or text_key"
        )
    shown = ", ".join(f"{key} {shapes[key]}" for key in named)
    for key in item_axis:
        if key not in named or not 0 <= item_axis[key] < len(shapes[key]):
            raise ValueError(f"item_axis must name axes of {shown}, but it is {key!r}: {item_axis[key]}")
    options = [{shapes[key][item_axis[key]]} if key in item_axis else set(shapes[key]) for key in named]
    sizes = {size for size in options[0] if all(size in option for option in options)}
    if last_row is None and n_train not in sizes:
        raise ValueError(
            f"rows must be given because no axis of {shown} has the {n_train} rows of the plan; "
            f"name the training rows, for example rows=range({n_train})"
        )
    sizes = {n_train} if last_row is None else {size for size in sizes if size > last_row}
    if len(sizes) > 1:
        labels = [key for key in (*KEY_NAMES["labels"], *TRAINING_TABLES["labels"]) if key in shapes]
        sizes = {size for size in sizes if all(size in shapes[key] for key in labels)}
    if len(sizes) != 1:
        raise ValueError(
            f"the file must have one number of items shared by {shown} and greater than every training row, "
            f"but it has {sorted(sizes) or 'none'}; name the axes, for example item_axis={{{named[0]!r}: 0}}"
        )
    n = sizes.pop()
    axes = {}
    for key in named:
        fitting = (
            [item_axis[key]] if key in item_axis else [a for a, size in enumerate(shapes[key]) if size == n]
        )
        if len(fitting) > 1:
            raise ValueError(
                f"{key} {shapes[key]} has {n} on several axes, so its items cannot be told; "
                f"name the axis, for example item_axis={{{key!r}: 0}}"
            )
        axes[key] = fitting[0]
    return n, axes
