"""What was found, as one HTML file with everything in it."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2

from umml_cli.runs.files import write_text
from umml_cli.search.pictures import Pictures

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_search import CodeIndex

    from umml_cli.search.searcher import Answer

PAGE = files("umml_cli.search") / "page"


def write_result_page(path: Path, title: str, answer: Answer, index: CodeIndex) -> None:
    """Write a page that needs no other file and no network."""
    pictures = Pictures(index)
    items = []
    for item in answer.items:
        small = pictures.small(item)
        address = None if small is None else "data:image/webp;base64," + base64.b64encode(small).decode()
        share = 100 * item["distance"] / index.bits
        shown = item["payload"].get("text") or item["payload"].get("words", "")
        items.append({**item, "address": address, "share": round(share, 1), "shown": shown})
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (PAGE / "results.html").read_text(encoding="utf-8")
    )
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    write_text(
        path,
        template.render(title=title, remark=answer.remark, items=items, style=style, bits=index.bits),
    )
