"""`umml evaluate --shards`: a database in several files, scored by several processes or machines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from umml_cli.commands.code_cures import option_that_reads
from umml_cli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PACKED = (
    "write packed codes with cmh_metrics.PackedCodes.save, or give --code-values signed where they are "
    "outputs of a network after all"
)


def evaluate_shards(
    shards: Sequence[str],
    queries: dict[str, str | None],
    *,
    query_ids: str | None,
    workers: int | None,
    executor: str,
    options: dict[str, Any],
    figures: Path | None,
) -> Any:
    """Report on queries from files, and on a database in shards; draw its figures if wanted."""
    import cmh_metrics

    from umml_cli.inputs.database_shards import read_shards
    from umml_cli.inputs.foreign_codes import read_one_array, read_queries
    from umml_cli.report.figures.code_figures import draw_codes

    named = {name: location for name, location in queries.items() if location is not None}
    if len(named) < len(queries):
        raise UserError("--shards is a database; give --query-codes and --query-labels too.")
    arrays: dict[str, Any] = read_queries(named)
    if query_ids is not None:
        arrays["query_ids"] = read_one_array(query_ids)
    listed = read_shards(shards, with_ids=query_ids is not None)
    try:
        with option_that_reads(packed=PACKED), shard_map(executor, workers, len(listed)) as (mapped, threads):
            arrays |= {"database_codes": cmh_metrics.ShardedDatabase(listed, mapped), "threads": threads}
            report = cmh_metrics.evaluate(**arrays, **options)
            if figures is not None:
                draw_codes(
                    figures, **arrays, **{name: options[name] for name in ("code_values", "threshold")}
                )
    except (cmh_metrics.WorkerDied, cmh_metrics.BackendUnavailable) as error:
        raise UserError(f"{error}.") from None
    report.provenance["shards"] = str(len(listed))
    return report


@contextmanager
def shard_map(executor: str, workers: int | None, n_shards: int) -> Iterator[tuple[Any, int | None]]:
    """Yield what goes through the shards, and on how many threads each is ranked; None for all."""
    from umml_cli.grid.worker import available_cores

    kind, _, address = executor.partition(":")
    if kind == "ray":
        from cmh_metrics import RayMap

        if workers is not None:
            raise UserError(
                "--workers is for processes of this machine; with --executor ray, as many shards are scored "
                "at a time as the cluster has processors."
            )
        yield RayMap(address or None), 1
    elif executor != "local":
        raise UserError(f"--executor is local, ray or ray:ADDRESS, not {executor!r}.")
    elif (n := min(workers or available_cores(), n_shards)) == 1:
        yield map, None
    else:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool.map, max(1, available_cores() // n)
