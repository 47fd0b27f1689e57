"""Open a model and an index by the paths that a user gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_search import CodeIndex
from cmh_train import find_model, load_model

from umml_cli.search.make_index import INDEX
from umml_cli.search.searcher import Searcher

if TYPE_CHECKING:
    from pathlib import Path


def open_searcher(model: Path, index: Path | None = None, *, with_model: bool = True) -> Searcher:
    """Open a searcher.

    Args:
        model: a model's folder, a folder with one model in it, or an index.
        index: the index; None: that in the model's folder, or `model` itself.
        with_model: load the model; without it only items of the index can be looked for.

    Returns:
        The searcher. An index alone takes the model in whose folder it lies, where it does.
    """
    folder = find_model(model)
    if index is None and (folder / "index.json").exists():
        index, folder = folder, folder.parent
        with_model = with_model and (folder / "model.json").exists()
    opened = CodeIndex(folder / INDEX if index is None else index)
    return Searcher(opened, load_model(folder) if with_model else None)
