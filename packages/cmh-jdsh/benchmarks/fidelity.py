"""Compare JDSH with the original program on two small data sets with unpaired samples.

    python benchmarks/fidelity.py SHARED [--seeds 3] [--jobs 2] [--cells paired UIT60] [--datasets wiki]

SHARED is a folder with `data/{wikipedia,webnews}.npz` and `reference/` as the project keeps them. Needs
cmh-metrics. Writes `fidelity.csv` next to this file and prints a table.
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
from cmh_jdsh import JDSHConfig
from cmh_metrics import mean_average_precision
from cmh_train import TrainingData, build_method, encode_dataset, fit

CELLS = ("untrained", "paired", "UI60", "UI100", "UT60", "UT100", "UIT60", "UIT100", "SD60")
FILES = {"wiki": "wikipedia", "webnews": "webnews"}
# The settings of the reference runs: the program's, but for 60 epochs. Wikipedia's features are signed and
# large.
CONFIGS = {"wiki": JDSHConfig(epochs=60, standardise=True), "webnews": JDSHConfig(epochs=60)}
VARIANTS = {"wiki": "std", "webnews": ""}  # their names in the reference


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


def run(shared: Path, dataset: str, cell: str, seed: int, config: JDSHConfig) -> dict[str, float]:
    """Train one cell and return both tasks' mean average precision at the last epoch."""
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
        image_present=image_present[kept],
        text_present=text_present[kept],
        image_mean=float(image.mean()),
        image_std=float(image.std()),
    )
    method = build_method("jdsh", config, data.spec, seed)
    if cell != "untrained":
        fit(method, data, epochs=config.epochs, batch_size=config.batch_size, seed=seed)
    codes = {
        (modality, part): encode_dataset(method, modality, values[rows])
        for (modality, values), (part, rows) in product(
            (("image", image), ("text", text)), (("query", query), ("database", train))
        )
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


def reference_values(shared: Path, dataset: str) -> dict[tuple[str, str], list[float]]:
    """Values of the original program by cell and task, one for each of its seeds."""
    with (shared / "reference" / "original_programs.csv").open() as file:
        return {
            (row["cell"], row["task"]): [float(value) for value in row["values"].split()]
            for row in csv.DictReader(file)
            if (row["dataset"], row["method"], row["variant"]) == (dataset, "JDSH", VARIANTS[dataset])
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
    configs = {
        name: JDSHConfig.model_validate({**config.model_dump(exclude_unset=True), **changed})
        for name, config in CONFIGS.items()
    }
    cases = list(product(options.datasets, options.cells, range(options.seeds)))
    with ProcessPoolExecutor(options.jobs) as pool:
        futures = [
            pool.submit(run, options.shared, dataset, cell, seed, configs[dataset])
            for dataset, cell, seed in cases
        ]
        results = []
        for case, future in zip(cases, futures, strict=True):
            results.append(future.result())
            print(*case, *(f"{task} {value:.4f}" for task, value in results[-1].items()), flush=True)

    rows = []
    print(
        "| data | cell | task | ours | sd | original | sd | difference |\n|---|---|---|---|---|---|---|---|"
    )
    for dataset, cell, task in product(options.datasets, options.cells, ("i2t", "t2i")):
        ours = [r[task] for c, r in zip(cases, results, strict=True) if c[:2] == (dataset, cell)]
        theirs = reference_values(options.shared, dataset)[cell, task]
        spread = [f"{statistics.stdev(values):.4f}" if len(values) > 1 else "" for values in (ours, theirs)]
        difference = statistics.mean(ours) - statistics.mean(theirs)
        print(
            f"| {dataset} | {cell} | {task} | {statistics.mean(ours):.4f} | {spread[0]} "
            f"| {statistics.mean(theirs):.4f} | {spread[1]} | {difference:+.4f} |"
        )
        rows.append([dataset, cell, task, *(f"{value:.4f}" for value in ours)])
    if not changed:
        with (Path(__file__).parent / "fidelity.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["dataset", "cell", "task", *(f"seed{seed}" for seed in range(options.seeds))])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
