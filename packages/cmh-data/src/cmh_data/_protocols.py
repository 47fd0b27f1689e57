"""Named splits: which rows of a known data set train, are queries and are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._dataset.assemble import check_labels, check_split
from cmh_data._errors import DataError
from cmh_data._layouts.known import KNOWN, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import Split

    Rows = NDArray[np.int64]
    Stated = tuple[Rows | None, Rows | None]  # query and retrieval rows as the file states them
    # rows, labels, seed, stated -> split
    Maker = Callable[[int, NDArray[np.uint8], int, Stated], Split]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One named split.

    Args:
        name: its short name.
        title: who uses it, in one line.
        seeded: whether the rows are drawn at random.
        digests: SHA-256 of the split for each data set it fits, with seed 0 where it is drawn; empty where
            it depends on labels (NUS-WIDE TC10) or on indices in the file (MS-COCO) that were not at hand.
        makers: how to make it, by data set.

    Example:
        >>> split = find_protocol("umml").make(np.ones((20015, 24), np.uint8))
        >>> len(split.train), len(split.query), len(split.retrieval)
        (10000, 2000, 18015)
    """

    name: str
    title: str
    seeded: bool
    digests: Mapping[str, str]
    makers: Mapping[str, Maker]

    def make(
        self,
        labels: NDArray[Any],
        *,
        text_width: int | None = None,
        seed: int = 0,
        query: Rows | None = None,
        retrieval: Rows | None = None,
    ) -> Split:
        """Make the split for a data set, recognised by its sizes.

        Args:
            labels: `(n, n_label)` uint8 zeros and ones, in the row order of the data.
            text_width: the width of the text, where it is known.
            seed: of the draw, for protocols that draw.
            query: `(n_query,)` int64, the query rows that the file states, for protocols that take them.
            retrieval: `(n_retrieval,)` int64, the retrieval rows likewise.

        Returns:
            The split.

        Raises:
            DataError: the protocol does not fit this data set; the message says why.
        """
        label = check_labels(labels)
        shapes = {"labels": label.shape}
        if text_width is not None:
            shapes["text"] = (len(label), text_width)
        known, _ = identify(shapes, None)
        if known is None or known.key not in self.makers:
            fits = " or ".join(
                f"{one.title} ({one.rows} rows, {one.label_columns} labels)"
                for one in KNOWN
                if one.key in self.makers
            )
            what = known.title if known else "no data set it knows"
            raise DataError(
                f"the protocol {self.name} fits {fits}, but this is {what} "
                f"({len(label)} rows, {label.shape[1]} labels)."
            )
        return self.makers[known.key](len(label), label, seed, (query, retrieval))


def protocols() -> Mapping[str, Protocol]:
    """Return all named splits by name.

    Returns:
        From each name to its protocol.

    Example:
        >>> sorted(protocols())[:3]
        ['agah', 'dadh-2020', 'dadh-2021']
    """
    return _PROTOCOLS


def find_protocol(name: str) -> Protocol:
    """Return one protocol by its name.

    Args:
        name: such as "umml".

    Returns:
        The protocol.

    Raises:
        DataError: there is none of that name.

    Example:
        >>> find_protocol("umml").seeded
        False
    """
    if name not in _PROTOCOLS:
        raise DataError(f"there is no protocol {name!r}; the protocols are {', '.join(_PROTOCOLS)}.")
    return _PROTOCOLS[name]


def _rows(start: int, stop: int) -> NDArray[np.int64]:
    return np.arange(start, stop, dtype=np.int64)


def _query_last(n_query: int, n_train: int) -> Maker:
    def make(n: int, _labels: NDArray[np.uint8], _seed: int, _stated: Stated) -> Split:
        return check_split(
            n, train=_rows(0, n_train), query=_rows(n - n_query, n), retrieval=_rows(0, n - n_query)
        )

    return make


def _query_first(n_query: int, n_train: int) -> Maker:
    def make(n: int, _labels: NDArray[np.uint8], _seed: int, _stated: Stated) -> Split:
        train = _rows(n_query, n_query + n_train)
        return check_split(n, train=train, query=_rows(0, n_query), retrieval=_rows(n_query, n))

    return make


def _off_by_one(n_query: int) -> Maker:
    """UMML's JDSH: everything ends one row early, and the last row is never used."""

    def make(n: int, _labels: NDArray[np.uint8], _seed: int, _stated: Stated) -> Split:
        first = n - n_query - 1
        return check_split(n, train=_rows(0, 9999), query=_rows(first, n - 1), retrieval=_rows(0, first))

    return make


def _random(n_query: int, n_train: int) -> Maker:
    def make(n: int, _labels: NDArray[np.uint8], seed: int, _stated: Stated) -> Split:
        order = np.random.default_rng(seed).permutation(n)
        query, rest = order[:n_query], order[n_query:]
        return check_split(n, train=rest[:n_train], query=query, retrieval=np.sort(rest))

    return make


def _per_label(first: tuple[int, int], later: tuple[int, int], n_train: int) -> Maker:
    """JDSH: for each label in column order, queries and training rows out of the rows not yet taken."""

    def make(n: int, labels: NDArray[np.uint8], seed: int, _stated: Stated) -> Split:
        rng = np.random.default_rng(seed)
        free = np.ones(n, dtype=bool)
        query: list[NDArray[np.int64]] = []
        train: list[NDArray[np.int64]] = []
        for column in range(labels.shape[1]):
            n_query, n_take = first if column == 0 else later
            rows = rng.permutation(np.flatnonzero(free & (labels[:, column] == 1)))[: n_query + n_take]
            free[rows] = False
            query.append(rows[:n_query])
            train.append(rows[n_query:])
        missing = n_train - sum(map(len, train))
        if missing > 0:
            train.append(rng.permutation(np.flatnonzero(free))[:missing])
        return check_split(n, train=np.concatenate(train), query=np.concatenate(query))

    return make


def _from_the_file(n_train: int) -> Maker:
    """JDSH on COCO.mat: the file's own queries and database, and training rows drawn from the database."""

    def make(n: int, _labels: NDArray[np.uint8], seed: int, stated: Stated) -> Split:
        query, retrieval = stated
        if query is None or retrieval is None:
            raise DataError(
                "the queries of MS-COCO stand only in param/indexQuery and param/indexDatabase of COCO.mat, "
                "and this file states none."
            )
        train = np.random.default_rng(seed).permutation(retrieval)[:n_train]
        return check_split(n, train=train, query=query, retrieval=retrieval)

    return make


def _official_wikipedia(n: int, _labels: NDArray[np.uint8], _seed: int, _stated: Stated) -> Split:
    return check_split(n, train=_rows(0, 2173), query=_rows(2173, n))


_MIR, _NUS21, _NUS10, _WIKI, _COCO = "mirflickr25k", "nuswide-tc21", "nuswide-tc10", "wikipedia", "coco"
_HANZI, _APPS = "hanzi", "debian-apps"

_PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                name="umml",
                title="UMML's DADH and AGAH: queries are the last rows, rows 0 to 9999 train and are ranked",
                seeded=False,
                digests={
                    _MIR: "de09b539a691ebfe6ea23bcdf1b824c6c10397a2cb5da6dd7ce8417861c6c633",
                    _NUS21: "d86550e9d9def9a1d2009df0162c46936cf5f6c55235731d5198e490d52a9fba",
                },
                makers={_MIR: _query_last(2000, 10_000), _NUS21: _query_last(2100, 10_000)},
            ),
            Protocol(
                name="umml-jdsh",
                title="UMML's JDSH: one row less everywhere, the last row is never used",
                seeded=False,
                digests={
                    _MIR: "be311e69a3df3adb2c44733a65ca0f6394f1ba08c6de3b84d56d7c8c3aae3708",
                    _NUS21: "0b6990e5f5cf3b27010ada5e96668aa75a30e612dd9302d34b6d21b661b8fe13",
                },
                makers={_MIR: _off_by_one(2000), _NUS21: _off_by_one(2100)},
            ),
            Protocol(
                name="dadh-2020",
                title="DADH of June 2020: the first rows are the queries, the 10000 after them train",
                seeded=False,
                digests={
                    _MIR: "5f893c6dddf7f0ac2686cb45d0db643e402744824f33fe94d9e76b14689ff6b2",
                    _NUS21: "d88fc84209d5889584cc5f0e46ba387929c2d04231f42bea54b457cc81b91fa6",
                },
                makers={_MIR: _query_first(2000, 10_000), _NUS21: _query_first(2100, 10_000)},
            ),
            Protocol(
                name="dadh-2021",
                title="DADH since November 2020: queries last on MIR-Flickr25K, first on NUS-WIDE",
                seeded=False,
                digests={
                    _MIR: "de09b539a691ebfe6ea23bcdf1b824c6c10397a2cb5da6dd7ce8417861c6c633",
                    _NUS21: "d88fc84209d5889584cc5f0e46ba387929c2d04231f42bea54b457cc81b91fa6",
                },
                makers={_MIR: _query_last(2000, 10_000), _NUS21: _query_first(2100, 10_000)},
            ),
            Protocol(
                name="agah",
                title="AGAH: the first rows are the queries, the 10000 after them train",
                seeded=False,
                digests={
                    _MIR: "5f893c6dddf7f0ac2686cb45d0db643e402744824f33fe94d9e76b14689ff6b2",
                    _NUS21: "d88fc84209d5889584cc5f0e46ba387929c2d04231f42bea54b457cc81b91fa6",
                },
                makers={_MIR: _query_first(2000, 10_000), _NUS21: _query_first(2100, 10_000)},
            ),
            Protocol(
                name="dcmh",
                title="DCMH: 2000 random rows are the queries, 10000 random others train",
                seeded=True,
                digests={_MIR: "6a4cfda8299208031d460383029f85b842913102902b5e55df5a9c58fd33225d"},
                makers={_MIR: _random(2000, 10_000)},
            ),
            Protocol(
                name="jdsh-random",
                title="JDSH, CFRH, CAGAN: rows drawn label by label; the programs never seed the draw",
                seeded=True,
                digests={
                    _MIR: "588346a84343a37e31998c9eadc0bbb4400bd609895e6843db4bec8cf6bb1b8c",
                    _NUS10: "",
                    _COCO: "",
                },
                makers={
                    _MIR: _per_label((160, 400), (80, 200), 5000),
                    _NUS10: _per_label((200, 500), (200, 500), 5000),
                    _COCO: _from_the_file(10_000),
                },
            ),
            Protocol(
                name="wikipedia",
                title="the published lists: rows 0 to 2172 train and are ranked, the other 693 are queries",
                seeded=False,
                digests={_WIKI: "99a6fafaf7726ce604bd7572e6365b6325c397ec7c940c65cf54972399a2623b"},
                makers={_WIKI: _official_wikipedia},
            ),
            Protocol(
                name="hanzi",
                title="sizes as on MIR-Flickr25K: 2000 random characters are queries, 10000 others train",
                seeded=True,
                digests={_HANZI: "7675d2d54667b4d65f32b3d4da47507c80f52f823c3e0539b8461bbfd82a1414"},
                makers={_HANZI: _random(2000, 10_000)},
            ),
            Protocol(
                name="debian-apps",
                title="200 random programs are queries, all 1641 others train and are ranked",
                seeded=True,
                digests={_APPS: "45842375b3adaca6ccaf32837a13056d8be562c5ab3264533ecfaeaf159fe10b"},
                makers={_APPS: _random(200, 1641)},
            ),
        )
    }
)
