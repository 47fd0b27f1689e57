"""Text of tables for LaTeX: escaped, typeset, and how wide it becomes."""

from __future__ import annotations

import re

from umml_cli.terms import NOT_SIGNIFICANT

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "→": r"$\to$", "±": r"$\pm$",
    "−": "$-$", "×": r"$\times$", "<": "$<$", ">": "$>$", "≥": r"$\ge$", "≤": r"$\le$", "…": r"\dots{}",
    "·": r"$\cdot$",
}  # fmt: skip
FORMULAS = {
    "100 · (mAP / mAP paired − 1)": (r"$100\,(\mathrm{mAP} / \mathrm{mAP}_{\mathrm{paired}} - 1)$"),
    "2^g − 1": "$2^g-1$",
}
"""Formulas of remarks as text, and typeset."""

# Widths of Computer Modern Roman at 10 pt, in points; others count as wide capitals.
_WIDTHS = {
    **dict.fromkeys("0123456789", 5.0), **dict.fromkeys("aov", 5.28), **dict.fromkeys("bdhknpqux", 5.56),
    **dict.fromkeys("cegzs", 4.44), **dict.fromkeys("fjrt", 3.92), **dict.fromkeys("il.,:;'|!", 2.78),
    **dict.fromkeys("y", 5.28), **dict.fromkeys("m+=→±−×%<>≥≤", 8.4), "→": 10.0, "w": 7.22,
    **dict.fromkeys(" -()[]/", 3.89), "W": 10.28, "M": 9.17, "I": 3.61, "J": 5.14, "@": 7.78, "&": 7.78,
}  # fmt: skip
_CAPITAL = 7.85
_BOLD = 1.16
SIZES = {8.0: 0.85, 6.0: 0.74, 5.0: 0.68}
"""Size of type in points to its widths as a share of those at 10 pt."""


def escape(text: str) -> str:
    r"""Return the text with every special character escaped, signs and known formulas typeset.

    Example:
        >>> escape("UI 20% → -0.5")
        'UI 20\\% $\\to$ $-$0.5'
    """
    pieces = re.split("(" + "|".join(map(re.escape, FORMULAS)) + ")", text)
    return "".join(FORMULAS.get(piece) or _plain(piece) for piece in pieces)


def _plain(text: str) -> str:
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)  # a minus, not a hyphen
    return "".join(SPECIAL.get(character, character) for character in text)


def text_width(text: str, *, size: float = 8.0, bold: bool = False) -> float:
    """Return how wide a text becomes at most, in points, in Computer Modern.

    Example:
        >>> text_width("0.750") < text_width("0.750", bold=True) < 25
        True
    """
    width = sum(_WIDTHS.get(character, _CAPITAL) for character in text) * SIZES[size]
    return width * (_BOLD if bold else 1)


def typeset_entry(text: str, *, bold: bool = False, note: int | None = None) -> tuple[str, float]:
    """Return an entry of a table and its width: the spread in small type without its zero, marks raised.

    Args:
        text: such as "0.750 ±0.012", "-4.5 n.s." or "-" for what is not known.
        bold: whether the number, without its spread, is bold.
        note: number of a footnote.

    Returns:
        LaTeX, and points.
    """
    if text == "-":
        return "--", text_width("--")
    body = text.removesuffix(NOT_SIGNIFICANT)
    mean, _, spread = body.partition(" ±")
    written, width = escape(mean), text_width(mean.replace("-", "−"), bold=bold)
    if bold:
        written = rf"\textbf{{{written}}}"
    if spread:
        spread = spread.removeprefix("0")
        written += rf"{{\tiny$\pm${spread}}}"
        width += text_width(f"±{spread}", size=5.0)
    marks = [*([NOT_SIGNIFICANT.strip()] if body != text else []), *([] if note is None else [str(note)])]
    if marks:
        written += rf"\textsuperscript{{{', '.join(marks)}}}"
        width += text_width(", ".join(marks), size=6.0)
    return written, width
