"""What all figures share: the size that fits one column of a paper, small type, and how they are written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from umml_cli.runs.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

WIDTH = 3.15
"""Inches: one column of a two-column paper (article: 3.18), so that figures stand there unscaled."""

_SETTINGS: Any = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "legend.handlelength": 2.6,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1,
    "lines.markersize": 3,
    "hatch.linewidth": 0.4,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "umml",
}

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": 300, "metadata": {"Software": None}},
    ".svg": {"metadata": {"Date": None, "Creator": None}},
    ".pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""Suffixes of the files of a figure, and what keeps dates and versions out of them."""


@contextmanager
def new_figure(height: float) -> Iterator[Figure]:
    """Give a figure as wide as a column to draw on, `height` inches high."""
    from matplotlib import rc_context  # noqa: PLC0415 - half a second of import
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(_SETTINGS):
        yield Figure(figsize=(WIDTH, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> str:
    """Write the figure in every format; the same figure gives the same bytes.

    Args:
        figure: made by `new_figure`.
        path: the files without their suffixes.

    Returns:
        The figure as SVG.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - half a second of import

    with rc_context(_SETTINGS):
        for suffix, options in FORMATS.items():
            with replacing(path.with_name(path.name + suffix)) as temporary:
                figure.savefig(temporary, format=suffix[1:], **options)
    return path.with_name(path.name + ".svg").read_text(encoding="utf-8")
