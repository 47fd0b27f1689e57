"""Time the way from features to both tasks' mean average precision, at the size of NUS-WIDE.

    python benchmark_encode.py                # all 195,834 rows: 30 TFLOP for the images, 21 for the texts
    python benchmark_encode.py --rows 20000   # encode fewer and scale; every row takes the same time

The net has the sizes of the paper (4096 and 1000 in, 64 bits); features and labels are random. Scoring always
takes 2,100 queries, 193,734 database rows and 21 labels. Needs cmh-metrics.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from cmh_dadh import METHOD
from cmh_metrics import mean_average_precision
from cmh_train import DataSpec, build_method, encode_dataset

QUERIES, DATABASE, LABELS, BITS = 2_100, 193_734, 21, 64
WIDTHS = {"image": 4096, "text": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=QUERIES + DATABASE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where the nets are; scoring stays on the CPU")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    spec = DataSpec(
        n_train=128, image_shape=(WIDTHS["image"],), text_width=WIDTHS["text"], n_label=LABELS, image_std=2.0
    )
    method = build_method(METHOD, {"bits": BITS}, spec, seed=0).to(options.device)
    features = {
        "image": rng.random((options.rows, WIDTHS["image"]), dtype=np.float32),
        "text": (rng.random((options.rows, WIDTHS["text"]), dtype=np.float32) < 0.01).astype(np.float32),
    }
    labels = rng.random((QUERIES + DATABASE, LABELS)) < 0.1
    labels[:, 0] |= ~labels.any(axis=1)

    seconds: dict[str, float] = {}
    codes: dict[str, np.ndarray] = {}
    for modality, rows in features.items():
        encode_dataset(method, modality, rows[:256])
        started = time.perf_counter()
        encoded = encode_dataset(method, modality, rows)
        seconds[f"encode {modality}s"] = (time.perf_counter() - started) * len(labels) / options.rows
        codes[modality] = np.resize(encoded, (len(labels), BITS))
    for source, target in (("image", "text"), ("text", "image")):

        def score(n_query: int, query: np.ndarray, database: np.ndarray) -> float:
            return mean_average_precision(
                query_codes=query[:n_query],
                query_labels=labels[:n_query],
                database_codes=database[QUERIES:],
                database_labels=labels[QUERIES:],
            )

        score(1, codes[source], codes[target])  # compiles
        started = time.perf_counter()
        score(QUERIES, codes[source], codes[target])
        seconds[f"score {source} to {target}"] = time.perf_counter() - started
    total = sum(seconds.values())
    print(f"torch {torch.__version__}, {options.device}, {options.threads} thread(s), {options.rows} rows")
    print("| part | seconds | share |\n|---|---|---|")
    for part, value in seconds.items():
        print(f"| {part} | {value:.1f} | {100 * value / total:.1f}% |")
    print(f"| all | {total:.1f} | 100% |")


if __name__ == "__main__":
    main()
