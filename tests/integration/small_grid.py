"""A grid of fourteen runs that take no time, and what a reader sees of it."""

import csv

import numpy as np

GRID = """
title = "A small grid"
data = ["small"]
table = "cells"
seeds = 2
[methods.dadh]
options = { bits = 16, layer_widths = [8, 8, 8], epochs = 3, batch_size = 20 }
evaluate_every = 1
[cells]
paired = [0]
UI = [40, 100]
UT = [40]
UIT = [40]
SD = [40]
untrained = [0]
"""
N_RUNS = 14


def prepare(folder):
    np.savez(folder / "small.npz", **make_arrays())
    (folder / "grid.toml").write_text(GRID)


def written(out):
    """What a reader sees: numbers and tables, without the times of the runs."""
    files = [out / "summary.csv", out / "runs.csv", *sorted((out / "tables").iterdir())]
    return {file.name: file.read_bytes() for file in files}


def read_rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


SMALL_GRID = (
    "reproduce",
    "grid.toml",
    "--data",
    "small=small.npz",
    "--checkpoint-minutes",
    "0",
    "--workers",
    "1",
)


def make_arrays(n=60):
    """Items of three classes whose image and text carry the class."""
    generator = np.random.default_rng(7)
    labels = np.eye(3, dtype=np.uint8)[np.arange(n) % 3]
    return {
        "image": (labels @ generator.normal(size=(3, 12)) + generator.normal(size=(n, 12))).astype(
            np.float32
        ),
        "text": (labels @ generator.normal(size=(3, 8)) + generator.normal(size=(n, 8))).astype(np.float32),
        "labels": labels,
        "label_names": np.array(["one", "two", "three"]),
        "train": np.arange(n - 20),
        "query": np.arange(n - 10, n),
    }
