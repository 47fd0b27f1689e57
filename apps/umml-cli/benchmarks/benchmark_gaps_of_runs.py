"""How mAP changes when items of the database lack their image or their text, from the codes of trained runs.

    uv run apps/umml-cli/benchmarks/benchmark_gaps_of_runs.py FOLDER [FOLDER ...] --cell paired

FOLDER is an output folder of `umml reproduce`; nothing is trained. Of every run of the cell, the text of some
items of the database is removed and the image of as many others, at random (UIT 40: 20 % and 20 %, drawn anew
for every seed), and items are ranked by the codes that are left, by each `combine` of
`cmh_search.CodeIndex.distances`. Prints a table in Markdown: the mean over seeds and, after ±, the standard
deviation.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory

import numpy as np
from cmh_search import CodeIndex, IndexWriter
from cmh_unpair import plan_unpairing
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.search.index_scores import whole_map
from umml_cli.terms import TASK_TITLES, TASKS

GAPS = (0, 40, 80)
COMBINES = ("nearest", "mean", "cross", "centred")


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
    kept = np.flatnonzero(image | text)
    found = []
    with TemporaryDirectory() as folder:
        CodeIndex.create(Path(folder) / "index", bits=codes.query_image.bits)
        with IndexWriter(Path(folder) / "index") as writer:
            writer.add(
                ids=[str(row) for row in kept],
                image_codes=codes.retrieval_image[kept], text_codes=codes.retrieval_text[kept],
                image_present=image[kept], text_present=text[kept],
            )  # fmt: skip
        index = CodeIndex(Path(folder) / "index")
        for task, side in (("i2t", "image"), ("t2i", "text")):
            asks = codes.asks(task)
            query = (codes.query_image if task == "i2t" else codes.query_text)[asks]
            labels = codes.retrieval_labels[kept].astype(np.int32)
            relevant = codes.query_labels[asks].astype(np.int32) @ labels.T > 0
            for combine in COMBINES:
                distances = index.distances(query, combine=combine, query_modality=side)
                found.append(whole_map(distances, relevant))
    return found


if __name__ == "__main__":
    main()
