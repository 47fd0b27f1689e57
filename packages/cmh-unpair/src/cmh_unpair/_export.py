"""Write data sets under the file names and keys that the original programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from cmh_unpair._apply import training_rows

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

    from cmh_unpair._plan import UnpairingPlan

Program = Literal["dadh", "agah", "jdsh"]
DataSet = Literal["mirflickr", "nus-wide"]
ROW_BYTES = 16 * 2**20


class _Array(NamedTuple):
    """Where an array goes: file, key, format, and whether h5py sees items last, as in MATLAB-made files."""

    file: str
    key: str
    matlab: Literal["5", "7.3"]
    items_last: bool = False


# Images, texts, labels, as the programs' loaders read them; JDSH's transposes the texts of NUS-WIDE.
LAYOUTS: dict[tuple[Program, DataSet], tuple[_Array, _Array, _Array]] = {
    ("dadh", "mirflickr"): (
        _Array("FLICKR-25K.mat", "images", "5"),
        _Array("FLICKR-25K.mat", "YAll", "5"),
        _Array("FLICKR-25K.mat", "LAll", "5"),
    ),
    ("dadh", "nus-wide"): (
        _Array("NUS-WIDE-TC21.mat", "image", "5"),
        _Array("NUS-WIDE-TC21.mat", "text", "5"),
        _Array("NUS-WIDE-TC21.mat", "label", "5"),
    ),
    ("agah", "mirflickr"): (
        _Array("FLICKR-25K.mat", "images", "7.3"),
        _Array("FLICKR-25K.mat", "YAll", "7.3"),
        _Array("FLICKR-25K.mat", "LAll", "7.3"),
    ),
    ("agah", "nus-wide"): (
        _Array("nus-wide-tc21-iall.mat", "IAll", "7.3"),
        _Array("nus-wide-tc21-yall.mat", "YAll", "5"),
        _Array("nus-wide-tc21-lall.mat", "LAll", "5"),
    ),
    ("jdsh", "mirflickr"): (
        _Array("mirflickr25k-iall.mat", "IAll", "7.3"),
        _Array("mirflickr25k-yall.mat", "YAll", "5"),
        _Array("mirflickr25k-lall.mat", "LAll", "5"),
    ),
    ("jdsh", "nus-wide"): (
        _Array("nus-wide-tc10-iall.mat", "IAll", "7.3"),
        _Array("nus-wide-tc10-yall.mat", "YAll", "7.3", items_last=True),
        _Array("nus-wide-tc10-lall.mat", "LAll", "5"),
    ),
}


def export_arrays(
    folder: str | os.PathLike[str],
    program: Program,
    data_set: DataSet,
    *,
    images: Any,
    texts: Any,
    labels: Any,
    plan: UnpairingPlan | None = None,
    rows: ArrayLike | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write a data set, unpaired if wanted, as an original program reads it.

    DADH reads 4,096 features of an image, AGAH and JDSH pixels `(n, 3, width, height)` of uint8. Arrays of
    one file are written together; every file appears whole or not at all.

    Args:
        folder: An existing folder.
        program: `"dadh"`, `"agah"` or `"jdsh"`.
        data_set: `"mirflickr"` or `"nus-wide"`; names and keys differ.
        images: `(n, d)` features or `(n, 3, width, height)` pixels, any numeric dtype; NumPy or lazy.
        texts: `(n, d_text)` tags, any numeric dtype; NumPy, lazy or SciPy sparse (which is written dense).
        labels: `(n, n_label)` 0/1, any numeric dtype.
        plan: What to empty; None leaves everything whole.
        rows: `(n_train,)` integers, the row for each row of the plan, as for `unpair_file`.
        overwrite: Replace existing files.

    Returns:
        The written files.

    Raises:
        ValueError: If a name is unknown, sizes disagree, images have the wrong number of axes, or the plan
            drops or shuffles rows, which these files cannot say.
        FileExistsError: If a file exists and `overwrite` is False.

    Example:
        >>> import tempfile
        >>> written = export_arrays(
        ...     tempfile.mkdtemp(), "dadh", "nus-wide", images=np.ones((4, 8)), texts=np.ones((4, 3)),
        ...     labels=np.eye(4)
        ... )
        >>> [path.name for path in written]
        ['NUS-WIDE-TC21.mat']
    """
    from cmh_files import atomic_write  # noqa: PLC0415 - loaded for files only

    for name, value, allowed in (("program", program, Program), ("data_set", data_set, DataSet)):
        if value not in get_args(allowed):
            raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, but it is {value!r}")
    arrays = {"images": images, "texts": texts, "labels": labels}
    arrays = {name: array.toarray() if hasattr(array, "toarray") else array for name, array in arrays.items()}
    n = _check_shapes(arrays, image_axes=2 if program == "dadh" else 4)
    present = _present(plan, rows, n=n)
    layout = LAYOUTS[program, data_set]
    files: dict[str, list[tuple[_Array, Any, NDArray[np.bool_]]]] = {}
    for place, name in zip(layout, arrays, strict=True):
        files.setdefault(place.file, []).append((place, arrays[name], present[name]))
    paths = [Path(folder) / name for name in files]
    for path in paths:
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists; choose another folder or pass overwrite=True")
    for path, contents in zip(paths, files.values(), strict=True):
        with atomic_write(path) as temporary:
            (_write_mat5 if contents[0][0].matlab == "5" else _write_mat73)(temporary, contents)
    return paths


def _check_shapes(arrays: dict[str, Any], *, image_axes: int) -> int:
    for name, array in arrays.items():
        axes = image_axes if name == "images" else 2
        if len(array.shape) != axes:
            raise ValueError(
                f"{name} must have {axes} axes for this program, but the shape is {tuple(array.shape)}"
            )
    lengths = {array.shape[0] for array in arrays.values()}
    if len(lengths) != 1:
        raise ValueError(
            f"images, texts and labels must have the same number of rows, but they have {sorted(lengths)}"
        )
    return int(lengths.pop())


def _present(plan: UnpairingPlan | None, rows: ArrayLike | None, *, n: int) -> dict[str, NDArray[np.bool_]]:
    present = {name: np.ones(n, dtype=np.bool_) for name in ("images", "texts", "labels")}
    if plan is None:
        return present
    if plan.counts.dropped or plan.counts.shuffled:
        raise ValueError(
            "plan must be one that only removes, but it drops or shuffles rows; use plan.apply first"
        )
    training = training_rows(plan, rows, n=n)
    present["images"][training] = plan.image_present
    present["texts"][training] = plan.text_present
    return present


def _write_mat5(path: Path, contents: list[tuple[_Array, Any, NDArray[np.bool_]]]) -> None:
    from cmh_files.mat5.rewrite import write_matrices  # noqa: PLC0415 - loaded for files only

    write_matrices(path, {place.key: (array, present) for place, array, present in contents})


def _write_mat73(path: Path, contents: list[tuple[_Array, Any, NDArray[np.bool_]]]) -> None:
    import h5py  # noqa: PLC0415 - as above

    with h5py.File(path, "w", userblock_size=512) as file:
        for place, array, present in contents:
            shape = array.shape[::-1] if place.items_last else array.shape
            dtype = np.uint8 if array.dtype == bool else array.dtype
            dataset = file.create_dataset(place.key, shape, dtype)
            dataset.attrs["MATLAB_class"] = np.bytes_(_class_name(np.dtype(dtype)))
            step = max(1, ROW_BYTES // max(1, int(np.prod(shape)) // len(present) * dataset.dtype.itemsize))
            for start in range(0, len(present), step):
                block = np.array(array[start : start + step])
                block[~present[start : start + step]] = 0
                if place.items_last:
                    dataset[..., start : start + step] = block.T
                else:
                    dataset[start : start + step] = block
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, written by cmh-unpair".ljust(124) + b"\x00\x02IM")


def _class_name(dtype: np.dtype[Any]) -> str:
    return {"float64": "double", "float32": "single"}.get(dtype.name, dtype.name)
