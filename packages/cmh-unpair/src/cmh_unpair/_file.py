"""Rewrite a data file as a plan says, in bounded memory; the target appears whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from cmh_unpair._apply import training_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from cmh_files.key_names import Role, Shapes
    from cmh_files.row_edit import RowEdit
    from numpy.typing import ArrayLike, NDArray

    from cmh_unpair._plan import UnpairingPlan

Format = Literal["hdf5", "matlab-7.3", "matlab-5", "npz"]
MASK_KEYS = {"image": "image_present", "text": "text_present"}
PLAN_KEY = "unpairing_plan"


class RewrittenArray(BaseModel):
    """What became of one array of a file.

    Attributes:
        key: Its name in the file.
        role: `"image"` or `"text"`.
        shape: Its shape in the source, as h5py or SciPy shows it.
        item_axis: The axis of the items.
        emptied: Number of removed items.
        digests: SHA-256 (hexadecimal) of the values of the removed and of the other items of the target, if
            they were asked for and the array is not sparse.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    role: Literal["image", "text"]
    shape: tuple[int, ...]
    item_axis: int
    emptied: int
    digests: tuple[str, str] | None = None


class RewriteReport(BaseModel):
    """What `unpair_file` did.

    Attributes:
        source: Name of the source.
        target: Path of the target; None where the file was only checked.
        format: Format of both, told from the bytes.
        n_items: Items of the file, training rows and others.
        plan_digest: Digest of the plan.
        arrays: The arrays the plan speaks of.
        verified: Whether the target was read again and compared with the source and the plan.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    target: str | None
    format: Format
    n_items: int
    plan_digest: str
    arrays: tuple[RewrittenArray, ...]
    verified: bool


def unpair_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    plan: UnpairingPlan,
    *,
    rows: ArrayLike | None = None,
    protect: ArrayLike | None = None,
    keep: ArrayLike | None = None,
    image_key: str | Sequence[str] | None = None,
    text_key: str | Sequence[str] | None = None,
    item_axis: Mapping[str, int] | None = None,
    marker: Literal["none", "text", "both"] = "none",
    fill: Literal["zero", "mean"] = "zero",
    masks: bool = True,
    verify: bool = True,
    digests: bool = False,
    overwrite: bool = False,
) -> RewriteReport:
    """Write a copy of an HDF5, MATLAB 5, MATLAB 7.3 or npz file in which the plan's items are removed.

    Only these items change. Every other key, type, chunk, filter and attribute stays as it is: HDF5 files are
    copied byte by byte and changed in place, variables of MATLAB 5 files are copied unread. A file that holds
    one modality only, as the `-iall` and `-yall` files of the field, is treated for that modality. Rows the
    plan drops keep their values, because other rows of the split may need them; both masks are 0 there. A
    root attribute `digest`, in which files of cmh-data state a digest of their content, is left out, because
    it is no longer true.

    Args:
        source: The file; it is never changed.
        target: Where the copy goes. It is written under a temporary name beside it and renamed at the end, so
            a killed run leaves the old target or none. None only checks whether it could be written.
        plan: What to empty.
        rows: `(n_train,)` integers, the row of the file for each row of the plan, from 0; None where the file
            holds exactly the training rows. No other row is touched.
        protect: `(m,)` integers, rows that must stay whole, such as the queries and the retrieval set. Where
            training rows are retrieval rows as well, one file cannot hold both: use `plan.apply`, or leave
            this out as the field's own files do.
        keep: `(m,)` integers, rows whose values stay although they are training rows, because they are ranked
            as well; the masks alone then say what they lose in training.
        image_key: Name or names of the image arrays; by default all with a name of the field (`IAll`,
            `images`, ...). No name at all, `[]`, says that the file holds no images.
        text_key: The same for texts (`YAll`, `text`, ...).
        item_axis: For arrays whose axes cannot be told from their sizes, the axis of the items by key, as
            h5py (HDF5, MATLAB 7.3) or SciPy (MATLAB 5) shows the array.
        marker: Which modality gets one more value per item that is 1 where the item is removed.
        fill: Zeros, or the mean of the training items that are still present.
        masks: Write `image_present`, `text_present` (uint8 for every row of the file) and `unpairing_plan`
            (the plan's JSON as bytes) into the target; into a file of one modality its own mask, and the plan
            as `unpairing_plan_image` or `unpairing_plan_text`.
        verify: Read the target again and compare it with the source and the plan: what was copied byte for
            byte, where removed and other items share a chunk by value.
        digests: Report SHA-256 of the removed and of the other items of the target, so that others can check
            theirs: `hashlib.sha256(np.compress(removed, array, axis=item_axis).tobytes())` (for MATLAB 5 of
            the stored type and `tobytes(order="F")`). It reads and unpacks the whole array once more.
        overwrite: Replace an existing target.

    Returns:
        What was done.

    Raises:
        ValueError: If the file, its arrays, the rows or the options do not fit the plan.
        FileExistsError: If the target exists and `overwrite` is False.
        OSError: If what was written is not what should have been; the target is not replaced then.

    Example:
        >>> import tempfile
        >>> import h5py
        >>> import numpy as np
        >>> from cmh_unpair import plan_unpairing
        >>> folder = Path(tempfile.mkdtemp())
        >>> with h5py.File(folder / "pairs.h5", "w") as file:
        ...     file["images"], file["texts"] = np.ones((30, 4)), np.ones((30, 2))
        >>> report = unpair_file(
        ...     folder / "pairs.h5",
        ...     folder / "unpaired.h5",
        ...     plan_unpairing(20, unpaired_images=50),
        ...     rows=range(20),
        ... )
        >>> [(array.key, array.emptied) for array in report.arrays]
        [('images', 0), ('texts', 10)]
    """
    # Plans alone need no files, so what reads files is loaded when it is needed.
    from cmh_files import RewritableFile, atomic_write  # noqa: PLC0415
    from cmh_files.key_names import choose_keys, locate_rows  # noqa: PLC0415

    from cmh_unpair._row_edits import row_edits  # noqa: PLC0415

    source, target = Path(source), None if target is None else Path(target)
    _check_arguments(source, target, plan, marker=marker, fill=fill, masks=masks, overwrite=overwrite)
    with RewritableFile(source) as file:
        shapes, limited = file.shapes, file.limited
        asked: dict[Role, str | Sequence[str] | None] = {"image": image_key, "text": text_key}
        keys = {role: choose_keys(shapes, role, names) for role, names in asked.items()}
        last_row = None if rows is None else int(np.max(np.asarray(rows), initial=0))
        n, axes = locate_rows(
            shapes, keys, n_train=plan.n_train, last_row=last_row, item_axis=item_axis or {}
        )
        training = training_rows(plan, rows, n=n)
        edits = row_edits(shapes, axes, keys, plan=plan, training=training, marker=marker, fill=fill)
        for edit in edits:
            if edit.key in limited and (edit.marker or edit.mean or edit.integers):
                raise ValueError(
                    f"{edit.key} must be a full array to take a marker, a mean or an integer cast, but it is "
                    f"{limited[edit.key]}; save it as a full matrix first."
                )
        _check_something_is_removed(plan, shapes, keys, asked, n=n)
        if protect is not None:
            _check_protected(edits, np.asarray(protect))
        if keep is not None:
            edits = _keeping(edits, keep, masks=masks)
        found: dict[str, tuple[str, str] | None] = {}
        if target is not None:
            extra = _extra(plan, training, edits, n=n) if masks else {}
            _keep_what_was_missing(source, shapes, extra)
            with atomic_write(target) as temporary:
                found = file.rewrite(temporary, edits, extra, verify=verify, digests=digests)
        return RewriteReport(
            source=source.name,
            target=None if target is None else str(target),
            format=file.format,
            n_items=n,
            plan_digest=plan.digest,
            arrays=tuple(_report(edit, found.get(edit.key)) for edit in edits),
            verified=verify and target is not None,
        )


def _check_something_is_removed(
    plan: UnpairingPlan,
    shapes: Shapes,
    keys: Mapping[Role, Sequence[str]],
    asked: Mapping[Role, str | Sequence[str] | None],
    *,
    n: int,
) -> None:
    """Refuse a plan that removes images or texts where none of the file's arrays are known as such."""
    from cmh_files import KEY_NAMES, TRAINING_TABLES  # noqa: PLC0415 - as in unpair_file

    named = {key for role_keys in keys.values() for key in role_keys}
    known = {*named, *KEY_NAMES["labels"], *TRAINING_TABLES["labels"]}
    others = [
        f"{key} {shape}"
        for key, shape in shapes.items()
        if key not in known and n in shape and sum(size > 1 for size in shape) > 1
    ]
    counts = {role: int(np.count_nonzero(plan.kept & ~present)) for role, present in _present(plan).items()}
    for role, count in counts.items():
        if count and not keys[role] and asked[role] is None and others:
            raise ValueError(
                f"{role}_key must name the {role} array because the plan removes {count} of its items and no "
                f"array has a name of the field; the file holds {', '.join(others)} (where none of these is "
                f"it, name none: [])"
            )
    if any(counts.values()) and not any(counts[role] for role in counts if keys[role]):
        raise ValueError(
            f"plan must empty something in this file, but it removes {counts['image']} images and "
            f"{counts['text']} texts and the file holds {', '.join(sorted(named))}; nothing was written"
        )


def _present(plan: UnpairingPlan) -> dict[Role, NDArray[np.bool_]]:
    return {"image": plan.image_present, "text": plan.text_present}


def _keeping(edits: list[RowEdit], keep: ArrayLike, *, masks: bool) -> list[RowEdit]:
    """Edits that leave the values of some rows as they are; only the masks say what these lost."""
    if not masks:
        raise ValueError(
            "masks must be True because rows in keep are told by the masks alone, but it is False"
        )
    rows = np.asarray(keep)
    kept = []
    for edit in edits:
        if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= edit.n):
            raise ValueError(f"keep must name rows from 0 to {edit.n - 1}, but it names others")
        present = edit.present.copy()
        present[rows.astype(np.int64)] = True
        kept.append(replace(edit, present=present))
    return kept


def _check_arguments(
    source: Path,
    target: Path | None,
    plan: UnpairingPlan,
    *,
    marker: str,
    fill: str,
    masks: bool,
    overwrite: bool,
) -> None:
    if not source.is_file():
        raise ValueError(f"source must be a file, but {source} is none")
    if target is not None:
        _check_target(source, target, overwrite=overwrite)
    if marker not in ("none", "text", "both"):
        raise ValueError(f"marker must be 'none', 'text' or 'both', but it is {marker!r}")
    if fill not in ("zero", "mean"):
        raise ValueError(f"fill must be 'zero' or 'mean', but it is {fill!r}")
    if plan.text_index is not None:
        raise ValueError(
            "plan must be one without shuffled rows, but it has some; use plan.apply on the arrays"
        )
    if not masks and plan.counts.dropped:
        raise ValueError(
            "masks must be True because the plan drops rows, which only the masks can tell, but it is False"
        )


def _check_target(source: Path, target: Path, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise ValueError(f"target must be in an existing folder, but {target.parent} is none; make it first")
    if target.exists() and target.samefile(source):
        raise ValueError(f"target must be another file than the source, but both are {target}")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; choose another name or pass overwrite=True")


def _check_protected(edits: list[RowEdit], protect: NDArray[np.int64]) -> None:
    for edit in edits:
        if protect.size and (protect.min() < 0 or protect.max() >= edit.n):
            raise ValueError(
                f"protect must name rows from 0 to {edit.n - 1}, but it names {protect.min()} to "
                f"{protect.max()}"
            )
        number = int(np.count_nonzero(~edit.present[protect]))
        if number:
            raise ValueError(
                f"protect must name rows that stay whole, but {number} of them are training rows whose "
                f"{edit.role} would be removed; one file cannot hold both, use plan.apply and keep the "
                "source for retrieval"
            )


def _extra(
    plan: UnpairingPlan, training: NDArray[np.int64], edits: list[RowEdit], *, n: int
) -> dict[str, NDArray[np.uint8]]:
    """The mask of each modality of the file, rows outside the training set whole, and the plan.

    Files of one modality stand side by side in a folder, so no two of them may hold the same name.
    """
    extra = {}
    roles = sorted({edit.role for edit in edits})
    for role in roles:
        mask = np.ones(n, dtype=np.uint8)
        mask[training] = plan.image_present if role == "image" else plan.text_present
        extra[MASK_KEYS[role]] = mask
    key = PLAN_KEY if len(roles) == len(MASK_KEYS) else f"{PLAN_KEY}_{roles[0]}"
    return extra | {key: np.frombuffer(plan.to_json().encode(), dtype=np.uint8)}


def _keep_what_was_missing(source: Path, shapes: Shapes, extra: dict[str, NDArray[np.uint8]]) -> None:
    """Let items that the file itself calls missing stay so in the new masks."""
    from cmh_files import variables  # noqa: PLC0415 - as in unpair_file

    stated = [key for key in MASK_KEYS.values() if key in shapes and key in extra]
    for variable in variables(source) if stated else ():
        if variable.key in stated:
            mask = variable.read().ravel()
            if len(mask) != len(extra[variable.key]):
                raise ValueError(
                    f"{variable.key} must have one value per row, {len(extra[variable.key])}, but the file "
                    f"holds {len(mask)}"
                )
            extra[variable.key] &= (mask != 0).astype(np.uint8)


def _report(edit: RowEdit, digests: tuple[str, str] | None) -> RewrittenArray:
    return RewrittenArray(
        key=edit.key,
        role=edit.role,
        shape=edit.shape,
        item_axis=edit.axis,
        emptied=int(np.count_nonzero(~edit.present)),
        digests=digests,
    )
