"""The words that all of the app shares: tasks, schemes, selections, and how they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TASKS = ("i2t", "t2i")


TASK_TITLES = {"i2t": "image → text", "t2i": "text → image", "both": "both"}
NOT_SIGNIFICANT = " n.s."
SIGNIFICANCE_REMARK = (
    "n.s.: a difference that is not significant, its 95% CI over queries and seeds includes zero."
)

BaseScheme = Literal["paired", "UI", "UT", "UIT", "SD", "mixed", "untrained"]
CompletedScheme = Literal["UI completed", "UT completed", "UIT completed"]
Selected = Literal["first", "hardest", "easiest"]
RankedScheme = Literal[
    "UI hardest", "UT hardest", "UIT hardest", "SD hardest",
    "UI easiest", "UT easiest", "UIT easiest", "SD easiest",
]  # fmt: skip
Scheme = (
    BaseScheme
    | CompletedScheme
    | RankedScheme
    | Literal["paired completed", "mixed completed", "mixed hardest", "mixed easiest"]
)

SCHEME_TITLES: dict[Scheme, str] = {
    "paired": "all pairs kept",
    "UI": "unpaired images (their text removed)",
    "UT": "unpaired text (their image removed)",
    "UIT": "unpaired images and text, half each",
    "SD": "samples discarded",
    "mixed": "several at once",
    "untrained": "untrained network",
    "UI completed": "unpaired images, texts of other rows standing in for the missing ones",
    "UT completed": "unpaired text, images of other rows standing in for the missing ones",
    "UIT completed": "unpaired images and text, items of other rows standing in for the missing ones",
    "paired completed": "items of other rows standing in for those that the data miss",
    "mixed completed": "several at once, items of other rows standing in for the missing ones",
    "UI hardest": "unpaired images of the rows with the highest loss",
    "UT hardest": "unpaired text of the rows with the highest loss",
    "UIT hardest": "unpaired images and text of the rows with the highest loss, in turn",
    "SD hardest": "the rows with the highest loss discarded",
    "mixed hardest": "several at once, of the rows with the highest loss",
    "UI easiest": "unpaired images of the rows with the lowest loss",
    "UT easiest": "unpaired text of the rows with the lowest loss",
    "UIT easiest": "unpaired images and text of the rows with the lowest loss, in turn",
    "SD easiest": "the rows with the lowest loss discarded",
    "mixed easiest": "several at once, of the rows with the lowest loss",
}


Selection = Literal["last", "paper"]


DATABASES = ("encoded", "learned")
"""What a method ranks that can learn codes from the labels of the database: its option `database`."""
DATABASE_REMARK = (
    "Encoded database: ranked by the hash function's codes, as any new item; learned database, as published: "
    "ranked by codes that training made from the ranked items' own labels."
)


METHOD_REMARKS = {
    "cfrh": "reconstructed",
    "dchmt": "frozen features",
    "dcmh": "frozen features",
    "djsrh": "frozen features",
    "dsph": "frozen features",
}
"""What stands behind a method's name: reconstructed from papers; or frozen features, where the published
numbers come from fine-tuned networks (`MethodSpec.fine_tuned`)."""


def method_label(name: str, options: Mapping[str, object]) -> str:
    """A method's name, and which database it ranks where that is an option: `amsh-learned`."""
    return f"{name}-{options['database']}" if options.get("database") in DATABASES else name


def split_label(label: str) -> tuple[str, str]:
    """A method's name, and the database that its label names; "" where it names none."""
    name, _, database = label.rpartition("-")
    return (name, database) if name and database in DATABASES else (label, "")


def method_remark(label: str, title: str = "") -> str:
    """What must stand behind a method's name: `METHOD_REMARKS`, or a database that knows its labels.

    What its title says already is not said again.
    """
    name, database = split_label(label)
    remarks = [
        *([METHOD_REMARKS[name]] if METHOD_REMARKS.get(name, title) not in title else []),
        *([f"{database} database"] if database else []),
    ]
    return f" ({', '.join(remarks)})" if remarks else ""


def method_title(label: str) -> str:
    """A method's name as tables and figures print it."""
    return split_label(label)[0].upper() + method_remark(label)


UNPAIRED: tuple[Scheme, ...] = ("UI", "UT", "UIT")
SELECTION_TITLES: dict[Selection, str] = {
    "last": "last epoch (no model selection on test queries)",
    "paper": "best evaluated epoch, chosen on the test queries as the authors do",
}


Spread = Literal["sd", "interval"]
SPREAD_TITLES: dict[Spread, str] = {
    "sd": "standard deviation",
    "interval": "95% CI (Student's t)",
}
"""What stands behind ± and the bars of a figure."""

LatexWidth = Literal["column", "page"]
"""What a LaTeX table fits: one column of a paper with two, or its whole width."""

FigureKind = Literal["curves", "bits", "precision-recall", "top-n", "radius-2", "classes"]
FIGURE_TITLES: dict[FigureKind, str] = {
    "curves": "mAP against the share of affected training pairs",
    "bits": "mAP against the code length",
    "precision-recall": "precision against recall, a point for each Hamming radius",
    "top-n": "precision of the first N results",
    "radius-2": "precision within Hamming radius 2",
    "classes": "change of mAP by class",
}


Device = Literal["cpu", "cuda"]
EncoderDevice = Literal["auto", "cpu", "cuda"]
EncoderPrecision = Literal["auto", "float32", "float16", "bfloat16"]
Precision = Literal["float32", "bf16", "float64"]
PrecisionOption = Literal["auto", "float32", "bf16", "float64"]
Completion = Literal["none", "label", "neighbour"]
CompletionChoice = Literal["none", "auto", "label", "neighbour"]
PixelAxes = Literal["auto", "height-width", "width-height"]


def counted(number: int, name: str) -> str:
    """How many of something in words, `1 item` and `1,200 items`."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"
