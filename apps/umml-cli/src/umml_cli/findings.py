"""What the paper found, looked for in any grid: ours, and the published numbers of the same method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from umml_cli.cells import Cell
from umml_cli.published import BITS, maps_of, published_maps
from umml_cli.results import UNPAIRED, discarded_cell
from umml_cli.store import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from umml_cli.results import Series

Maps = dict[tuple[Cell, str], float]  # (cell, task) to mAP

FALLEN = 0.1
"""Share of what training gained over the untrained network, up to which a cell has fallen to it."""

FAR_ABOVE = 0.25
"""Share of it from which a cell stays far above."""


@dataclass(frozen=True)
class Evidence:
    """How often a finding shows, and the numbers where they say more than the count."""

    shown: int
    of: int
    numbers: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.shown} of {self.of}"
        return f"{said} ({', '.join(self.numbers)})" if self.numbers else said

    @property
    def verdict(self) -> str:
        """Yes where it always shows, mostly where in more than half of the cases, else no."""
        if self.shown == self.of:
            return "yes"
        return "mostly" if 2 * self.shown > self.of else "no"


def _hurts_more(maps: Maps, scheme: str, hurt: str, spared: str) -> Evidence | None:
    """In how many shares a scheme lowers one task's mAP by a larger part than the other's."""
    paired = Cell.of("paired")
    cells = [cell for cell, task in maps if cell.scheme == scheme and task == hurt]
    if not cells or (paired, hurt) not in maps:
        return None
    left = {task: [maps[cell, task] / maps[paired, task] for cell in cells] for task in (hurt, spared)}
    return Evidence(sum(a < b for a, b in zip(left[hurt], left[spared], strict=True)), len(cells))


def _kept_gain(maps: Maps, scheme: str) -> list[float] | None:
    """Of what paired training gained over the untrained network, the share left at 100 %; by task."""
    ends = [Cell.of("untrained"), Cell.of("paired"), Cell.of(scheme, 100)]
    if any((cell, task) not in maps for cell in ends for task in TASKS):
        return None
    values = [[maps[cell, task] for cell in ends] for task in TASKS]
    return [(cell - untrained) / (paired - untrained) for untrained, paired, cell in values]


def _one_sided_falls(maps: Maps) -> Evidence | None:
    kept = {scheme: gains for scheme in ("UI", "UT") if (gains := _kept_gain(maps, scheme)) is not None}
    if not kept:
        return None
    shares = [gain for gains in kept.values() for gain in gains]
    numbers = tuple(f"{scheme} {_percents(gains)}" for scheme, gains in kept.items())
    return Evidence(sum(share <= FALLEN for share in shares), len(shares), numbers)


def _halves_stay(maps: Maps) -> Evidence | None:
    gains = _kept_gain(maps, "UIT")
    if gains is None:
        return None
    return Evidence(sum(gain >= FAR_ABOVE for gain in gains), len(gains), (_percents(gains),))


def _percents(shares: Sequence[float]) -> str:
    return " / ".join(f"{100 * share:.0f} %" for share in shares)


def _keeping_wins(maps: Maps) -> Evidence | None:
    pairs = [
        (value, maps[discarded_cell(cell.percent), task]) for (cell, task), value in maps.items()
        if cell.scheme in UNPAIRED and (discarded_cell(cell.percent), task) in maps
    ]  # fmt: skip
    return Evidence(sum(kept > discarded for kept, discarded in pairs), len(pairs)) if pairs else None


FINDINGS: Mapping[str, Callable[[Maps], Evidence | None]] = {
    "UI lowers image → text more than text → image": lambda maps: _hurts_more(maps, "UI", "i2t", "t2i"),
    "UT lowers text → image more than image → text": lambda maps: _hurts_more(maps, "UT", "t2i", "i2t"),
    "all pairs one-sided (UI or UT 100 %): falls to the untrained value": _one_sided_falls,
    "no pair left, half of each side (UIT 100 %): stays far above it": _halves_stay,
    "keeping unpaired samples beats discarding as many": _keeping_wins,
}


@dataclass(frozen=True)
class FindingRow:
    """One finding of the paper in one series.

    Args:
        finding: in words.
        series: where it was looked for.
        evidence: in our numbers.
        published: the same counts from the paper's own numbers.
    """

    finding: str
    series: Series
    evidence: Evidence
    published: str

    @property
    def entries(self) -> tuple[str, ...]:
        """What is printed, in the order of `TITLES`."""
        where = f"{self.series.dataset} {self.series.bits} bits"
        method = self.series.method.upper()
        return (self.finding, method, where, str(self.evidence), self.evidence.verdict, self.published)


TITLES = ("finding", "method", "data set", "ours", "holds", "published")
REMARKS = (
    "Counts are of shares of unpaired samples (UI, UT), of tasks (100 %), of scheme, share and task (last).",
    "Percentages: what is left, image → text / text → image, of the mAP gained by paired training over none.",
    f"Fallen: at most {100 * FALLEN:.0f} % of it are left; far above: at least {100 * FAR_ABOVE:.0f} %.",
    "Published: the same counts from the paper's Tables 3 to 6 for the method.",
)


def find(all_series: Iterable[Series]) -> list[FindingRow]:
    """Every finding in every series; those that the grid cannot show are left out."""
    all_series = list(all_series)
    return [
        FindingRow(finding, series, evidence, _published(look, series))
        for finding, look in FINDINGS.items()
        for series in all_series
        if (evidence := look({key: score.mean for key, score in series.scores.items()})) is not None
    ]


def findings_markdown(rows: Iterable[FindingRow]) -> str:
    """The findings as a Markdown table."""
    table = [TITLES, ("---",) * len(TITLES), *(row.entries for row in rows)]
    lines = ["## The paper's findings", "", *(f"| {' | '.join(line)} |" for line in table), ""]
    return "\n".join([*lines, *(f"{remark}  " for remark in REMARKS)]) + "\n"


def _published(look: Callable[[Maps], Evidence | None], series: Series) -> str:
    """The same from the paper's numbers: of this data set or, where the paper lacks it, of all of its own."""
    if series.bits != BITS:
        return "-"
    known = list(dict.fromkeys(key[0] for key in published_maps()))
    names = [series.dataset] if series.dataset in known else known
    found = {name: look(maps_of(name, series.method)) for name in names}
    return "; ".join(f"{name} {evidence}" for name, evidence in found.items() if evidence) or "-"
