"""`umml search`: words, a picture or an item, and what is nearest to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from umml_cli.commands.search_options import (
    BackendChoice,
    BackendOption,
    CombineChoice,
    CombineOption,
    IndexOption,
    NprobeOption,
    RerankOption,
)
from umml_cli.console import make_console, print_notes


def search(
    model: Annotated[Path, typer.Argument(help="The model that the index was made with.")],
    words: Annotated[str | None, typer.Argument(help="What to look for, in words.")] = None,
    image: Annotated[Path | None, typer.Option(help="Look for what fits this picture.")] = None,
    like: Annotated[str | None, typer.Option(metavar="ID", help="Look for what is like this item.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    label: Annotated[list[str] | None, typer.Option(help="Only items with this label; repeatable.")] = None,
    combine: CombineOption = CombineChoice.NEAREST,
    rerank: RerankOption = None,
    index: IndexOption = None,
    backend: BackendOption = BackendChoice.EXACT,
    nprobe: NprobeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write what was found as a page, pictures included.")
    ] = None,
) -> None:
    """Find the items of an index that fit words, a picture, or another item.

    Example: umml search runs/abc "a boat on the sea"

    Example: umml search model --image boat.jpg --index photos.index --html found.html
    """
    from umml_cli.errors import UserError
    from umml_cli.search.open_searcher import open_searcher

    console = make_console()
    if sum(given is not None for given in (words, image, like)) != 1:
        raise UserError("Give one thing to look for: words, --image FILE or --like ID.")
    searcher = open_searcher(model, index, with_model=like is None, backend=backend.value, probes=nprobe)
    if like is not None:
        query = searcher.like(like)
    else:
        query = searcher.picture(image) if image is not None else searcher.words(words or "")
    answer = searcher.search(query, k=k, combine=combine.value, labels=label, rerank=rerank)
    if html is not None:
        from umml_cli.search.result_page import write_result_page

        title = words or (f"like {like}" if like is not None else str(image))
        write_result_page(html, title, answer, searcher.index)
    if as_json:
        content = {
            "remark": answer.remark,
            "search": searcher.says,
            "code": query.hexadecimal(),
            "items": answer.items,
        }
        typer.echo(json.dumps(content, ensure_ascii=False, indent=1))
        return
    print_notes(console, [note for note in (answer.remark, searcher.approximate and searcher.says) if note])
    console.print(_table(answer.items) if answer.items else "Nothing was found.")


def _table(items: list[dict[str, Any]]) -> Table:
    table = Table()
    table.add_column("distance", justify="right")
    table.add_column("item")
    table.add_column("labels")
    table.add_column("text")
    for item in items:
        payload = item["payload"]
        table.add_row(
            f"{item['distance']:g}",
            item["id"],
            ", ".join(item["labels"]),
            str(payload.get("text") or payload.get("words", "")),
        )
    return table
