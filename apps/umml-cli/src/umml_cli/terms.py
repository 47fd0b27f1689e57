"""The words that all of the app shares: tasks, schemes, selections, and how they are printed."""

from __future__ import annotations

from typing import Literal

TASKS = ("i2t", "t2i")


TASK_TITLES = {"i2t": "image → text", "t2i": "text → image", "both": "both"}
NOT_SIGNIFICANT = "≈"
SIGNIFICANCE_REMARK = (
    f"{NOT_SIGNIFICANT} marks a difference that is not significant: its 95% CI over queries and seeds "
    "includes zero."
)

BaseScheme = Literal["paired", "UI", "UT", "UIT", "SD", "mixed", "untrained"]
CompletedScheme = Literal["UI completed", "UT completed", "UIT completed"]
Scheme = BaseScheme | CompletedScheme | Literal["paired completed", "mixed completed"]

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
}


Selection = Literal["last", "paper"]


def method_remark(name: str) -> str:
    """What must stand behind a method's name: nobody may take a reconstruction for the published method."""
    return " (reconstructed)" if name == "cfrh" else ""


def method_title(name: str) -> str:
    """A method's name as tables and figures print it."""
    return name.upper() + method_remark(name)


UNPAIRED: tuple[Scheme, ...] = ("UI", "UT", "UIT")
SELECTION_TITLES: dict[Selection, str] = {
    "last": "last epoch (no model selection on test queries)",
    "paper": "best evaluated epoch, chosen on the test queries as the authors do",
}


Device = Literal["cpu", "cuda"]
EncoderDevice = Literal["auto", "cpu", "cuda"]
EncoderPrecision = Literal["auto", "float32", "float16", "bfloat16"]
Precision = Literal["float32", "bf16", "float64"]
Completion = Literal["none", "label", "neighbour"]
CompletionChoice = Literal["none", "auto", "label", "neighbour"]
PixelAxes = Literal["auto", "height-width", "width-height"]
