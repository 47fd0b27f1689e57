"""What in completion matters: wrong donors, and what labels and rows give without any hashing.

    uv run python tools/completion_ablations.py wrong DATA METHOD [--cell UIT100] [--seeds 3]
    uv run python tools/completion_ablations.py classifiers DATA [--seeds 3]

`wrong` trains with the donors of `auto`, of which a share of the rows gets any training row that has the
item instead, drawn anew in every epoch: preset small, 64 bits, last epoch. `classifiers` trains a classifier
of labels for each modality, on the training rows that have it, and ranks by the cosine of the probabilities
of classes: no pairs, no codes; 512, 256 and 128 wide with batch normalisation, 20 epochs of Adam. Both print
rows of the tables in docs/completion.md: mAP of both tasks over the whole ranking, tie-aware where there are
codes, mean and standard deviation over seeds. DATA is a file that `umml train` takes, or emoji.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_data import load, sample
from cmh_metrics import mean_average_precision
from cmh_train import (
    TrainingData,
    build_method,
    encode_dataset,
    find_method,
    fit,
    image_statistics,
    make_config,
)
from cmh_unpair import Donors, UnpairedArrays, find_donors, plan_unpairing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cmh_data import PairedDataset
    from numpy.typing import NDArray

SHARES = (0, 25, 50, 100)
CELLS = ("paired", "UI60", "UT60", "UIT60", "UIT100", "SD60")
Maps = tuple[float, float]


@dataclass(frozen=True)
class PartlyWrong:
    """Donors of which a share of the rows that need one gets any row with the item instead."""

    donors: Donors
    share: float
    has: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    wrong: tuple[NDArray[np.bool_], NDArray[np.bool_]]

    @classmethod
    def of(cls, donors: Donors, kept: UnpairedArrays, share: float, seed: int) -> PartlyWrong:
        """Choose the rows that are served wrongly."""
        rng = np.random.default_rng((seed, 17))
        has = (kept.image_present, kept.text_present)
        return cls(donors, share, has, tuple(~one & (rng.random(len(one)) < share / 100) for one in has))

    @property
    def digest(self) -> str:
        """What the draws depend on."""
        wrong = b"".join(one.tobytes() for one in self.wrong)
        return hashlib.sha256(self.donors.digest.encode() + wrong).hexdigest()

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw one epoch's rows."""
        drawn = self.donors.draw(rng)
        for rows, has, wrong in zip(drawn, self.has, self.wrong, strict=True):
            rows[wrong] = rng.choice(np.flatnonzero(has), wrong.sum())
        return drawn


def remove(data: PairedDataset, cell: str) -> UnpairedArrays:
    """The training rows of a cell such as UIT60."""
    rows = data.split.train
    found = re.fullmatch(r"(paired|UI|UT|UIT|SD)(\d*)", cell)
    if found is None:
        raise SystemExit(f"a cell is called paired, UI60, UT60, UIT100 or SD60, but this one {cell!r}")
    scheme, percent = found[1], float(found[2] or 0)
    half = percent / 2 if scheme == "UIT" else percent
    plan = plan_unpairing(
        len(rows),
        unpaired_images=half if scheme in {"UI", "UIT"} else 0,
        unpaired_text=half if scheme in {"UT", "UIT"} else 0,
        discard=percent if scheme == "SD" else 0,
    )
    return plan.apply(np.asarray(data.image)[rows], np.asarray(data.text)[rows], data.label[rows])


def train_with_wrong_donors(data: PairedDataset, method: str, cell: str, share: float, seed: int) -> Maps:
    """Return the mAP of both tasks."""
    kept = remove(data, cell)
    mean, std = image_statistics(np.asarray(data.image))
    training = TrainingData.from_arrays(
        image=kept.images,
        text=kept.texts,
        label=kept.labels,
        image_present=kept.image_present,
        text_present=kept.text_present,
        image_mean=mean,
        image_std=std,
    )
    config = make_config(method, preset="small", options={"bits": 64})
    by = find_method(method).completion or "label"
    donors = find_donors(kept, by=by)
    trained = build_method(method, config, training.spec, seed=seed)
    fit(
        trained,
        training,
        epochs=config.epochs,
        batch_size=min(config.batch_size, len(kept)),
        seed=seed,
        partners=PartlyWrong.of(donors, kept, share, seed),
    )
    codes = {
        modality: encode_dataset(trained, modality, values)
        for modality, values in (("image", np.asarray(data.image)), ("text", np.asarray(data.text)))
    }
    return both_tasks(
        lambda query, answer: mean_average_precision(
            query_codes=codes[query][data.split.query],
            database_codes=codes[answer][data.split.retrieval],
            query_labels=data.label[data.split.query],
            database_labels=data.label[data.split.retrieval],
        ),
    )


def train_classifiers(data: PairedDataset, cell: str, seed: int) -> Maps:
    """Return the mAP of both tasks by the cosine of class probabilities."""
    kept = remove(data, cell)
    torch.manual_seed(seed)
    found = {}
    for modality in ("image", "text"):
        present = getattr(kept, f"{modality}_present")
        values = torch.as_tensor(np.asarray(getattr(kept, f"{modality}s"))[present], dtype=torch.float32)
        target = torch.as_tensor(np.asarray(kept.labels)[present], dtype=torch.float32)
        mean, std = values.mean(), values.std()
        widths = (values.shape[1], 512, 256, 128)
        layers = [
            layer
            for a, b in pairwise(widths)
            for layer in (torch.nn.Linear(a, b), torch.nn.BatchNorm1d(b), torch.nn.ReLU())
        ]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], target.shape[1]))
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(20):
            for batch in torch.randperm(len(values)).split(64):
                if len(batch) < 2:  # batch normalisation of one row is none
                    continue
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    network((values[batch] - mean) / std), target[batch]
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        network.eval()
        with torch.inference_mode():
            everything = torch.as_tensor(np.asarray(getattr(data, modality)), dtype=torch.float32)
            likely = torch.softmax(network((everything - mean) / std), dim=1)
            found[modality] = torch.nn.functional.normalize(likely, dim=1).numpy()

    def score(query: str, answer: str) -> float:
        near = found[query][data.split.query] @ found[answer][data.split.retrieval].T
        order = np.argsort(-near, axis=1, kind="stable")
        relevant = (
            data.label[data.split.query].astype(int) @ data.label[data.split.retrieval].T.astype(int)
        ) > 0
        hits = np.take_along_axis(relevant, order, axis=1)
        precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
        return float(((precision * hits).sum(axis=1) / np.maximum(hits.sum(axis=1), 1)).mean())

    return both_tasks(score)


def both_tasks(score: Callable[[str, str], float]) -> Maps:
    """Score image to text and text to image."""
    return score("image", "text"), score("text", "image")


def row(name: str, runs: Iterable[Maps]) -> str:
    """A row of a table: mean and standard deviation of both tasks."""
    cells = []
    for values in zip(*runs, strict=True):
        spread = f" ±{statistics.stdev(values):.3f}" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.3f}{spread}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Train, and print a row for each share or cell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["wrong", "classifiers"])
    parser.add_argument("data")
    parser.add_argument("method", nargs="?", default="agah")
    parser.add_argument("--cell", default="UIT100")
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    data = sample() if chosen.data == "emoji" else load(chosen.data)
    print("| | image → text | text → image |\n|---|---|---|")
    if chosen.what == "wrong":
        for share in SHARES:
            runs = [
                train_with_wrong_donors(data, chosen.method, chosen.cell, share, seed)
                for seed in range(chosen.seeds)
            ]
            print(row(f"{share}% wrong", runs), flush=True)
    else:
        for cell in CELLS:
            print(
                row(cell, [train_classifiers(data, cell, seed) for seed in range(chosen.seeds)]), flush=True
            )


if __name__ == "__main__":
    main()
