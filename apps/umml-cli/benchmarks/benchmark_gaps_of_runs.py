"""How mAP changes when items of the database lack their image or their text, from the codes of trained runs.

    uv run apps/umml-cli/benchmarks/benchmark_gaps_of_runs.py FOLDER [FOLDER ...] --cell paired

FOLDER is an output folder of `umml reproduce`; nothing is trained. Of every run of the cell, the text of some
items of the database is removed and the image of as many others, at random (UIT 40: 20 % and 20 %, drawn anew
for every seed), and items are ranked by the codes that are left. An item with two codes is at the smaller
distance (nearest), at the mean of both, or at that to the code of the other modality than the query's
(cross). "levelled" is the mean where from each query's distances to images, and to texts, their own mean over
the database is taken first, so that items with one code compare though one side is nearer as a whole. Prints
a table in Markdown: the mean over seeds and, after ±, the standard deviation.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from cmh_metrics import hamming_distances
from cmh_unpair import plan_unpairing
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.search.index_scores import whole_map
from umml_cli.terms import TASK_TITLES, TASKS

GAPS = (0, 40, 80)
COMBINES = ("nearest", "mean", "cross", "levelled")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--cell", default="paired", help='as tables have it: "UIT 60%%, completed"')
    parser.add_argument("--data", nargs="*", help="only these data sets")
    chosen = parser.parse_args()
    scores: dict[tuple[str, str, int], list[list[float]]] = defaultdict(list)
    for folder in chosen.folder:
        for run in RunStore(folder / RUNS).folders():
            spec = run.read_specification()
            if not run.result.exists() or spec.cell.title != chosen.cell:
                continue
            if chosen.data and spec.dataset not in chosen.data:
                continue
            codes = RunCodes.load(run.codes)
            for percent in GAPS:
                scores[spec.dataset, spec.label, percent].append(measure(codes, percent, seed=spec.seed))
    columns = [f"{TASK_TITLES[task]}: {combine}" for task in TASKS for combine in COMBINES]
    print(f"Trained: {chosen.cell}\n")
    print("| data | method | seeds | gaps | " + " | ".join(columns) + " |\n|" + "---|" * (4 + len(columns)))
    for (data, method, percent), values in sorted(scores.items()):
        cells = [
            f"{fmean(each):.3f}" + (f" ±{stdev(each):.3f}" if len(each) > 1 else "")
            for each in zip(*values, strict=True)
        ]
        gaps = f"UIT {percent}" if percent else "none"
        print(f"| {data} | {method} | {len(values)} | {gaps} | " + " | ".join(cells) + " |")


def measure(codes: RunCodes, percent: float, *, seed: int) -> list[float]:
    """MAP of the whole ranking by each way to count two codes, of image and then of text queries."""
    n = len(codes.retrieval_rows)
    half = percent / 2
    plan = plan_unpairing(n, unpaired_images=half, unpaired_text=half, select="random", seed=seed)
    image, text = (codes.retrieval_image_present & plan.image_present,
                   codes.retrieval_text_present & plan.text_present)  # fmt: skip
    found = []
    for task in TASKS:
        asks = codes.asks(task)
        query = (codes.query_image if task == "i2t" else codes.query_text)[asks]
        relevant = codes.query_labels[asks].astype(np.int32) @ codes.retrieval_labels.T.astype(np.int32) > 0
        to_image, to_text = (
            hamming_distances(query_codes=query, database_codes=side).astype(np.float32)
            for side in (codes.retrieval_image, codes.retrieval_text)
        )
        own, other = (to_image, to_text) if task == "i2t" else (to_text, to_image)
        has_own, has_other = (image, text) if task == "i2t" else (text, image)
        kept = has_own | has_other
        for combine in COMBINES:
            if combine == "levelled":  # in whole bits, from the items that have the side; none is negative
                own = own - own[:, has_own].mean(axis=1, keepdims=True).round() + 2 * query.bits
                other = other - other[:, has_other].mean(axis=1, keepdims=True).round() + 2 * query.bits
            both = np.minimum(own, other) if combine == "nearest" else (own + other) / 2
            both = other if combine == "cross" else both
            distances = np.where(has_own & has_other, both, np.where(has_own, own, other))
            found.append(whole_map(distances[:, kept], relevant[:, kept]))
    return found


if __name__ == "__main__":
    main()
