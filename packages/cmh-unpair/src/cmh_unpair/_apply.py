"""Apply a plan to arrays of any kind: NumPy, SciPy sparse, torch (without importing it) and lazy files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from cmh_unpair._rule import PlanRule

BATCH_BYTES = 32 * 2**20


@dataclass(frozen=True, eq=False)
class UnpairedArrays:
    """The training set a plan leaves.

    Attributes:
        images: `(n_kept, ...)` images of the input's dtype, removed where `image_present` is False; same kind
            as the input, sparse as CSR.
        texts: `(n_kept, ...)` texts of the input's dtype, removed where `text_present` is False.
        labels: `(n_kept, ...)` labels, of the input's dtype, of the images, and of the texts unless these
            were shuffled with their labels.
        text_labels: `(n_kept, ...)` labels, of the same dtype, of the texts; the same object as `labels`
            where no label moved.
        image_present: `(n_kept,)` bool.
        text_present: `(n_kept,)` bool.
        index: `(n_kept,)` int64 rows of the input arrays.
        text_index: `(n_kept,)` int64 rows of the input arrays whose texts these are.
    """

    images: Any
    texts: Any
    labels: Any
    text_labels: Any
    image_present: NDArray[np.bool_]
    text_present: NDArray[np.bool_]
    index: NDArray[np.int64]
    text_index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)


class UnpairedView:
    """Rows of a lazy array as a plan leaves them, read when asked for.

    Behaves like the first axis of an array: `len`, `shape`, `dtype`, integer, slice, mask and index access.

    Args:
        source: The lazy array, such as an open `h5py.Dataset`.
        index: `(n,)` int64 rows of `source`.
        present: `(n,)` bool, rows that are not removed.
        value: `(...)`, a row's shape without marker, of the source's dtype: what an removed row holds.
        marker: Whether a column is added that is 1 for removed rows.
        integers: Whether values are cast to int64.

    Example:
        >>> from cmh_unpair import plan_unpairing
        >>> class OnDisk:  # anything with shape, dtype and access by row
        ...     shape, dtype = (4, 2), np.dtype(float)
        ...     def __getitem__(self, rows):
        ...         return np.ones((4, 2))[rows]
        >>> view = plan_unpairing(4, unpaired_text=50).apply(OnDisk(), None).images
        >>> type(view).__name__, view[1:3].tolist()
        ('UnpairedView', [[0.0, 0.0], [1.0, 1.0]])
    """

    def __init__(
        self,
        source: Any,
        *,
        index: NDArray[np.int64],
        present: NDArray[np.bool_],
        value: NDArray[Any],
        marker: bool,
        integers: bool,
    ) -> None:
        self._source = source
        self._index = index
        self._present = present
        self._value = value
        self._marker = marker
        self.dtype = np.dtype(np.int64) if integers else np.dtype(source.dtype)
        width = tuple(source.shape[1:])
        self.shape = (len(index), width[0] + 1) if marker else (len(index), *width)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        place = np.arange(len(self))[key]
        rows = np.atleast_1d(place)
        result = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        data = result[:, :-1] if self._marker else result
        present = self._present[rows]
        data[present] = _read_rows(self._source, self._index[rows[present]])
        data[~present] = self._value
        if self._marker:
            result[:, -1] = ~present
        return result if np.ndim(place) else result[0]

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(
                "copy must be None or True, but it is False; a lazy array is always read into new memory"
            )
        return self[:] if dtype is None else self[:].astype(dtype)


class RowMasks(Protocol):
    """What of a plan its rows' treatment depends on."""

    @property
    def rule(self) -> PlanRule:
        """What was asked."""

    @property
    def text_index(self) -> NDArray[np.int64] | None:
        """`(n_train,)` the row whose text each row holds; None where no text moves."""

    @property
    def n_train(self) -> int:
        """Number of training rows."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """`(n_train,)` rows that stay."""

    @property
    def image_present(self) -> NDArray[np.bool_]:
        """`(n_train,)` rows that have an image."""

    @property
    def text_present(self) -> NDArray[np.bool_]:
        """`(n_train,)` rows that have a text."""


def apply_plan(
    plan: RowMasks,
    images: Any,
    texts: Any,
    labels: Any,
    *,
    rows: ArrayLike | None,
    marker: Literal["none", "text", "both"],
    fill: Literal["zero", "mean"],
) -> UnpairedArrays:
    """Do what `UnpairingPlan.apply` promises."""
    if marker not in ("none", "text", "both"):
        raise ValueError(f"marker must be 'none', 'text' or 'both', but it is {marker!r}")
    if fill not in ("zero", "mean"):
        raise ValueError(f"fill must be 'zero' or 'mean', but it is {fill!r}")
    arrays = {"images": _as_array(images), "texts": _as_array(texts), "labels": _as_array(labels)}
    n = _common_length(arrays)
    training = training_rows(plan, rows, n=n)
    kept = np.flatnonzero(plan.kept)
    index = training[kept]
    text_index = index if plan.text_index is None else training[plan.text_index[kept]]
    image_present, text_present = plan.image_present[kept], plan.text_present[kept]
    integers = plan.rule.integer_cast
    labels_of_texts = plan.text_index is not None and plan.rule.shuffle_labels
    label_rows = _take(arrays["labels"], index)
    return UnpairedArrays(
        images=_with_removed(
            "images",
            arrays["images"],
            index,
            image_present,
            marker=marker == "both",
            fill=fill,
            integers=integers,
        ),
        texts=_with_removed(
            "texts",
            arrays["texts"],
            text_index,
            text_present,
            marker=marker != "none",
            fill=fill,
            integers=integers,
        ),
        labels=label_rows,
        text_labels=_take(arrays["labels"], text_index) if labels_of_texts else label_rows,
        image_present=image_present,
        text_present=text_present,
        index=index,
        text_index=text_index,
    )


def training_rows(plan: RowMasks, rows: ArrayLike | None, *, n: int) -> NDArray[np.int64]:
    """Check the training rows of arrays with n rows; None means that these are exactly the training rows."""
    if rows is None:
        if n != plan.n_train:
            raise ValueError(
                f"rows must be given because the arrays have {n} rows and the plan speaks of {plan.n_train}; "
                f"name the training rows, for example rows=range({plan.n_train})"
            )
        return np.arange(n)
    array = np.asarray(rows)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer) or len(array) != plan.n_train:
        raise ValueError(
            f"rows must be {plan.n_train} whole numbers, one for each row of the plan, "
            f"but they are {array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= n:
        raise ValueError(
            f"rows must be numbers from 0 to {n - 1}, but they are {array.min()} to {array.max()}; "
            f"MATLAB indices start at 1, subtract 1 from them"
        )
    if np.bincount(array, minlength=n).max() > 1:
        raise ValueError("rows must name every row once, but it names some row twice; remove the repetition")
    return array.astype(np.int64)


def _as_array(values: Any) -> Any:
    """Lists become arrays; everything with a shape stays what it is."""
    return values if values is None or hasattr(values, "shape") else np.asarray(values)


def _common_length(arrays: dict[str, Any]) -> int:
    lengths = {name: array.shape[0] for name, array in arrays.items() if array is not None}
    if not lengths:
        raise ValueError("at least one of images and texts must be an array, but all are None")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"images, texts and labels must have the same number of rows, but there are {found}")
    return int(next(iter(lengths.values())))


def _is_sparse(array: Any) -> bool:
    return hasattr(array, "tocsr")


def _is_tensor(array: Any) -> bool:
    return hasattr(array, "new_zeros")


def _is_lazy(array: Any) -> bool:
    return not isinstance(array, np.ndarray) and not _is_sparse(array) and not _is_tensor(array)


def _read_rows(source: Any, index: NDArray[np.int64]) -> NDArray[Any]:
    """Rows of a lazy array in any order; files want each row once and rising."""
    order, inverse = np.unique(index, return_inverse=True)
    if len(order) and order[-1] - order[0] + 1 == len(order):
        block = source[int(order[0]) : int(order[-1]) + 1]
    else:
        block = source[order]
    return np.asarray(block)[inverse]


def _take(array: Any, index: NDArray[np.int64]) -> Any:
    """Rows of an array, in its own kind."""
    if array is None:
        return None
    if _is_sparse(array):
        return array.tocsr()[index]
    return _read_rows(array, index) if _is_lazy(array) else array[index]


def _with_removed(
    name: str,
    array: Any,
    index: NDArray[np.int64],
    present: NDArray[np.bool_],
    *,
    marker: bool,
    fill: str,
    integers: bool,
) -> Any:
    """Rows of an array with some of them removed."""
    if array is None:
        return None
    if marker and len(array.shape) != 2:
        raise ValueError(
            f"marker must be 'none' unless the arrays have two axes, but {name} have {len(array.shape)}; "
            "use marker='text' or 'none'"
        )
    if _is_sparse(array):
        if fill == "mean":
            raise ValueError(
                f"fill must be 'zero' because {name} are sparse and their mean is not, but it is 'mean'; "
                f"pass {name}.toarray()"
            )
        return _without_removed(array.tocsr()[index], present, marker=marker, integers=integers)
    integers = integers and not present.all()  # the published script casts the matrices that it rewrites
    if _is_tensor(array):
        return _removed_from_tensor(array[index], present, marker=marker, fill=fill, integers=integers)
    value = (
        _mean_row(name, array, index[present])
        if fill == "mean"
        else np.zeros(array.shape[1:], dtype=array.dtype)
    )
    view = UnpairedView(array, index=index, present=present, value=value, marker=marker, integers=integers)
    return view if _is_lazy(array) else view[:]


def _mean_row(name: str, array: Any, index: NDArray[np.int64]) -> NDArray[Any]:
    """The mean of some rows in float64, rounded for integers, in batches of bounded memory."""
    if len(index) == 0:
        raise ValueError(
            f"fill must be 'zero' because no {name} are left to take the mean of, but it is 'mean'"
        )
    total = np.zeros(array.shape[1:], dtype=np.float64)
    for batch in _batches(np.sort(index), row_bytes=8 * max(1, total.size)):
        total += _read_rows(array, batch).sum(axis=0, dtype=np.float64)
    mean = total / len(index)
    dtype = np.dtype(array.dtype)
    return (mean if np.issubdtype(dtype, np.inexact) else np.rint(mean)).astype(dtype)


def _batches(index: NDArray[np.int64], *, row_bytes: int) -> Iterator[NDArray[np.int64]]:
    step = max(1, BATCH_BYTES // row_bytes)
    for start in range(0, len(index), step):
        yield index[start : start + step]


def _without_removed(rows: Any, present: NDArray[np.bool_], *, marker: bool, integers: bool) -> Any:
    """A CSR matrix without the entries of removed rows, with one more entry for the marker of each."""
    n, width = rows.shape
    counts = np.diff(rows.indptr)
    entry_present = np.repeat(present, counts)
    new_counts = np.where(present, counts, int(marker))
    indptr = np.concatenate([[0], np.cumsum(new_counts)]).astype(rows.indptr.dtype)
    place = np.repeat(present, new_counts)
    data = np.ones(indptr[-1], dtype=rows.data.dtype)
    indices = np.full(indptr[-1], width, dtype=rows.indices.dtype)
    data[place] = rows.data[entry_present]
    indices[place] = rows.indices[entry_present]
    result = type(rows)((data, indices, indptr), shape=(n, width + int(marker)))
    return result.astype(np.int64) if integers and not present.all() else result


def _removed_from_tensor(
    rows: Any, present: NDArray[np.bool_], *, marker: bool, fill: str, integers: bool
) -> Any:
    """The same for a torch tensor, on its own device, with nothing but its own methods."""
    removed, left = np.flatnonzero(~present), np.flatnonzero(present)
    value = 0
    if fill == "mean":
        if len(left) == 0:
            raise ValueError(
                "fill must be 'zero' because no items are left to take the mean of, but it is 'mean'"
            )
        mean = rows[left].double().mean(0)
        value = (mean if rows.is_floating_point() else mean.round()).to(rows.dtype)
    rows[removed] = value
    if marker:
        wide = rows.new_zeros((rows.shape[0], rows.shape[1] + 1))
        wide[:, :-1] = rows
        wide[removed, -1] = 1
        rows = wide
    return rows.long() if integers else rows
