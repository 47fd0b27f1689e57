"""The templates of the report, and how its texts are set."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from umml_cli.terms import NOT_SIGNIFICANT, SCHEME_TITLES, TASK_TITLES, TASKS, method_remark

CREDIT = "Emoji pictures: OpenMoji (openmoji.org), the open-source emoji and icon project, CC BY-SA 4.0."

_HYPHEN = re.compile(r"(?<![\w.])-(?=\.?\d)")
_TIMES = re.compile(r"(?<=\d) x$")
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r' (?:width|height)="[^"]*"')
_NAME = re.compile(r'(\bid="|href="#|url\(#)')
_COLOUR = re.compile(r": #([0-9a-f]{6})\b")


def render(name: str, **values: Any) -> str:
    """A template as one HTML text without any external address."""
    environment = Environment(
        loader=PackageLoader("umml_cli", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    environment.globals.update(
        tasks=TASKS, task_titles=TASK_TITLES, scheme_titles=SCHEME_TITLES, method_remark=method_remark
    )
    return environment.get_template(name).render(
        **values, style=_resource("style.css"), script=_resource("report.js")
    )


def _resource(name: str) -> Markup:
    text = files("umml_cli").joinpath("report", "templates", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file


def typeset(text: str) -> Markup:
    """A text as print has it: a minus sign, a cross for times, n.s. for what is not significant."""
    text = "\N{EN DASH}" if text == "-" else _HYPHEN.sub("\N{MINUS SIGN}", text)
    text = text.replace(" ±", "\N{NO-BREAK SPACE}±")
    text = _TIMES.sub("\N{MULTIPLICATION SIGN}", text)
    before, *after = str(escape(text)).split(NOT_SIGNIFICANT)
    marked = ['<small class="ns">n.s.</small>' + part for part in after]
    return Markup((before.rstrip() + " " if marked and before else before) + " ".join(marked))  # noqa: S704 - escaped above


def script_json(value: object) -> Markup:
    """JSON that can stand in a script element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no element can end the script


def inline_svg(text: str, title: str) -> Markup:
    """The `<svg>` element of an SVG file made by this program, for any width and both colour schemes.

    Its colours become variables that the style sheet may replace, and its names are made its own, so that
    figures of one page do not share them.

    Args:
        text: the file.
        title: what a screen reader says of it.
    """
    element = _METADATA.sub("", text[text.index("<svg") :])
    start, rest = element.split(">", 1)
    attributes = _SIZE.sub("", start)
    own = sha256(text.encode()).hexdigest()[:8]
    rest = _NAME.sub(rf"\g<1>{own}-", _COLOUR.sub(r": var(--figure-\1, #\1)", rest))
    said = Markup(' class="figure" role="img" aria-label="{}">').format(title)
    return Markup(attributes) + said + Markup(rest)  # noqa: S704 - matplotlib's own output
