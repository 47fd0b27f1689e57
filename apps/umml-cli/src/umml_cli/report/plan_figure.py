"""What an unpairing plan leaves, by label as a table and by row as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_unpair import CONDITIONS
from rich.table import Table

if TYPE_CHECKING:
    from cmh_unpair import UnpairingPlan
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


# What a row keeps, by its condition in a plan: words of the table, colours of the figure (Okabe and Ito).
SHOWN = {
    "true_pairs": ("true pair", "#0072B2"),
    "without_text": ("image only", "#56B4E9"),
    "without_image": ("text only", "#E69F00"),
    "without_both": ("neither", "#D55E00"),
    "shuffled": ("text shuffled", "#009E73"),
    "dropped": ("dropped", "#BBBBBB"),
}


def label_table(plan: UnpairingPlan, labels: NDArray[Any], names: tuple[str, ...]) -> Table:
    """What is left of every class."""
    counts = plan.counts_by_label(labels)
    shown = [(key, title) for key, (title, _) in SHOWN.items() if counts[key].any() or key == "true_pairs"]
    table = Table(box=None)
    table.add_column("label")
    for title in [*(title for _, title in shown), "all"]:
        table.add_column(title, justify="right")
    for index in range(len(counts["all"])):
        cells = [str(counts[key][index]) for key in [*(key for key, _ in shown), "all"]]
        table.add_row(names[index] if names else str(index), *cells)
    return table


def strip_figure(plan: UnpairingPlan) -> Figure:
    """Every training row as one cell, 100 to a line, coloured by what it keeps."""
    from matplotlib.colors import ListedColormap  # noqa: PLC0415 - half a second of import
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above
    from matplotlib.patches import Patch  # noqa: PLC0415 - as above

    lines = -(-len(plan) // 100)
    cells = np.full(lines * 100, -1)
    cells[: len(plan)] = plan.condition
    figure = Figure(figsize=(8, min(8.0, 1.2 + lines * 0.08)), layout="constrained")
    axes = figure.subplots()
    titles, colours = zip(*(SHOWN[name] for name in CONDITIONS), strict=True)
    axes.imshow(
        np.ma.masked_equal(cells.reshape(lines, 100), -1),
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        aspect="auto",
        interpolation="nearest",
        extent=(0, 100, lines * 100, 0),
    )
    axes.set(xlabel="position in a hundred", ylabel="training row", title=plan.name)
    seen = [place for place in range(len(CONDITIONS)) if np.any(cells == place)]
    handles = [Patch(color=colours[place], label=titles[place]) for place in seen]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(seen))
    return figure
