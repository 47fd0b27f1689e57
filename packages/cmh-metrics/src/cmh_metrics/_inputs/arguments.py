"""The arguments that all measures share: named, with their defaults, and described once."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.compute import Backend
    from cmh_metrics._inputs.tables import RankingTables

Function = TypeVar("Function", bound="Callable[..., Any]")


class RankingArguments(TypedDict, total=False):
    """What a measure needs to rank a database for queries."""

    query_codes: Any
    database_codes: Any
    query_labels: Any
    database_labels: Any
    exclude_self: bool
    query_ids: Any
    database_ids: Any
    code_values: CodeValues
    threshold: float | None
    backend: Backend
    threads: int | None


class TableArguments(RankingArguments, total=False):
    """The same for measures that are functions of ranking tables alone."""

    tables: RankingTables | None


_DEFAULTS = {
    "database_labels": None,
    "exclude_self": False,
    "query_ids": None,
    "database_ids": None,
    "code_values": "auto",
    "threshold": None,
    "backend": "auto",
    "threads": None,
    "tables": None,
}
_TEXTS = """
    query_codes: `(n_query, bits)` of {-1, +1}, {0, 1}, booleans or real outputs, 1 to 1024 bits, or
        `PackedCodes`; a numpy array, a torch tensor or a list.
    database_codes: `(n_database, bits)` likewise; a memory map or an HDF5 data set is read in slabs. Or a
        `ShardedDatabase`, which brings labels and ids.
    query_labels: `(n_query, n_label)` of {0, 1}, booleans or {-1, +1}; or `(n_query,)` class numbers or class
        names. An item is relevant if it shares a label with the query.
    database_labels: `(n_database, n_label)` or `(n_database,)` likewise.
    exclude_self: whether query i is row i of the database, which is then left out of its ranking; needs as
        many queries as database rows.
    query_ids: `(n_query,)` integers or strings: database rows with the query's id are left out of its
        ranking; needs `database_ids`.
    database_ids: `(n_database,)` integers or strings likewise.
    code_values: what a value of the codes means. `"signed"`: the bit is `value >= 0`, so a zero counts as +1.
        `"binary"`: the values are 0 and 1. `"auto"`: each side by what it holds, whatever its dtype: nothing
        but 0 and 1 is binary, signs and real outputs are signed, and what could be neither is refused.
    threshold: reads the bit as `value >= threshold` on both sides, 0.5 for sigmoid outputs.
    tables: `(n_query, bits + 1)` counts by distance that `ranking_tables` returned, in place of the arrays.
    backend: `"numba"` (bit-sliced, compiled at first use and then cached), `"numpy"` (no compiler), `"torch"`
        (any device; that of the tensors if there are any), `"triton"` (CUDA), or `"auto"`: triton for CUDA
        tensors, otherwise numba; where that cannot run, torch and numpy take its place. What ranking tables
        do not tell (`ties="index"`, nDCG) is counted on the CPU, so that `"torch"` and `"triton"` refuse it.
    threads: how many threads a CPU backend uses; by default all processors that the process may use.
    k: cut-off, at least 1; None ranks the whole database.
    ks: cut-offs, each at least 1.
    normalise: what the sum of precisions up to the cut-off is divided by, R being the number of relevant
        items: `"min"`: min(R, k). `"retrieved"`: the relevant items among the first k (JDSH, DeepHash).
        `"relevant"`: R (TREC). `"first-relevant"`: the first min(R, k) relevant items count wherever they
        rank, and k limits nothing else (DCMH, DADH, AGAH). Without a cut-off all four are the same.
    ties: `"expected"`: the mean over all orders of equally distant items. `"best"`, `"worst"`: the relevant
        ones first, or last, among equally distant items. `"index"`: equally distant items by database row;
        needs the arrays, and costs more.
    no_relevant: what a query without any relevant item counts: `"zero"`, `"nan"`, or it is left out
        (`"skip"`).
"""


def shared_arguments(arguments: type | None = None) -> Callable[[Function], Function]:
    """Give a function the full signature and docstring that `**NAME: Unpack[arguments]` stands for.

    Parameters that the docstring leaves out are described by the texts of this module.

    Args:
        arguments: the typed dictionary behind the last parameter, if there is such a parameter.
    """

    def complete(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        absent = None if arguments is TableArguments else inspect.Parameter.empty
        shared = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_DEFAULTS.get(name, absent),
                annotation=getattr(annotation, "__forward_arg__", annotation),
            )
            for name, annotation in getattr(arguments, "__annotations__", {}).items()
            if name not in signature.parameters
        ]
        vars(function)["__signature__"] = signature.replace(parameters=[*own, *shared])
        if function.__doc__:  # python -OO drops it
            function.__doc__ = _completed(function.__doc__, [p.name for p in (*own, *shared)])
        return function

    return complete


def _completed(docstring: str, names: list[str]) -> str:
    """Return the docstring with a text for every name in its section of arguments, in this order."""
    text = inspect.cleandoc(docstring)
    head, rest = text.split("\nReturns:\n", 1)
    head, _, described = head.partition("\nArgs:\n")
    texts = _by_name(_TEXTS) | _by_name(described)
    lines = [
        textwrap.fill(f"{name}: {texts[name]}", 100, initial_indent="    ", subsequent_indent=" " * 8)
        for name in names  # a name that nobody has described is a KeyError, at import
    ]
    return "\n".join([head.rstrip(), "", "Args:", *lines, "", f"Returns:\n{rest}"])


def _by_name(section: str) -> dict[str, str]:
    """Return the texts of a section of arguments, each on one line."""
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", section, flags=re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}
