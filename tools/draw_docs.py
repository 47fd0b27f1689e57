"""Draw the figures of the documentation into docs/figures: `uv run python tools/draw_docs.py`.

They are SVG with text as text. Colours are variables that follow the reader's light or dark setting, and each
figure has a background of its own, so that it can be read on any page. What a figure shows is computed here,
by the packages themselves, from fixed seeds: a second run writes the same bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from cmh_data import sample
from cmh_metrics import average_precision, mean_average_precision
from cmh_unpair import plan_unpairing
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "figures"
# What a colour is for, in light and in dark.
COLOURS = {
    "paper": ("#fffffe", "#17181b"),
    "ink": ("#1f2430", "#e6e8ec"),
    "muted": ("#5b6371", "#a7aebb"),
    "line": ("#c3c8d1", "#4b5260"),
    "image": ("#2a6bb3", "#6aabf0"),
    "text": ("#bd5a14", "#f09a5c"),
    "third": ("#34805a", "#6cc79a"),
}
PAPER, INK, MUTED, LINE, IMAGE, TEXT, THIRD = (light for light, _ in COLOURS.values())
mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "docs",
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": LINE,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.frameon": False,
        "figure.facecolor": PAPER,
    }
)


def bare(axes: Axes) -> None:
    """Take ticks and frame away, and give both axes one scale."""
    axes.set_axis_off()
    axes.set_aspect("equal")


def draw_architecture() -> Figure:
    """What goes from package to package."""
    figure = Figure(figsize=(11, 4.7))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 22), ylim=(0, 9.4))
    axes.set_axis_off()

    def box(x: float, y: float, title: str, words: str, *, width: float = 3.5, colour: str = INK) -> None:
        axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - 0.8), width, 1.6, boxstyle="round,pad=0,rounding_size=0.18",
                facecolor="none", edgecolor=colour, linewidth=1.4,
            )
        )  # fmt: skip
        axes.text(x, y + 0.26, title, ha="center", va="center", fontsize=11.5, fontweight="bold")
        axes.text(x, y - 0.36, words, ha="center", va="center", fontsize=9, color=MUTED)

    def arrow(
        start: Point, end: Point, words: str = "", at: Point = (0, 0.3), *, dashed: bool = False
    ) -> None:
        style = "--" if dashed else "-"
        axes.annotate(
            "", end, start,
            arrowprops={"arrowstyle": "->", "color": MUTED, "linewidth": 1.3, "linestyle": style},
        )  # fmt: skip
        middle = ((start[0] + end[0]) / 2 + at[0], (start[1] + end[1]) / 2 + at[1])
        axes.text(*middle, words, ha="center", va="center", fontsize=9, color=INK)

    axes.text(1.5, 8, "images,\ntexts", ha="center", va="center")
    box(5, 8, "cmh-features", "encoders")
    box(9.6, 8, "cmh-data", "arrays, labels, split")
    box(14.2, 8, "cmh-unpair", "a plan: what is missing")
    box(19.2, 8, "cmh-train", "the training loop")
    box(19.2, 4.9, "a method", "cmh-dadh, cmh-jdsh, …", colour=IMAGE)
    box(11.9, 5.4, "cmh-files", "HDF5, MATLAB, npz", colour=LINE)
    box(14.2, 1.6, "cmh-metrics", "ranking, measures")
    box(19.2, 1.6, "cmh-search", "an index of codes")
    box(5, 1.6, "umml-cli", "commands, runs, grids, tables, report", width=7.4, colour=TEXT)

    arrow((2.4, 8), (3.25, 8))
    arrow((6.75, 8), (7.85, 8), "file", (0, 0.3))
    arrow((11.35, 8), (12.45, 8))
    arrow((15.95, 8), (17.45, 8), "masks")
    arrow((18.7, 7.2), (18.7, 5.7), "batches", (-1.0, 0))
    arrow((19.7, 5.7), (19.7, 7.2), "losses", (0.95, 0))
    arrow((19.2, 4.1), (19.2, 2.4), "codes", (0.75, 0))
    arrow((18.3, 4.1), (15.2, 2.4), "codes (n, bits)", (-1.5, 0.2))
    arrow((12.45, 1.6), (8.7, 1.6), "mAP with its definition")
    arrow((10.2, 7.2), (11.2, 6.2), dashed=True)
    arrow((13.6, 7.2), (12.6, 6.2), dashed=True)
    arrow((17.45, 1.6), (15.95, 1.6), dashed=True)
    axes.text(
        1.3,
        4.2,
        "umml-cli calls all of them;\nsolid: data, dashed: imports",
        color=MUTED,
        fontsize=9,
        va="center",
    )
    return figure


def draw_hashing() -> Figure:
    """Half-planes make bits; codes are compared by the bits in which they differ."""
    figure = Figure(figsize=(10, 4.2))
    plane, table = figure.subplots(1, 2, width_ratios=(1, 1.25))
    halo = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
    rng = np.random.default_rng(3)
    centres = np.array([(-1.1, 0.9), (1.25, 0.75), (0.1, -1.2)])
    normals, offsets = np.array([(1, 0.25), (0.35, 1), (-0.8, 0.75)]), np.array([0.0, 0.15, 0.35])
    for centre, colour in zip(centres, (IMAGE, TEXT, THIRD), strict=True):
        for mark in ("o", "s"):
            points = centre + 0.28 * rng.normal(size=(7, 2))
            plane.scatter(
                *points.T, marker=mark, s=34, facecolor=colour if mark == "o" else "none", edgecolor=colour
            )
    along = np.array([-3, 3])
    for normal, offset in zip(normals, offsets, strict=True):
        plane.plot(along, (-offset - normal[0] * along) / normal[1], color=MUTED, linewidth=1.2)
    grid = np.stack(np.meshgrid(np.linspace(-2.1, 2.1, 211), np.linspace(-2.0, 1.9, 196)), axis=-1)
    bits = grid @ normals.T + offsets >= 0
    for code in np.unique(bits.reshape(-1, 3), axis=0):
        inside = (bits == code).all(axis=-1)
        if inside.sum() > 500:
            x, y = grid[inside].mean(axis=0)
            words = "".join(str(int(bit)) for bit in code)
            plane.text(x, y, words, ha="center", va="center", fontsize=12, fontweight="bold", bbox=halo)
    plane.set(xlim=(-2.1, 2.1), ylim=(-2.0, 1.9))
    bare(plane)
    plane.set_title("● images, □ texts of three topics; each line is one bit", fontsize=10, color=MUTED)

    query = np.array([1, 0, 1, 1, 0, 0, 1, 0])
    rows = [("query: image", query, INK)]
    for name, flips in (("text a", [6]), ("text b", [1, 4]), ("text c", [0, 2, 3, 5, 7])):
        code = query.copy()
        code[flips] ^= 1
        rows.append((name, code, INK))
    for place, (name, code, colour) in enumerate(rows):
        y = 3.6 - place * 1.05 - (place > 0) * 0.35
        table.text(-0.4, y, name, ha="right", va="center", color=colour)
        for column, bit in enumerate(code):
            differs = bit != query[column]
            table.add_patch(
                Rectangle(
                    (column * 0.85, y - 0.38), 0.76, 0.76,
                    facecolor=TEXT if differs else "none", edgecolor=TEXT if differs else LINE, linewidth=1.2,
                )
            )  # fmt: skip
            table.text(
                column * 0.85 + 0.38, y, str(bit), ha="center", va="center", color=PAPER if differs else INK
            )
        if place:
            table.text(7.1, y, f"distance {int((code != query).sum())}", va="center")
    table.set(xlim=(-3.2, 9.8), ylim=(-1.2, 4.6))
    bare(table)
    table.set_title("the Hamming distance counts the bits that differ", fontsize=10, color=MUTED)
    figure.tight_layout()
    return figure


def random_codes(bits: int) -> dict[str, np.ndarray]:
    """Return codes of the emoji's pictures, by random projections of their features, with labels."""
    data = sample()
    image = np.asarray(data.image, dtype=np.float64)
    codes = (image - image.mean(axis=0)) @ np.random.default_rng(0).normal(size=(image.shape[1], bits)) >= 0
    query, ranked = data.split.query, data.split.retrieval
    return {
        "query_codes": codes[query],
        "database_codes": codes[ranked],
        "query_labels": data.label[query],
        "database_labels": data.label[ranked],
    }


def draw_ties() -> Figure:
    """How many items share a distance, and what their order is worth."""
    figure = Figure(figsize=(10, 3.8))
    counts, bounds = figure.subplots(1, 2)
    for bits, colour in ((16, TEXT), (64, IMAGE)):
        codes = random_codes(bits)
        distances = (codes["query_codes"][:, None] != codes["database_codes"][None]).sum(axis=2)
        sizes = np.stack([(distances == radius).sum(axis=1) for radius in range(bits + 1)]).mean(axis=1)
        counts.plot(
            np.arange(bits + 1) / bits, sizes, marker="o", markersize=3.5, color=colour, label=f"{bits} bits"
        )
    counts.set(xlabel="Hamming distance / bits", ylabel="items at this distance", ylim=(0, None))
    counts.legend()
    lengths = [8, 16, 32, 64, 128]
    scores = {
        ties: [mean_average_precision(**random_codes(bits), ties=ties) for bits in lengths]
        for ties in ("best", "expected", "worst")
    }
    places = np.arange(len(lengths))
    bounds.fill_between(places, scores["worst"], scores["best"], color=LINE, alpha=0.45, linewidth=0)
    for ties, mark, colour in (("best", "^", MUTED), ("expected", "o", IMAGE), ("worst", "v", MUTED)):
        bounds.plot(places, scores[ties], marker=mark, markersize=5, color=colour, label=ties)
    bounds.set(xticks=places, xticklabels=lengths, xlabel="bits", ylabel="mAP, whole ranking")
    bounds.legend()
    figure.tight_layout()
    return figure


#: A query's ranking: distances, and whether the item is relevant.
DISTANCES = (0, 1, 1, 2, 2, 2, 3, 4, 5, 6)
RELEVANT = (1, 0, 1, 0, 0, 1, 0, 0, 1, 1)


def example_ranking() -> dict[str, np.ndarray]:
    """Return one query of 8 bits and the ten items of `DISTANCES` and `RELEVANT`."""
    return {
        "query_codes": np.zeros((1, 8), dtype=bool),
        "database_codes": np.arange(8) < np.array(DISTANCES)[:, None],
        "query_labels": np.ones((1, 1), dtype=bool),
        "database_labels": np.array(RELEVANT, dtype=bool)[:, None],
    }


def draw_measures() -> Figure:
    """One ranking, and what each definition of average precision makes of it."""
    figure = Figure(figsize=(10, 3.6))
    strip, bars = figure.subplots(1, 2, width_ratios=(1.35, 1))
    found = np.cumsum(RELEVANT)
    for place, (distance, relevant) in enumerate(zip(DISTANCES, RELEVANT, strict=True)):
        strip.add_patch(
            Rectangle(
                (place, 1), 0.88, 0.88,
                facecolor=IMAGE if relevant else "none", edgecolor=IMAGE if relevant else LINE, linewidth=1.3,
            )
        )  # fmt: skip
        strip.text(place + 0.44, 2.25, str(place + 1), ha="center", color=MUTED, fontsize=10)
        strip.text(place + 0.44, 0.45, str(distance), ha="center", color=MUTED, fontsize=10)
        if relevant:
            words = f"{found[place]}/{place + 1}"
            strip.text(place + 0.44, 1.44, words, ha="center", va="center", color=PAPER, fontsize=10)
    for y, words in ((2.25, "rank"), (1.35, "precision at a\nrelevant item"), (0.45, "distance")):
        strip.text(-0.35, y, words, ha="right", va="baseline" if y != 1.35 else "center", fontsize=10)
    strip.plot((2.94, 2.94), (0.75, 2.75), color=TEXT, linewidth=1.6)
    strip.text(2.94, 2.95, "k = 3", ha="center", color=TEXT, fontsize=10)
    strip.set(xlim=(-3.4, 10.1), ylim=(-0.1, 3.4))
    bare(strip)
    definitions = {
        "whole ranking": {"k": None},
        "min@3": {"k": 3, "normalise": "min"},
        "retrieved@3": {"k": 3, "normalise": "retrieved"},
        "relevant@3": {"k": 3, "normalise": "relevant"},
        "first-relevant@3": {"k": 3, "normalise": "first-relevant"},
    }
    scores = [
        float(average_precision(**example_ranking(), ties="index", **each)[0])
        for each in definitions.values()
    ]
    places = np.arange(len(scores))[::-1]
    bars.barh(places, scores, color=[MUTED] + [IMAGE] * 4, height=0.62)
    for place, score in zip(places, scores, strict=True):
        bars.text(score + 0.015, place, f"{score:.3f}", va="center", fontsize=10)
    bars.set(yticks=places, yticklabels=definitions, xlim=(0, 1), xlabel="average precision of this query")
    bars.tick_params(axis="y", colors=INK)
    figure.tight_layout()
    return figure


def draw_unpairing() -> Figure:
    """What each row of a block of ten keeps, under four plans that change four rows."""
    figure = Figure(figsize=(10, 4.4))
    plans = {
        "UI 40%\ntexts removed": plan_unpairing(10, unpaired_images=40, block=10),
        "UT 40%\nimages removed": plan_unpairing(10, unpaired_text=40, block=10),
        "UIT 40%\nhalf each": plan_unpairing(10, unpaired_images=20, unpaired_text=20, block=10),
        "SD 40%\npairs discarded": plan_unpairing(10, discard=40, block=10),
    }
    for axes, (title, plan) in zip(figure.subplots(1, 4), plans.items(), strict=True):
        for row in range(10):
            y = 9 - row
            sides = ((0, IMAGE, plan.image_present[row]), (1.9, TEXT, plan.text_present[row]))
            for x, colour, present in sides:
                axes.add_patch(
                    Rectangle(
                        (x, y + 0.12), 1.6, 0.76, facecolor=colour if present else "none",
                        edgecolor=colour if present else LINE, linestyle="-" if present else (0, (3, 2)),
                        linewidth=1.2,
                    )
                )  # fmt: skip
            if plan.image_present[row] and plan.text_present[row]:
                axes.plot((1.6, 1.9), (y + 0.5, y + 0.5), color=INK, linewidth=1.6)
            axes.text(-0.3, y + 0.5, str(row), ha="right", va="center", fontsize=9, color=MUTED)
        for x, words, colour in ((0.8, "image", IMAGE), (2.7, "text", TEXT)):
            axes.text(x, 10.2, words, ha="center", color=colour, fontsize=10)
        axes.set_title(title, fontsize=11)
        axes.set(xlim=(-0.9, 3.9), ylim=(-0.2, 10.9))
        axes.set_axis_off()
    figure.tight_layout()
    return figure


#: MIR-Flickr25K, 64 bits, image to text, as printed: method, who printed it, mAP, whole ranking or first 50.
PRINTED = (
    ("DADH", "DADH 2020", 0.8179, "all"),
    ("DADH", "DCHMT 2022", 0.8250, "all"),
    ("DADH", "UMML 2022", 0.836, "all"),
    ("AGAH", "AGAH 2019", 0.8069, "all"),
    ("AGAH", "UMML 2022", 0.803, "all"),
    ("AGAH", "DCHMT 2022", 0.7652, "all"),
    ("DCMH", "DCHMT 2022", 0.7764, "all"),
    ("DCMH", "DADH 2020", 0.7418, "all"),
    ("JDSH", "UCCH 2023", 0.741, "all"),
    ("JDSH", "UMML 2022", 0.672, "all"),
    ("DJSRH", "DJSRH 2019", 0.862, "50"),
    ("DJSRH", "UCCH 2023", 0.700, "all"),
)


def draw_printed() -> Figure:
    """One method, one data set, one code length: what different papers print."""
    figure = Figure(figsize=(10, 5.8))
    axes = figure.add_subplot()
    methods = list(dict.fromkeys(method for method, *_ in PRINTED))[::-1]
    for place, method in enumerate(methods):
        rows = [row for row in PRINTED if row[0] == method]
        values = [value for _, _, value, _ in rows]
        axes.plot((min(values), max(values)), (place, place), color=LINE, linewidth=5, solid_capstyle="round")
        for number, (_, source, value, cut) in enumerate(sorted(rows, key=lambda row: row[2])):
            own = source.startswith(f"{method} ")
            axes.plot(
                value, place, "s" if cut == "50" else "o", markersize=8, color=IMAGE,
                markerfacecolor=IMAGE if own else PAPER,
            )  # fmt: skip
            words = f"{source}\n{value:.3f}" + (" (first 50)" if cut == "50" else "")
            up = number % 2 == 0
            side = "right" if number == 0 else "left" if value == max(values) else "center"
            shift = {"right": 5, "center": 0, "left": -5}[side]
            axes.annotate(
                words, (value, place), (shift, 9 if up else -9), textcoords="offset points", ha=side,
                va="bottom" if up else "top", fontsize=8.5,
            )  # fmt: skip
    axes.set(
        yticks=range(len(methods)), yticklabels=methods, xlim=(0.64, 0.9), ylim=(-0.75, len(methods) - 0.3),
        xlabel="mAP, MIR-Flickr25K, 64 bits, image → text; filled: the method's own paper",
    )  # fmt: skip
    axes.tick_params(axis="y", colors=INK, labelsize=11)
    figure.tight_layout()
    return figure


FIGURES = {
    "architecture": draw_architecture,
    "hashing": draw_hashing,
    "ties": draw_ties,
    "measures": draw_measures,
    "unpairing": draw_unpairing,
    "printed": draw_printed,
}


def write(name: str, folder: Path) -> Path:
    """Draw one figure and return its file, with colours that follow the reader's setting."""
    path = folder / f"{name}.svg"
    FIGURES[name]().savefig(path, metadata={"Date": None, "Creator": None})
    text = path.read_text("utf-8")
    for variable, (light, _) in COLOURS.items():
        text = text.replace(light, f"var(--{variable})")
    light, dark = ("".join(f"--{key}: {value[i]}; " for key, value in COLOURS.items()) for i in (0, 1))
    style = f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"
    text = re.sub(r'(<style type="text/css">)', rf"\1\n{style}", text, count=1)
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")
    return path


def main(folder: Path = FOLDER) -> None:
    """Draw every figure into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        print(write(name, folder))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
