"""Which labels occur together, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from umml_cli.errors import UserError


def draw_labels(report: Any, path: Path) -> None:
    """How often each label comes with each other one, as a share of the rows with the label of the line."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second of import

    if report.label is None:
        raise UserError(f"{report.path} holds no labels to draw.")
    if path.suffix not in {".png", ".pdf", ".svg"}:
        raise UserError(f"--figure must end in .png, .pdf or .svg, but it is {path}.")
    together = np.array(report.label.co_occurrence, dtype=float)  # (n_label, n_label)
    share = together / np.maximum(together.diagonal()[:, None], 1)
    side = 2 + 0.25 * len(share)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(share, cmap="viridis", vmin=0, vmax=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(range(len(share)), report.label.names)
    axes.tick_params(axis="x", rotation=90)
    axes.set(xlabel="also has", ylabel="rows with", title=Path(report.path).name)
    figure.colorbar(drawn, label="share of the rows of the line")
    figure.savefig(path)
