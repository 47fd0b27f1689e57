"""What the paper found, looked for in any grid: ours, and the published numbers of the same method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from umml_cli.results.published import BITS, maps_of
from umml_cli.results.series import Score, Series, discarded_cell
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASKS, UNPAIRED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FALLEN = 0.1
"""Share of what training gained over the untrained network, up to which a cell has fallen to it."""

FAR_ABOVE = 0.25
"""Share of it from which a cell stays far above."""


@dataclass(frozen=True)
class Evidence:
    """How often a finding shows, and the numbers where they say more than the count.

    Args:
        shown: in how many cases.
        of: of how many.
        not_significant: cases not significant, either way; None where nothing is known of it.
        numbers: shares that the count was made of.
    """

    shown: int
    of: int
    not_significant: int | None = None
    numbers: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.shown} of {self.of}"
        if self.not_significant is not None:
            said += f"; opposite direction in {self.opposite}, not significant in {self.not_significant}"
        return f"{said} ({', '.join(self.numbers)})" if self.numbers else said

    @property
    def opposite(self) -> int:
        """Cases that show the contrary."""
        return self.of - self.shown - (self.not_significant or 0)

    @property
    def verdict(self) -> str:
        """Yes: always; mostly: in more than half of the cases; unclear: the others decide; else no."""
        if self.shown == self.of:
            return "yes"
        if 2 * self.shown > self.of:
            return "mostly"
        return "unclear" if 2 * (self.shown + (self.not_significant or 0)) > self.of else "no"


def _count(differences: Sequence[tuple[float, float | None]]) -> Evidence:
    """Differences that should be positive, each with half of its 95% CI."""
    clear = [value for value, half in differences if half is None or abs(value) > half]
    known = all(half is not None for _, half in differences)
    shown = sum(value > 0 for value in clear)
    return Evidence(shown, len(differences), len(differences) - len(clear) if known else None)


def _hurts_more(series: Series, scheme: str, hurt: str, spared: str) -> Evidence | None:
    """In how many shares a scheme lowers one task's mAP by a larger part than the other's."""
    maps, paired = _maps(series), Cell.of("paired")
    cells = [cell for cell, task in maps if cell.scheme == scheme and task == hurt]
    if not cells or not maps.get((paired, hurt)) or not maps.get((paired, spared)):
        return None
    differences = []
    for cell in cells:
        weights: dict[tuple[Cell, str], float] = {}  # how the difference moves with each mAP
        left = {}
        for task, sign in ((spared, 1), (hurt, -1)):
            left[task] = maps[cell, task] / maps[paired, task]
            weights[cell, task] = sign / maps[paired, task]
            weights[paired, task] = -sign * left[task] / maps[paired, task]
        differences.append((left[spared] - left[hurt], series.half_width(weights)))
    return _count(differences)


def _kept_gain(series: Series, scheme: str) -> list[float] | None:
    """Of what paired training gained over the untrained network, the share left at 100%; by task.

    None where a number is missing or nothing was gained.
    """
    maps = _maps(series)
    ends = [Cell.of("untrained"), Cell.of("paired"), Cell.of(scheme, 100)]
    if any((cell, task) not in maps for cell in ends for task in TASKS):
        return None
    values = [[maps[cell, task] for cell in ends] for task in TASKS]
    if any(untrained == paired for untrained, paired, _ in values):
        return None
    return [(cell - untrained) / (paired - untrained) for untrained, paired, cell in values]


def _one_sided_falls(series: Series) -> Evidence | None:
    kept = {scheme: gains for scheme in ("UI", "UT") if (gains := _kept_gain(series, scheme)) is not None}
    if not kept:
        return None
    shares = [gain for gains in kept.values() for gain in gains]
    numbers = tuple(f"{scheme} {_percents(gains)}" for scheme, gains in kept.items())
    return Evidence(sum(share <= FALLEN for share in shares), len(shares), numbers=numbers)


def _halves_stay(series: Series) -> Evidence | None:
    gains = _kept_gain(series, "UIT")
    if gains is None:
        return None
    return Evidence(sum(gain >= FAR_ABOVE for gain in gains), len(gains), numbers=(_percents(gains),))


def _percents(shares: Sequence[float]) -> str:
    return " / ".join(f"{100 * share:.0f}%" for share in shares)


def keeping_wins(series: Series) -> Evidence | None:
    """In how many schemes, shares and tasks keeping unpaired samples beats discarding as many."""
    maps = _maps(series)
    differences = []
    for (cell, task), value in maps.items():
        rival = discarded_cell(cell.percent) if cell.scheme in UNPAIRED else None
        if rival is not None and (rival, task) in maps:
            half = series.half_width({(cell, task): 1, (rival, task): -1})
            differences.append((value - maps[rival, task], half))
    return _count(differences) if differences else None


def _maps(series: Series) -> dict[tuple[Cell, str], float]:
    return {key: score.mean for key, score in series.scores.items()}


FINDINGS: Mapping[str, Callable[[Series], Evidence | None]] = {
    "UI lowers image → text more than text → image": lambda series: _hurts_more(series, "UI", "i2t", "t2i"),
    "UT lowers text → image more than image → text": lambda series: _hurts_more(series, "UT", "t2i", "i2t"),
    "all pairs one-sided (UI or UT 100%): falls to the untrained value": _one_sided_falls,
    "no pair left, half of each side (UIT 100%): stays far above it": _halves_stay,
    "keeping unpaired samples beats discarding as many": keeping_wins,
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
        where = f"{self.series.dataset} {self.series.bits} bits {self.series.variant}".strip()
        method = self.series.method_title
        return (self.finding, method, where, str(self.evidence), self.evidence.verdict, self.published)


TITLES = ("finding", "method", "data set", "reproduced", "holds", "published")
REMARKS = (
    "Not significant: the 95% CI of the difference over queries and seeds includes zero. Never of 1 seed.",
    "Counts are of shares of unpaired samples (UI, UT), of tasks (100%), of scheme, share and task (last).",
    "Percentages: what is left, image → text / text → image, of the mAP gained by paired over no training.",
    f"Fallen: at most {100 * FALLEN:.0f}% of it is left; far above: at least {100 * FAR_ABOVE:.0f}%.",
    "Published: the same counts from the paper's Tables 3 to 6, beside the published data alone.",
    "The labels of nuswide-tc21 cannot be checked: its published numbers stand beside any data of its sizes.",
)


def find(all_series: Iterable[Series]) -> list[FindingRow]:
    """Every finding in every series; those that the grid cannot show are left out."""
    all_series = list(all_series)
    return [
        FindingRow(finding, series, evidence, _published(look, series))
        for finding, look in FINDINGS.items()
        for series in all_series
        if (evidence := look(series)) is not None
    ]


def findings_markdown(rows: Iterable[FindingRow]) -> str:
    """The findings as a Markdown table."""
    table = [TITLES, ("---",) * len(TITLES), *(row.entries for row in rows)]
    lines = ["## The paper's findings", "", *(f"| {' | '.join(line)} |" for line in table), ""]
    return "\n".join([*lines, *(f"{remark}  " for remark in REMARKS)]) + "\n"


def _published(look: Callable[[Series], Evidence | None], series: Series) -> str:
    """The same from the paper's numbers of the same data set, method and code length."""
    known = maps_of(series.printed_dataset, series.method) if series.bits == BITS else {}
    scores = {key: Score.of([value]) for key, value in known.items()}
    evidence = look(Series(series.dataset, series.method, BITS, scores)) if scores else None
    return str(evidence) if evidence else "-"
