"""Open a model and an index by the paths that a user gives."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from cmh_search import CodeIndex, FaissSearch
from cmh_train import find_model, load_model

from umml_cli.errors import UserError
from umml_cli.search.make_index import INDEX
from umml_cli.search.searcher import Approximate, Searcher

if TYPE_CHECKING:
    from pathlib import Path

Backend = Literal["exact", "faiss"]
PROBES = 64
LISTS = "faiss"
"""The folder of the lists in the folder of an index."""


def open_searcher(
    model: Path,
    index: Path | None = None,
    *,
    with_model: bool = True,
    backend: Backend = "exact",
    probes: int | None = None,
) -> Searcher:
    """Open a searcher.

    Args:
        model: a model's folder, a folder with one model in it, or an index.
        index: the index; None: that in the model's folder, or `model` itself.
        with_model: load the model; without it only items of the index can be looked for.
        backend: "exact", or "faiss" for lists, which are made in the index's folder where they are not there.
        probes: with "faiss", lists to look into; None: 64.

    Returns:
        The searcher. An index alone takes the model in whose folder it lies, where it does.

    Raises:
        UserError: if faiss is not installed, or there are probes without it.
    """
    check_backend(backend, probes)
    folder = find_model(model)
    if index is None and (folder / "index.json").exists():
        index, folder = folder, folder.parent
        with_model = with_model and (folder / "model.json").exists()
    opened = CodeIndex(folder / INDEX if index is None else index)
    loaded = load_model(folder) if with_model else None
    approximate = approximate_search(opened, probes or PROBES) if backend == "faiss" else None
    return Searcher(opened, loaded, approximate)


def approximate_search(index: CodeIndex, probes: int) -> Approximate:
    """Make or read the lists of an index, and measure what a search finds in them."""
    lists = FaissSearch(index, folder=index.path / LISTS)
    return Approximate(lists=lists, probes=min(probes, lists.lists), recall=lists.recall(probes=probes))


def check_backend(backend: Backend, probes: int | None) -> None:
    """Refuse faiss where it is not installed, and probes without it.

    Raises:
        UserError: if so.
    """
    if backend == "exact" and probes is not None:
        raise UserError("--nprobe is for --backend faiss; an exact search has no lists.")
    if backend == "faiss" and find_spec("faiss") is None:
        raise UserError(
            "--backend faiss needs faiss, which is not installed; pip install 'cmh-search[faiss]', or leave "
            "the option out for an exact search."
        )
