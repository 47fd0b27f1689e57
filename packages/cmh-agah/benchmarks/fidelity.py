"""Compare AGAH with the original program on two small data sets with unpaired samples.

    python benchmarks/fidelity.py SHARED [--seeds 3] [--jobs 2] [--cells paired UIT60]

SHARED is a folder with `data/{wikipedia,webnews}.npz` and `reference/` as the project keeps them.
Needs cmh-metrics. Writes `fidelity.csv` next to this file and prints a table. The last column is for the same
weights with `encode_norm="training"`: codes that do not depend on the other rows of their batch.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch
from cmh_agah import AGAHConfig
from cmh_metrics import mean_average_precision
from cmh_train import TrainingData, build_method, encode_dataset, fit

CELLS = ("untrained", "paired", "UI60", "UI100", "UT60", "UT100", "UIT60", "UIT100", "SD60")
FILES = {"wiki": "wikipedia", "webnews": "webnews"}
# The settings of the reference runs: the program's, but for 40 epochs and narrower text nets.
CONFIG = AGAHConfig(epochs=40, text_widths=(1024, 512))


def present_samples(cell: str, n_train: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks (image present, text present, kept), by a sample's place in its hundred."""
    place, everything = np.arange(n_train) % 100, np.ones(n_train, bool)
    kind = cell.rstrip("0123456789")
    percent = int(cell[len(kind) :] or 0)
    if kind == "UI":
        return everything, place >= percent, everything
    if kind == "UT":
        return place >= percent, everything, everything
    if kind == "UIT":
        return place < 100 - percent / 2, place >= percent / 2, everything
    if kind == "SD":
        return everything, everything, place >= percent
    return everything, everything, everything


def run(shared: Path, dataset: str, cell: str, seed: int, config: AGAHConfig) -> dict[str, float]:
    """Train one cell; mean average precision of both tasks at the last epoch, with both ways to encode."""
    torch.set_num_threads(1)
    with np.load(shared / "data" / f"{FILES[dataset]}.npz") as file:
        image, text = file["image"].astype(np.float32), file["text"].astype(np.float32)
        labels = file["labels"]
    with np.load(shared / "reference" / f"train_order_{FILES[dataset]}.npz") as file:
        train, query = file["train_rows"], file["query_rows"]
    image_present, text_present, kept = present_samples(cell, len(train))
    data = TrainingData.from_arrays(
        image=(image[train] * image_present[:, None])[kept],
        text=(text[train] * text_present[:, None])[kept],
        label=labels[train][kept],
        image_present=image_present[kept],
        text_present=text_present[kept],
    )
    method = build_method("agah", config, data.spec, seed)
    if cell != "untrained":
        fit(method, data, epochs=config.epochs, batch_size=config.batch_size, seed=seed)
    arrays = {"image": image, "text": text}

    def both_tasks() -> dict[str, float]:
        codes = {
            (modality, part): encode_dataset(method, modality, arrays[modality][rows])
            for modality, (part, rows) in product(arrays, (("query", query), ("database", train)))
        }
        return {
            task: mean_average_precision(
                query_codes=codes[source, "query"],
                database_codes=codes[target, "database"],
                query_labels=labels[query],
                database_labels=labels[train],
            )
            for task, source, target in (("i2t", "image", "text"), ("t2i", "text", "image"))
        }

    result = both_tasks()
    # The same weights once more, with codes that do not depend on how the rows fall into batches.
    method.config = config.model_copy(update={"encode_norm": "training"})
    method.encode_batch_size = None
    return result | {f"{task} alone": value for task, value in both_tasks().items()}


def reference_values(shared: Path, dataset: str) -> dict[tuple[str, str], list[float]]:
    """Values of the original program by cell and task, one for each of its seeds."""
    with (shared / "reference" / "original_programs.csv").open() as file:
        return {
            (row["cell"], row["task"]): [float(value) for value in row["values"].split()]
            for row in csv.DictReader(file)
            if (row["dataset"], row["method"], row["variant"]) == (dataset, "AGAH", "")
            and (row["ties"], row["epoch_kind"]) == ("expected", "last")
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS)
    parser.add_argument("--datasets", nargs="+", default=list(FILES), choices=list(FILES))
    parser.add_argument("--set", nargs="*", default=[], help="options to change, as name=value")
    options = parser.parse_args()
    changed = dict(item.split("=", 1) for item in options.set)
    config = AGAHConfig.model_validate({**CONFIG.model_dump(exclude_unset=True), **changed})
    cases = list(product(options.datasets, options.cells, range(options.seeds)))
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [
            pool.submit(run, options.shared, dataset, cell, seed, config) for dataset, cell, seed in cases
        ]
        results = []
        for case, future in zip(cases, futures, strict=True):
            results.append(future.result())
            print(*case, *(f"{task} {value:.4f}" for task, value in results[-1].items()), flush=True)

    rows = []
    print("| data | cell | task | ours | sd | original | sd | difference | codes alone |\n|" + "---|" * 9)
    for dataset, cell, task in product(options.datasets, options.cells, ("i2t", "t2i")):
        ours = [r[task] for c, r in zip(cases, results, strict=True) if c[:2] == (dataset, cell)]
        alone = [r[f"{task} alone"] for c, r in zip(cases, results, strict=True) if c[:2] == (dataset, cell)]
        theirs = reference_values(options.shared, dataset)[cell, task]
        spread = [f"{statistics.stdev(values):.4f}" if len(values) > 1 else "" for values in (ours, theirs)]
        difference = statistics.mean(ours) - statistics.mean(theirs)
        print(
            f"| {dataset} | {cell} | {task} | {statistics.mean(ours):.4f} | {spread[0]} "
            f"| {statistics.mean(theirs):.4f} | {spread[1]} | {difference:+.4f} "
            f"| {statistics.mean(alone):.4f} |"
        )
        rows.append([dataset, cell, task, *(f"{value:.4f}" for value in ours)])
    if not changed:
        with (Path(__file__).parent / "fidelity.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["dataset", "cell", "task", *(f"seed{seed}" for seed in range(options.seeds))])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
