"""The numbers of the UMML paper, as printed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Self

from umml_cli.results.series import discarded_cell
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASKS, UNPAIRED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BITS = 64
"""The paper's only code length."""

ROUNDING = 0.0005
"""Half a unit of the last printed place of an mAP."""

PRINTED = ("mirflickr25k", "nuswide-tc21")
"""The paper's data sets."""

UNCHECKED_LABELS = ("nuswide-tc21",)
"""Those whose labels no digest is known of: data are taken for them by their sizes alone."""

Key = tuple[str, str, Cell, str]  # data set, method, cell, task


@cache
def published_maps() -> Mapping[Key, float]:
    """Tables 3 to 6: (data set, method, cell, task) to mAP."""
    return {
        (row["dataset"], row["method"], _cell(row), row["task"]): float(row["map"])
        for row in _rows("umml2022_map")
    }


def _cell(row: Mapping[str, str]) -> Cell:
    return Cell.of(row["scheme"], float(row["percent"] or 0))


@dataclass(frozen=True)
class BestScheme:
    """An entry of Table 7.

    Args:
        scheme: the best of UI, UT, UIT and SD.
        gain: percent by which it beats SD, None where SD is the best.
    """

    scheme: str
    gain: float | None

    @classmethod
    def among(cls, maps: Mapping[str, float]) -> Self:
        """The best of scheme to mAP; SD wins when nothing is better."""
        best = max(maps, key=lambda scheme: (maps[scheme], scheme == "SD"))
        return cls(best, None if best == "SD" else (maps[best] / maps["SD"] - 1) * 100)

    def __str__(self) -> str:
        return self.scheme if self.gain is None else f"{self.scheme} {self.gain:+.2f}"

    def follows_from(self, maps: Mapping[str, float]) -> bool:
        """Whether mAPs that round to the given ones could have led to this entry."""
        chosen, discarded, h = maps[self.scheme], maps["SD"], ROUNDING + 1e-9
        if any(chosen + h < rival - h for rival in maps.values()):
            return False
        if self.gain is None:
            return True
        low, high = ((chosen - h) / (discarded + h) - 1) * 100, ((chosen + h) / (discarded - h) - 1) * 100
        return low - 0.0051 <= self.gain <= high + 0.0051  # the gain itself is rounded too


def rivals(maps: Mapping[tuple[Cell, str], float], percent: float, task: str) -> dict[str, float] | None:
    """MAP of UI, UT, UIT and SD at one share; "both" tasks: their mean. None where one is missing.

    Args:
        maps: (cell, task) to mAP.
        percent: the share.
        task: "i2t", "t2i" or "both".
    """
    cells = {**{scheme: Cell.of(scheme, percent) for scheme in UNPAIRED}, "SD": discarded_cell(percent)}
    tasks = TASKS if task == "both" else (task,)
    if any((cell, one) not in maps for cell in cells.values() for one in tasks):
        return None
    return {scheme: sum(maps[cell, one] for one in tasks) / len(tasks) for scheme, cell in cells.items()}


@cache
def published_best() -> Mapping[tuple[str, str, float, str], BestScheme]:
    """Table 7: (data set, method, percent, task) to its entry; task "both" is the mean of the two."""
    return {
        (row["dataset"], row["method"], float(row["percent"]), row["task"]): BestScheme(
            row["best_scheme"], float(row["gain_over_sd_percent"]) if row["gain_over_sd_percent"] else None
        )
        for row in _rows("umml2022_table7")
    }


def maps_of(dataset: str, method: str) -> dict[tuple[Cell, str], float]:
    """Published (cell, task) to mAP of one method on one data set."""
    return {key[2:]: value for key, value in published_maps().items() if key[:2] == (dataset, method)}


@cache
def inconsistent_best() -> Mapping[tuple[str, str, float, str], BestScheme]:
    """Entries of Table 7 that do not follow from Tables 3 to 6: their key to what does follow."""
    found = {}
    for key, entry in published_best().items():
        dataset, method, percent, task = key
        maps = rivals(maps_of(dataset, method), percent, task)
        if maps is not None and not entry.follows_from(maps):
            found[key] = BestScheme.among(maps)
    return found


@cache
def published_unpaired() -> Mapping[tuple[str, str, str], float]:
    """Table 8: (method, data set, task) to mAP; "dadh+umml" is DADH trained by UMML."""
    return {
        (row["method"], row["dataset"], row["task"]): float(row["map"]) for row in _rows("umml2022_table8")
    }


@cache
def published_classes() -> Mapping[str, Mapping[str, str]]:
    """Table 9: lower-case class name to its row as printed."""
    return {row["class"].lower(): row for row in _rows("umml2022_table9")}


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = (
        files("umml_cli").joinpath("results", "published_numbers", f"{name}.csv").read_text(encoding="utf-8")
    )
    return csv.DictReader(text.splitlines())
