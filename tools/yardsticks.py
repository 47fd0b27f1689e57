"""Train a method as the original's loss and layer code was run on Wikipedia, and set its mAP beside it.

    uv run python tools/yardsticks.py SHARED METHOD [SEED ...]

SHARED holds `data/wikipedia.npz` and `reference/train_order_wikipedia.npz`. 64 bits, nothing missing, last
epoch, ties in the order of the retrieval set, which is the training rows. Prints rows of the table in
docs/fidelity.md.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cmh_metrics import mean_average_precision
from cmh_train import Modality, TrainingData, build_method, encode_dataset, fit, image_statistics, make_config

TASKS: tuple[tuple[Modality, Modality], ...] = (("image", "text"), ("text", "image"))


@dataclass(frozen=True)
class Yardstick:
    """Options, and mean and deviation of both tasks in three seeds of the original."""

    options: dict[str, Any]
    means: tuple[float, float]
    deviations: tuple[float, float]


YARDSTICKS = {
    "dcmh": Yardstick({"variant": "port", "text_widths": (1024,)}, (0.236, 0.214), (0.005, 0.012)),
    "dchmt": Yardstick({"learning_rate": 1e-3, "batch_size": 128}, (0.248, 0.325), (0.004, 0.005)),
    "dsph": Yardstick({}, (0.359, 0.378), (0.002, 0.001)),
}


def train(name: str, options: dict[str, Any], shared: Path, seed: int) -> tuple[float, float]:
    """Return the mAP of image to text and of text to image."""
    with (
        np.load(shared / "data" / "wikipedia.npz") as data,
        np.load(shared / "reference" / "train_order_wikipedia.npz") as order,
    ):
        features = {"image": data["image"], "text": data["text"]}
        label, rows, queries = data["labels"], order["train_rows"], order["query_rows"]
    mean, std = image_statistics(features["image"])
    training = TrainingData.from_arrays(
        **{modality: values[rows] for modality, values in features.items()},
        label=label[rows],
        image_mean=mean,
        image_std=std,
    )
    config = make_config(name, options={"bits": 64, "standardise": "matrix", **options})
    method = build_method(name, config, training.spec, seed=seed)
    fit(method, training, epochs=config.epochs, batch_size=config.batch_size, seed=seed)
    codes = {modality: encode_dataset(method, modality, features[modality]) for modality, _ in TASKS}
    values = [
        mean_average_precision(
            query_codes=codes[query][queries],
            database_codes=codes[answer][rows],
            query_labels=label[queries],
            database_labels=label[rows],
            ties="index",
        )
        for query, answer in TASKS
    ]
    return values[0], values[1]


def main() -> None:
    """Train with every seed and print a row for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("method", choices=YARDSTICKS)
    parser.add_argument("seeds", type=int, nargs="*", default=[1, 2, 3])
    chosen = parser.parse_args()
    name, yardstick = chosen.method, YARDSTICKS[chosen.method]
    runs = [train(name, yardstick.options, chosen.shared, seed) for seed in chosen.seeds]
    print("| method | task | ours | sd | original | sd | in sd |")
    print("|" + "---|" * 7)
    for task, values, mean, deviation in zip(
        ("i2t", "t2i"), zip(*runs, strict=True), yardstick.means, yardstick.deviations, strict=True
    ):
        ours = statistics.mean(values)
        spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else ""
        ratio = abs(ours - mean) / deviation
        print(f"| {name} | {task} | {ours:.4f} | {spread} | {mean} | {deviation} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
