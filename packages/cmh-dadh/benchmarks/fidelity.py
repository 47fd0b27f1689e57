"""Train DADH in the cells of the reference and print its mAP beside the original program's.

    python fidelity.py DATA.npz TRAIN_ORDER.npz ORIGINAL_PROGRAMS.csv --cells paired UI60 --seeds 3 --out
    table.csv

Settings are the reference's: 64 bits, layers 1024/512/256, learning rate 5e-4, 60 epochs, batch 128.
Retrieval rows are the training rows as they were before unpairing; mAP is over the whole ranking, equal
distances in database order, last epoch. Finished runs stand in `--out` and are not repeated.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from cmh_train import TrainingData, build_method, encode_dataset, fit, image_statistics

CELLS = ("paired", "UI60", "UI100", "UT60", "UT100", "UIT60", "UIT100", "SD60", "untrained")
EPOCHS = 60
BATCH_SIZE = 128
SETTINGS = {"bits": 64, "layer_widths": (1024, 512, 256), "learning_rate": 5e-4}
BLOCK = 100


def empty(cell: str, n_train: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which training rows keep their image, keep their text, and stay."""
    position = np.arange(n_train) % BLOCK
    image, text, kept = (np.ones(n_train, dtype=bool) for _ in range(3))
    if cell.startswith("UIT"):
        half = int(cell[3:]) // 2
        text, image = position >= half, position < BLOCK - half
    elif cell.startswith("UI"):
        text = position >= int(cell[2:])
    elif cell.startswith("UT"):
        image = position >= int(cell[2:])
    elif cell.startswith("SD"):
        kept = position >= int(cell[2:])
    return image, text, kept


def mean_average_precision(query: np.ndarray, database: np.ndarray, relevant: np.ndarray) -> float:
    similarity = np.where(query >= 0, 1, -1) @ np.where(database >= 0, 1, -1).T
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, axis=1)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(axis=1) / hits.sum(axis=1)).mean())


def run(data_file: Path, order_file: Path, cell: str, seed: int, variant: str) -> tuple[float, float]:
    """Train one cell and return mAP image->text and text->image."""
    torch.set_num_threads(1)
    with np.load(data_file) as data, np.load(order_file) as order:
        image, text, label = (data[name] for name in ("image", "text", "labels"))
        train, query = order["train_rows"], order["query_rows"]
    has_image, has_text, kept = empty(cell, len(train))
    image_mean, image_std = image_statistics(image)
    rows = TrainingData.from_arrays(
        image=(image[train] * has_image[:, None])[kept],
        text=(text[train] * has_text[:, None])[kept],
        label=label[train][kept],
        image_present=has_image[kept],
        text_present=has_text[kept],
        image_mean=image_mean,
        image_std=image_std,
    )
    options = SETTINGS | ({} if variant == "umml2022" else {"variant": variant})
    method = build_method("dadh", options, rows.spec, seed)
    if cell != "untrained":
        fit(method, rows, epochs=EPOCHS, batch_size=BATCH_SIZE, seed=seed)
    relevant = (label[query] @ label[train].T) > 0
    both = {"image": image, "text": text}
    queries = {name: encode_dataset(method, name, features[query]) for name, features in both.items()}
    database = {name: encode_dataset(method, name, features[train]) for name, features in both.items()}
    return (
        mean_average_precision(queries["image"], database["text"], relevant),
        mean_average_precision(queries["text"], database["image"], relevant),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("order", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variant", default="umml2022")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    done: dict[tuple[str, int], tuple[float, float]] = {}
    if options.out.exists():
        with options.out.open(newline="") as file:
            done = {
                (r["cell"], int(r["seed"])): (float(r["i2t"]), float(r["t2i"])) for r in csv.DictReader(file)
            }
    else:
        options.out.write_text("cell,seed,i2t,t2i\n")
    wanted = [(cell, seed) for seed in range(options.seeds) for cell in options.cells]
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        futures = {
            key: pool.submit(run, options.data, options.order, *key, options.variant)
            for key in wanted
            if key not in done
        }
        for (cell, seed), future in futures.items():
            done[cell, seed] = future.result()
            with options.out.open("a") as file:
                file.write(f"{cell},{seed},{done[cell, seed][0]:.4f},{done[cell, seed][1]:.4f}\n")

    name = {"wikipedia": "wiki"}.get(options.data.stem, options.data.stem)
    with options.reference.open(newline="") as file:
        reference = {
            (row["cell"], row["task"]): row
            for row in csv.DictReader(file)
            if (row["dataset"], row["method"], row["variant"]) == (name, "DADH", "")
            and (row["ties"], row["epoch_kind"]) == ("stable", "last")
        }
    print("| cell | task | ours | sd | original | sd | difference |")
    print("|---|---|---|---|---|---|---|")
    for cell in options.cells:
        for position, task in enumerate(("i2t", "t2i")):
            values = [done[cell, seed][position] for seed in range(options.seeds)]
            row = reference[cell, task]
            original = float(row["map_mean"])
            spread = f"{stdev(values):.4f}" if len(values) > 1 else "-"
            theirs = row["map_sd"] or "-"
            print(
                f"| {cell} | {task} | {mean(values):.4f} | {spread} | {original:.4f} | {theirs} "
                f"| {mean(values) - original:+.4f} |"
            )


if __name__ == "__main__":
    main()
