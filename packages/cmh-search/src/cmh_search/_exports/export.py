"""Write the codes of an index for another engine."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from cmh_search._errors import CodeIndexError
from cmh_search._exports import faiss, lance, milvus, opensearch, postgres, sqlite_vec

if TYPE_CHECKING:
    from os import PathLike

    from cmh_search._index import CodeIndex

Engine = Literal["faiss", "postgres", "milvus", "opensearch", "sqlite-vec", "lance"]
"""Engines that `export_index` writes for."""

_WRITERS = {
    "faiss": faiss.write,
    "postgres": postgres.write,
    "milvus": milvus.write,
    "opensearch": opensearch.write,
    "sqlite-vec": sqlite_vec.write,
    "lance": lance.write,
}
_SCRIPTS = files("cmh_search._exports") / "scripts"


def export_index(index: CodeIndex, folder: str | PathLike[str], *, engine: Engine) -> tuple[str, ...]:
    r"""Write the codes of an index as files that another engine loads, and scripts that load and query them.

    An item becomes one row for each of its codes, so the nearest row is `combine="nearest"`, and a filter by
    `side` is `combine="cross"`. The first bit of a code is the highest of its first byte; codes whose length
    is no multiple of 8 end with zeros, which change no distance. Deleted items are left out.

    Args:
        index: the opened index.
        folder: made here; it must not hold anything yet.
        engine: `"faiss"`, `"postgres"` (with pgvector or without), `"milvus"`, `"opensearch"` (Elasticsearch,
            too), `"sqlite-vec"` or `"lance"`.

    Returns:
        The names of the files, `README.txt` among them.

    Raises:
        CodeIndexError: if the engine is unknown or its package missing, the folder holds something, or the
            index holds nothing.

    Example:
        >>> import tempfile
        >>> from cmh_search import CodeIndex, IndexWriter
        >>> folder = tempfile.mkdtemp() + "/boats"
        >>> _ = CodeIndex.create(folder, bits=8)
        >>> with IndexWriter(folder) as writer:
        ...     writer.add(ids=["boat"], image_codes=[[1, -1, -1, -1, -1, -1, -1, 1]])
        >>> export_index(CodeIndex(folder), folder + "-sql", engine="postgres")[:2]
        ('README.txt', 'codes.tsv')
        >>> Path(folder + "-sql", "codes.tsv").read_text()
        '0\tboat\timage\t10000001\t{}\t{}\n'
    """
    if engine not in get_args(Engine):
        raise CodeIndexError(f"engine must be {', '.join(get_args(Engine))}, but it is {engine!r}")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CodeIndexError(f"{folder} is there already; choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _WRITERS[engine](index, partial)
        for script in (_SCRIPTS / engine).iterdir():
            text = script.read_text(encoding="utf-8")
            (partial / script.name.removesuffix(".template")).write_text(text, encoding="utf-8")
        if target.exists():
            target.rmdir()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return tuple(sorted(path.name for path in target.iterdir()))
