"""`umml export`: the codes of an index for another engine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from umml_cli.commands.search_options import IndexOption
from umml_cli.console import make_console


class EngineChoice(StrEnum):
    """Engines that load an export."""

    FAISS = "faiss"
    POSTGRES = "postgres"
    MILVUS = "milvus"
    OPENSEARCH = "opensearch"
    SQLITE_VEC = "sqlite-vec"
    LANCE = "lance"


def export(
    model: Annotated[Path, typer.Argument(help="A model with an index in its folder, or an index.")],
    to: Annotated[EngineChoice, typer.Option(help="The engine.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must be empty or not exist yet.")],
    index: IndexOption = None,
) -> None:
    """Write the codes of an index as files that another engine loads, with scripts that load and query them.

    Example: umml export runs/abc --to postgres --out boats-sql
    """
    from cmh_search import export_index

    from umml_cli.search.open_searcher import open_searcher

    opened = open_searcher(model, index, with_model=False).index
    names = export_index(opened, out, engine=to.value)
    make_console(soft_wrap=True).print(
        f"{out}: {len(opened)} items of {opened.bits} bits for {to.value}: {', '.join(names)}.\n"
        f"How to load and query them is in {out / 'README.txt'}."
    )
