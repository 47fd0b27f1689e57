"""Precision-recall and top-N precision of single runs, and of codes from anywhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from umml_cli.report.figures.drawing import save_figure
from umml_cli.report.figures.rankings import LABELS, ranking_figure
from umml_cli.results.retrieval_curves import RetrievalCurves, run_curves
from umml_cli.runs.store import RunFolder
from umml_cli.terms import method_title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def draw_runs(folders: Sequence[Path], to: Path) -> None:
    """Write the figures of runs beside each other, a line for each.

    Args:
        folders: of finished runs.
        to: where to write.
    """
    runs = [RunFolder(folder) for folder in folders]
    labels = list(map(_label, runs))
    often = Counter(labels)
    lines = {
        f"{label} ({run.path.absolute().name[:8]})" if often[label] > 1 else label: {
            task: [curves] for task, curves in run_curves(run, "last").items()
        }
        for label, run in zip(labels, runs, strict=True)
    }
    _draw(lines, to)


def _label(run: RunFolder) -> str:
    """What a run is, or its folder's name where that holds codes alone."""
    if not run.specification.exists():
        return run.path.absolute().name
    spec = run.read_specification()
    return f"{method_title(spec.label)}, {spec.cell.title}, {spec.bits} bits"


def draw_codes(to: Path, **arrays: Any) -> None:
    """Write the figures of codes of one task.

    Args:
        to: where to write.
        arrays: what `cmh_metrics.ranking_tables` takes.
    """
    _draw({f"{arrays['query_codes'].shape[1]} bits": {"retrieval": [RetrievalCurves.of(**arrays)]}}, to)


def _draw(lines: Mapping[str, Mapping[str, Sequence[RetrievalCurves]]], to: Path) -> None:
    for kind in LABELS:
        save_figure(ranking_figure(kind, lines), to / kind)
