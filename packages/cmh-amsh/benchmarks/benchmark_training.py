"""Time a whole training at the size of the issue's question, beside the original's way of doing it.

    python benchmarks/benchmark_training.py [--rows 10000] [--repeats 2] [--threads 2] [--device cuda]

Ours: 15 rounds and both hash functions. Plain: the same formulas as MATLAB writes them, items as columns, in
double precision. Prints the median milliseconds of both and the memory that a training of ours adds at its
peak, and appends a row for each way to results.csv.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import torch
from cmh_amsh import METHOD
from cmh_testing import time_ways
from cmh_train import TrainingData, build_method, fit

WIDTHS = {"image": 128, "text": 100}
ROUNDS = 15


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--anchors", type=int, default=1500)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--csv", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    label = torch.eye(10)[torch.randint(10, (options.rows,))]
    features = {
        name: label @ torch.randn(10, width) + torch.randn(options.rows, width)
        for name, width in WIDTHS.items()
    }
    data = TrainingData.from_arrays(
        image=features["image"].numpy(), text=features["text"].numpy(), label=label.numpy()
    )

    def ours() -> None:
        chosen = {"bits": options.bits, "anchors": options.anchors}
        method = build_method(METHOD, chosen, data.spec, seed=0)
        fit(method, data, epochs=ROUNDS, batch_size=0, device=options.device)

    def plain() -> None:
        anchors = torch.randperm(options.rows)[: options.anchors]
        columns = {name: plain_kernel(values.double(), anchors) for name, values in features.items()}
        plain_training(columns, label.double().T, options.bits)

    before = peak_memory(options.device)
    ours()
    print(f"{options.rows} rows: {peak_memory(options.device) - before:.0f} MB more at the peak")
    time_ways(
        {"plain": plain, "ours": ours},
        benchmark="training",
        case=f"training, {options.rows} rows, {options.anchors} anchors, {options.bits} bits",
        repeats=options.repeats,
        device=options.device,
        packages=("cmh-amsh", "cmh-train", "torch"),
        record=options.csv,
    )


def peak_memory(device: torch.device) -> float:
    """Return the most memory held so far, in MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def plain_kernel(values: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    distances = torch.cdist(values, values[anchors]).square()
    kernel = torch.exp(-distances / (2 * distances.mean()))
    return (kernel - kernel.mean(dim=0)).T


def plain_training(columns: dict[str, torch.Tensor], label: torch.Tensor, bits: int) -> None:
    n, unit, signs = label.shape[1], label / label.norm(dim=0), 2 * label - 1
    start = {}
    for name, x in columns.items():
        some = x[:, torch.randperm(n)[:1000]]
        start[name] = torch.linalg.eigh(torch.cov(some)).eigenvectors[:, -bits:].T @ x
    v = dict(start)
    b = {name: value.sign() for name, value in v.items()}
    slack = {name: torch.zeros_like(label) for name in v}
    for _ in range(ROUNDS):
        p = {m: (label + signs * slack[m]) @ v[m].T @ torch.linalg.inv(v[m] @ v[m].T) for m in v}
        for m, other in (("image", "text"), ("text", "image")):
            z = p[m].T @ (label + signs * slack[m]) + b[m]
            z = z + 1e-3 * bits * (b[m] @ unit.T) @ unit + 1e-3 * bits * (v[other] @ unit.T) @ unit
            z = z - z.mean(dim=1, keepdim=True)
            values, vectors = torch.linalg.eigh(z @ z.T)
            v[m] = n**0.5 * vectors @ torch.diag(values**-0.5) @ vectors.T @ z
        for m, factors in v.items():
            b[m] = torch.sign(1e-3 * bits * (factors @ unit.T) @ unit + factors)
            slack[m] = torch.relu((p[m] @ factors - label) * signs)
    for m, x in columns.items():
        inverse = torch.linalg.inv(x @ x.T + 0.01 * torch.eye(len(x), dtype=x.dtype))
        room = torch.zeros_like(b[m])
        for _ in range(ROUNDS):
            function = (b[m] * (1 + room)) @ x.T @ inverse
            room = torch.relu((function @ x - b[m]) * b[m])


if __name__ == "__main__":
    main()
