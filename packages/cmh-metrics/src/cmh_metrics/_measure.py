"""What a measure is to a report: a name, a title, and how it follows from a ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmh_metrics._definition import Definition, Scores
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.ranking_inputs import Inputs
    from cmh_metrics._inputs.tables import RankingTables

#: One number, numbers by cut-off (None being the whole ranking), or a series; None where nothing counts.
Value = float | dict[int | None, float] | tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class Ranked:
    """A ranking with everything that a measure may need.

    Args:
        inputs: the queries, and the database in one part or in several.
        tables: the ranking tables, without the rows that are left out.
        scores: `(n_query,)` average precisions under the definition, NaN without a relevant item.
        definition: of mAP.
        ks: cut-offs.
        targets: the right database rows of each query, if the caller gave them.
        compute: backend and threads.
    """

    inputs: Inputs
    tables: RankingTables
    scores: Scores
    definition: Definition
    ks: tuple[int, ...]
    targets: Any
    compute: Compute


@dataclass(frozen=True)
class Measure:
    """A measure that reports hold: what `evaluate`, JSON, tables and the command line know of it.

    Args:
        name: key in JSON and attribute of `TaskReport`.
        title: how tables call it.
        compute: from a ranking to its value.
    """

    name: str
    title: str
    compute: Callable[[Ranked], Value]


def by_cut_off(ks: Sequence[int | None], means: Scores) -> dict[int | None, float]:
    """Return means by cut-off."""
    return dict(zip(ks, means.tolist(), strict=True))


def or_none(means: Scores) -> tuple[float | None, ...]:
    """Return a series that JSON can hold."""
    return tuple(None if np.isnan(mean) else float(mean) for mean in means)
