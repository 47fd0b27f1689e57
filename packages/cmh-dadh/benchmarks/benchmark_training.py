"""Time a whole training at the sizes of the paper: 300 epochs of 10,000 pairs, an evaluation every 10 epochs.

    python benchmark_training.py --device cuda --precision bf16
    python benchmark_training.py --small    # a few seconds on a CPU, to see that the script works

Features and labels are random, with the sizes of MIR-Flickr25K: 4096 and 1386 in, 64 bits, 24 labels, 2,000
queries, 18,015 rows in the database, of which the first 10,000 are trained on. An evaluation encodes queries
and database in both modalities and scores both tasks over the whole ranking. Needs cmh-metrics.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_dadh import METHOD
from cmh_metrics import mean_average_precision
from cmh_train import TrainingData, build_method, encode_dataset, fit, make_config

if TYPE_CHECKING:
    from cmh_train import EpochRecord

PAPER = {"train": 10_000, "database": 18_015, "queries": 2_000, "image": 4096, "text": 1386, "epochs": 300}
SMALL = {"train": 256, "database": 300, "queries": 40, "image": 32, "text": 24, "epochs": 20}
SMALL_OPTIONS = {"layer_widths": (64, 32, 16), "learning_rate": 1e-3}
LABELS = 24


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=["float32", "bf16", "float64"])
    parser.add_argument("--epochs", type=int, help="instead of 300")
    parser.add_argument("--evaluate-every", type=int, default=10, help="epochs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="few rows and narrow nets")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = SMALL if options.small else PAPER
    epochs = options.epochs or sizes["epochs"]

    rng = np.random.default_rng(0)
    n_row = sizes["database"] + sizes["queries"]
    label = rng.random((n_row, LABELS)) < 0.15
    label[:, 0] |= ~label.any(axis=1)
    label = label.astype(np.float32)
    rows = {  # both tell the labels, so that there is something to learn
        "image": rng.normal(size=(n_row, sizes["image"])).astype(np.float32)
        + label @ rng.normal(size=(LABELS, sizes["image"])).astype(np.float32),
        "text": (
            rng.random((n_row, sizes["text"])) < 0.01 + 0.1 * label @ rng.random((LABELS, sizes["text"]))
        ).astype(np.float32),
    }
    train = slice(sizes["train"])
    data = TrainingData.from_arrays(image=rows["image"][train], text=rows["text"][train], label=label[train])
    config = make_config(METHOD, preset="mirflickr25k", options=SMALL_OPTIONS if options.small else {})
    method = build_method(METHOD, config, data.spec, seed=0)
    seconds = {"train": 0.0, "encode": 0.0, "score": 0.0}

    def evaluate() -> list[float]:
        """Mean average precision of both tasks; queries are the last rows."""
        started = time.perf_counter()
        codes = {m: encode_dataset(method, m, rows[m], precision=options.precision) for m in rows}
        encoded = time.perf_counter()
        first_query = sizes["database"]
        maps = [
            mean_average_precision(
                query_codes=codes[source][first_query:],
                query_labels=label[first_query:],
                database_codes=codes[target][:first_query],
                database_labels=label[:first_query],
            )
            for source, target in (("image", "text"), ("text", "image"))
        ]
        seconds["encode"] += encoded - started
        seconds["score"] += time.perf_counter() - encoded
        return maps

    evaluate()  # compiles
    seconds |= dict.fromkeys(seconds, 0.0)

    def end_epoch(record: EpochRecord) -> None:
        seconds["train"] += record.seconds
        if (record.epoch + 1) % options.evaluate_every == 0:
            image_to_text, text_to_image = evaluate()
            print(f"epoch {record.epoch + 1}: {image_to_text:.4f} {text_to_image:.4f}", flush=True)

    started = time.perf_counter()
    fit(
        method,
        data,
        epochs=epochs,
        batch_size=config.batch_size,
        device=options.device,
        precision=options.precision,
        on_epoch_end=end_epoch,
    )
    total = time.perf_counter() - started
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{options.threads} thread(s)"
    print(
        f"torch {torch.__version__}, {name}, {options.precision}, {epochs} epochs of {sizes['train']} pairs"
    )
    print("| part | seconds | share |\n|---|---|---|")
    for part, value in (seconds | {"all": total}).items():
        print(f"| {part} | {value:.1f} | {100 * value / total:.0f}% |")


if __name__ == "__main__":
    main()
