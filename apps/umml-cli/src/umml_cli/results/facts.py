"""What runs have been made with: the sentences that stand above tables made from them."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from umml_cli.runs.progress import format_seconds
from umml_cli.terms import method_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from umml_cli.runs.store import RunResult


def facts(results: Sequence[RunResult], *, n_planned: int | None = None) -> dict[str, str]:
    """Return title to text of what is known of finished runs; where they differ, all of it.

    Args:
        results: at least one.
        n_planned: runs of the whole grid; None: these are all.
    """
    specs = [result.specification for result in results]
    environments = [result.environment for result in results]
    seconds = [result.seconds.get("training", 0) for result in results]
    counted = f"{len(results):,} complete"
    if n_planned is not None:
        counted = f"{len(results):,} of {n_planned:,} complete"
    said = {
        "runs": counted,
        "random seeds": _listed(sorted({spec.seed for spec in specs})),
        "data": "; ".join(
            dict.fromkeys(
                f"{spec.dataset} (digest {spec.data_digest[:12]}, "
                f"{result.training_pairs.get('rows', 0):,} training rows)"
                for spec, result in zip(specs, results, strict=True)
            )
        ),
        "methods": ", ".join(
            sorted({f"{method_title(spec.method)} {spec.method_version}" for spec in specs})
        ),
        "code lengths": f"{_listed(sorted({spec.bits for spec in specs}))} bits",
        "measure": "; ".join(dict.fromkeys(result.measure for result in results)),
        "training": f"{format_seconds(sum(seconds))} altogether, {format_seconds(median(seconds))} a run "
        "(median)",
        "software": _versions(environments),
        "machine": _machines(environments),
    }
    return {title: text for title, text in said.items() if text}


def _listed(values: Iterable[int]) -> str:
    """Numbers as prose has them: `0, 1 and 2`."""
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


def _versions(environments: Sequence[Mapping[str, object]]) -> str:
    """Each program with its versions, the one of most runs first."""
    seen: dict[str, Counter[str]] = {}
    for environment in environments:
        packages = environment.get("packages")
        known = {"Python": environment.get("python"), **(packages if isinstance(packages, dict) else {})}
        for name, version in known.items():
            if version:
                seen.setdefault(name, Counter())[str(version)] += 1
    return ", ".join(
        f"{name} {' or '.join(version for version, _ in versions.most_common())}"
        for name, versions in seen.items()
    )


def _machines(environments: Sequence[Mapping[str, object]]) -> str:
    found = dict.fromkeys(
        f"{environment['platform']}, {environment.get('device', 'cpu')}, {environment.get('threads', 1)} "
        f"thread{'' if environment.get('threads', 1) == 1 else 's'} a run"
        for environment in environments
        if environment.get("platform")
    )
    return "; ".join(found)
