"""Donors: real items of other training rows that may stand in for a missing one.

Training rows n = 1..N, y_n the label vector, P_m the rows that have modality m, m' the other modality:

    by label      D_m(n) = { d in P_m : cos(y_n, y_d) maximal and > 0 }                          n not in P_m
    by neighbour  D_m(n) = the K rows d in P_image and P_text with the largest cos(x_n - c, x_d - c) in m'

c is the mean of the rows that are present. A draw gives each missing item one of its donors; a row without
donors stays as it is. Donors are row numbers: no feature is copied and no model is trained.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_unpair._checks import as_count, one_of
from cmh_unpair._neighbours import mean_row, nearest_of_groups, nearest_pairs
from cmh_unpair._similar_labels import most_similar, vector_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_unpair._apply import UnpairedArrays


@dataclass(frozen=True, kw_only=True)
class DonorCounts:
    """How well the missing items of one modality are served.

    Args:
        missing: rows whose item is missing.
        without_donor: of these, rows that no donor was found for; their item stays missing.
        exact: of these, rows whose donors have the very same label vector; None for donors by neighbour.
        median_donors: median number of donors of a row that has any; 0 where none has.
    """

    missing: int
    without_donor: int
    exact: int | None
    median_donors: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DonorLists:
    """The donors of one modality: rows that share a list of donors, lists made of segments of `rows`.

    Args:
        missing: `(n_missing,)` int64, training rows whose item is missing, rising.
        list_of: `(n_missing,)` int64, the list of donors of each, -1 where there is none.
        exact: `(n_list,)` bool, lists of rows with the very same label vector; None by neighbour.
        offset: `(n_list + 1,)` int64, where the segments of each list begin.
        start: `(n_segment,)` int64, where a segment begins in `rows`.
        length: `(n_segment,)` int64, how many rows it has, `>= 1`.
        rows: `(n_donor,)` int64, training rows that hold the modality, the segments one behind the other.

    Example:
        >>> import numpy as np
        >>> from cmh_unpair import find_donors, plan_unpairing
        >>> plan, labels = plan_unpairing(4, unpaired_text=50), np.array([0, 1, 1, 0])
        >>> donors = find_donors(plan.apply(None, np.ones((4, 2)), labels), by="label").image
        >>> donors.missing, donors.donors_of(1), donors.draw(np.random.default_rng(0), 4)
        (array([0, 1]), array([2]), array([3, 2, 2, 3]))
    """

    missing: NDArray[np.int64]
    list_of: NDArray[np.int64]
    exact: NDArray[np.bool_] | None
    offset: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    rows: NDArray[np.int64]

    @cached_property
    def _before(self) -> NDArray[np.int64]:
        """Donors in all segments before each, and in all: `(n_segment + 1,)`."""
        return np.concatenate([[0], np.cumsum(self.length)])

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """`(n_list,)` int64, donors in each list."""
        return np.diff(self._before[self.offset])

    @cached_property
    def _served(self) -> NDArray[np.bool_]:
        return self.list_of >= 0

    def donors_of(self, row: int) -> NDArray[np.int64]:
        """Return the donors of one training row.

        Args:
            row: a training row.

        Returns:
            `(n_donor,)` int64 training rows; empty where the item is not missing or has no donor.
        """
        found = np.flatnonzero(self.missing == row)
        if len(found) == 0 or self.list_of[found[0]] < 0:
            return np.empty(0, np.int64)
        segments = range(self.offset[self.list_of[found[0]]], self.offset[self.list_of[found[0]] + 1])
        return np.concatenate([self.rows[self.start[s] : self.start[s] + self.length[s]] for s in segments])

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw a row for each of `n` training rows: itself, or one of its donors, each as likely.

        Args:
            rng: where the random numbers come from.
            n: number of training rows.

        Returns:
            `(n,)` int64.
        """
        drawn = np.arange(n)
        lists = self.list_of[self._served]
        if len(lists):
            place = self._before[self.offset[lists]] + rng.integers(0, self.sizes[lists])
            segment = np.searchsorted(self._before, place, side="right") - 1
            drawn[self.missing[self._served]] = self.rows[self.start[segment] + place - self._before[segment]]
        return drawn

    def count(self) -> DonorCounts:
        """Count how the missing items are served.

        Returns:
            The counts.
        """
        lists = self.list_of[self._served]
        return DonorCounts(
            missing=len(self.missing),
            without_donor=len(self.missing) - len(lists),
            exact=None if self.exact is None else int(self.exact[lists].sum()),
            median_donors=float(np.median(self.sizes[lists])) if len(lists) else 0.0,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Donors:
    """The donors of every missing item of a training set; `find_donors` makes them.

    Args:
        by: how they were found, `"label"` or `"neighbour"`.
        n_train: training rows that the row numbers count.
        image: donors of the rows without an image.
        text: donors of the rows without a text.

    Example:
        >>> import numpy as np
        >>> from cmh_unpair import find_donors, plan_unpairing
        >>> labels = np.eye(2, dtype=np.uint8)[[0, 1, 0, 1]]
        >>> plan = plan_unpairing(4, unpaired_images=50)
        >>> donors = find_donors(plan.apply(np.ones((4, 3)), np.ones((4, 2)), labels), by="label")
        >>> donors.text.missing, donors.text.donors_of(0)
        (array([0, 1]), array([2]))
        >>> image_rows, text_rows = donors.draw(np.random.default_rng(0))
        >>> text_rows
        array([2, 3, 2, 3])
    """

    by: Literal["label", "neighbour"]
    n_train: int
    image: DonorLists
    text: DonorLists

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw, for every training row, the rows that give its image and its text.

        Args:
            rng: where the random numbers come from.

        Returns:
            Image rows and text rows, `(n_train,)` int64 each; a row that has the item, and a row without
            donors, gives itself.
        """
        return self.image.draw(rng, self.n_train), self.text.draw(rng, self.n_train)

    def report(self) -> dict[Literal["image", "text"], DonorCounts]:
        """Count how the missing items of each modality are served.

        Returns:
            The counts of images and of texts.
        """
        return {"image": self.image.count(), "text": self.text.count()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) over the donors of every row."""
        digest = hashlib.sha256(f"cmh-unpair donors 1 {self.by} {self.n_train}".encode())
        for lists in (self.image, self.text):
            for name in ("missing", "list_of", "offset", "start", "length", "rows"):
                values = np.ascontiguousarray(getattr(lists, name), dtype="<i8")
                digest.update(f"{name} {len(values)};".encode())
                digest.update(values.data)
        return digest.hexdigest()


def find_donors(
    unpaired: UnpairedArrays,
    *,
    by: Literal["label", "neighbour"],
    neighbours: int = 5,
    probes: int | None = None,
) -> Donors:
    """Find, for every missing item of a training set, the items of other rows that may stand in for it.

    Memory is of the order of the training rows plus the distinct label vectors (with the ties among them), or
    of `neighbours` numbers for each missing item. Items that are missing are never read.

    Args:
        unpaired: the training set that a plan leaves (`UnpairingPlan.apply`). By label only its labels are
            used; `images` and `texts` may be None.
        by: `"label"`: all rows that have the modality and whose label vector has the largest cosine, above 0,
            with the row's own; pairs are not needed. `"neighbour"`: the pairs that are nearest, by the cosine
            of centred features, in the modality that the row has; labels are not used.
        neighbours: K, the number of donors by neighbour, `>= 1`; fewer where there are fewer pairs.
        probes: by neighbour, for millions of rows: pairs are put into groups, as many as the square root of
            their number, and a row is compared with the pairs of so many nearest groups only, `>= 1`. Some of
            the nearest pairs are missed then (benchmarks/README.md says how many on what data). None: every
            row is compared with every pair.

    Returns:
        The donors, as rows of `unpaired`.

    Raises:
        ValueError: by label without labels; by neighbour without a pair or without the features of a side
            that is needed, or with features that are no numbers, none at all, or NaN or infinity; labels
            that are no table of two values and not one class of each row; `neighbours` or `probes` that is
            no whole number from 1 on; `probes` by label; another `by`.

    Example:
        >>> import numpy as np
        >>> from cmh_unpair import find_donors, plan_unpairing
        >>> images = np.array([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
        >>> unpaired = plan_unpairing(3, unpaired_images=34, block=None).apply(images, np.eye(3))
        >>> find_donors(unpaired, by="neighbour", neighbours=1).text.donors_of(0)
        array([1])
    """
    one_of("by", by, Literal["label", "neighbour"])
    neighbours = as_count("neighbours", neighbours, "donors")
    if probes is not None:
        probes = as_count("probes", probes, "groups")
    if by == "neighbour":
        image, text = _by_neighbour(unpaired, neighbours, probes)
    elif probes is None:
        image, text = _by_label(unpaired)
    else:
        raise ValueError(
            f"probes must be None for by='label', which compares no features, but it is {probes}"
        )
    return Donors(by=by, n_train=len(unpaired), image=image, text=text)


def _by_label(unpaired: UnpairedArrays) -> tuple[DonorLists, DonorLists]:
    if unpaired.labels is None:
        raise ValueError(
            "unpaired must hold labels for by='label', but it has none; "
            "give plan.apply the labels, or use by='neighbour' where there are pairs"
        )
    table = _multi_hot(unpaired.labels, unpaired.text_labels)
    _, first, group = np.unique(vector_keys(table), return_index=True, return_inverse=True)
    vectors = table[first]  # (n_group, n_label), distinct
    image_group, text_group = group[: len(unpaired)], group[-len(unpaired) :]
    return (
        _label_lists(vectors, image_group, unpaired.image_present, wanted=text_group),
        _label_lists(vectors, text_group, unpaired.text_present, wanted=image_group),
    )


def _label_lists(
    vectors: NDArray[np.bool_],
    group: NDArray[np.int64],
    present: NDArray[np.bool_],
    *,
    wanted: NDArray[np.int64],
) -> DonorLists:
    """Donors of the rows that are not present: `group` of each item, `wanted` group of each missing one."""
    rows = np.flatnonzero(present)
    rows = rows[np.argsort(group[rows], kind="stable")]
    size = np.bincount(group[rows], minlength=len(vectors))
    start = np.cumsum(size) - size
    missing = np.flatnonzero(~present)
    asked, list_of = np.unique(wanted[missing], return_inverse=True)
    list_group, donor_group = most_similar(vectors, asked, size > 0)
    count = np.bincount(list_group, minlength=len(asked))
    offset = np.concatenate([[0], np.cumsum(count)])
    exact = size[asked] > 0
    exact &= vectors[asked].any(axis=1)
    return DonorLists(
        missing=missing,
        list_of=np.where(count[list_of] > 0, list_of, -1) if len(missing) else list_of,
        exact=exact,
        offset=offset,
        start=start[donor_group],
        length=size[donor_group],
        rows=rows,
    )


def _multi_hot(labels: Any, text_labels: Any) -> NDArray[np.bool_]:
    """Labels of the images, and below them those of the texts where they are others."""
    tables = [labels] if text_labels is labels else [labels, text_labels]
    table = np.concatenate([t.toarray() if hasattr(t, "toarray") else np.asarray(t) for t in tables])
    if table.ndim == 1:
        classes, number = np.unique(table, return_inverse=True)
        return np.asarray(number[:, None] == np.arange(len(classes)))
    if table.ndim == 2 and table.dtype.kind == "b":
        return table
    if table.ndim != 2 or not np.isin(table, (-1, 0, 1)).all():
        raise ValueError(
            "labels must be a table of 0 and 1, or of -1 and +1, or one class of each row, (n,), but they "
            f"are of shape {table.shape} or hold other values"
        )
    return np.asarray(table > 0)


def _by_neighbour(
    unpaired: UnpairedArrays, neighbours: int, probes: int | None
) -> tuple[DonorLists, DonorLists]:
    pairs = np.flatnonzero(
        unpaired.image_present & unpaired.text_present & (unpaired.index == unpaired.text_index)
    )
    if len(pairs) == 0 and not (unpaired.image_present & unpaired.text_present).all():
        raise ValueError(
            "unpaired must hold a pair for by='neighbour', but it has none: without pairs and without labels "
            "nothing tells which image goes with which text; use by='label' where there are labels"
        )
    return (
        _neighbour_lists(
            "texts",
            unpaired.texts,
            is_missing=~unpaired.image_present,
            present=unpaired.text_present,
            pairs=pairs,
            neighbours=neighbours,
            probes=probes,
        ),
        _neighbour_lists(
            "images",
            unpaired.images,
            is_missing=~unpaired.text_present,
            present=unpaired.image_present,
            pairs=pairs,
            neighbours=neighbours,
            probes=probes,
        ),
    )


def _neighbour_lists(
    name: str,
    features: Any,
    *,
    is_missing: NDArray[np.bool_],
    present: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    neighbours: int,
    probes: int | None,
) -> DonorLists:
    """Donors of missing items, found by `features` of the other modality, where that is present."""
    missing = np.flatnonzero(is_missing)
    seeking = np.flatnonzero(is_missing & present)
    if len(seeking) and features is None:
        raise ValueError(
            f"unpaired must hold {name} for by='neighbour', but it has none; give plan.apply the {name}"
        )
    found = np.empty((0, 0), np.int64)
    if len(seeking):
        _check_features(name, features)
        centre, k = mean_row(features, np.flatnonzero(present)), min(neighbours, len(pairs))
        if not np.isfinite(centre).all():
            raise ValueError(
                f"{name} must hold finite numbers in all rows that are not missing, but one is not"
            )
        if probes is None:
            found, directed = nearest_pairs(features, seeking, pairs, centre, k)
        else:
            found, directed = nearest_of_groups(features, seeking, pairs, centre, k, probes=probes)
        seeking = seeking[directed]
    list_of = np.full(len(missing), -1, np.int64)
    list_of[np.searchsorted(missing, seeking)] = np.arange(len(seeking))
    width = found.shape[1]
    return DonorLists(
        missing=missing,
        list_of=list_of,
        exact=None,
        offset=np.arange(len(seeking) + 1),
        start=np.arange(len(seeking)) * width,
        length=np.full(len(seeking), width, np.int64),
        rows=found.ravel(),
    )


def _check_features(name: str, features: Any) -> None:
    kind = getattr(features.dtype, "kind", "f")  # torch's have none, and are all of numbers
    if kind not in "biuf" or 0 in features.shape[1:]:
        raise ValueError(
            f"{name} must be rows of real numbers for by='neighbour', but they are of shape "
            f"{tuple(features.shape)} and dtype {features.dtype}; give features of the {name}"
        )
