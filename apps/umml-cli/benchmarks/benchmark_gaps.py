"""What gaps in the database cost, how two codes of an item are best counted, and what re-ranking gains.

    uv run apps/umml-cli/benchmarks/benchmark_gaps.py MODEL DATA

Removes the text of some items of the retrieval set and the image of as many others, at random (UIT 40: 20 %
and 20 %), makes an index of what is left, asks it for the query rows, and prints two tables in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cmh_train import load_model
from cmh_unpair import plan_unpairing
from umml_cli.inputs.data_sources import open_data
from umml_cli.search.collection import FeatureCollection
from umml_cli.search.index_scores import score_searches
from umml_cli.search.make_index import make_index
from umml_cli.search.searcher import Searcher
from umml_cli.terms import TASK_TITLES

if TYPE_CHECKING:
    from cmh_data import PairedDataset

COMBINES = ("nearest", "mean", "cross")
RERANK = (2, 10)


def with_gaps(dataset: PairedDataset, percent: float, seed: int = 0) -> PairedDataset:
    """The data set with so many per cent of its retrieval rows without image or text, half each."""
    rows = dataset.split.retrieval
    plan = plan_unpairing(
        len(rows), unpaired_images=percent / 2, unpaired_text=percent / 2, select="random", seed=seed
    )
    image, text = dataset.image_present.copy(), dataset.text_present.copy()
    image[rows] &= plan.image_present
    text[rows] &= plan.text_present
    return replace(dataset, image_present=image, text_present=text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data")
    arguments = parser.parse_args()
    model, dataset = load_model(arguments.model), open_data(arguments.data)
    queries = FeatureCollection(dataset, model, "query", None)
    gaps, reranked = [], []
    with tempfile.TemporaryDirectory() as folder:
        for percent in (0, 40, 80):
            collection = FeatureCollection(with_gaps(dataset, percent), model, "retrieval", None)
            made = {
                kept: make_index(
                    collection,
                    model,
                    Path(folder, f"{percent}-{kept}"),
                    outputs=kept,
                    progress=lambda *_: None,
                )
                for kept in ("float16", "int8")
            }
            index = made["float16"]
            searcher = Searcher(index, model)
            maps = {}
            for combine in COMBINES:
                for scores in score_searches(searcher, queries, combine=combine):
                    maps[scores.task, combine] = scores.map
            gaps.append((percent, index.counts, maps))
            for r in RERANK if percent in (0, 80) else ():
                for kept, one in made.items():
                    found = score_searches(Searcher(one, model), queries, rerank=r)
                    reranked += [(percent, kept, scores) for scores in found]
    print(f"{model.description.method}, {model.bits} bits, {dataset.name}, mAP of the whole ranking\n")
    columns = [f"{TASK_TITLES[task]}, {combine}" for task in ("i2t", "t2i") for combine in COMBINES]
    print("| gaps | items with both / image / text | " + " | ".join(columns) + " |")
    print("|---|---|" + "---|" * 6)
    for percent, counts, maps in gaps:
        values = [f"{maps[task, combine]:.4f}" for task in ("i2t", "t2i") for combine in COMBINES]
        sizes = f"{counts['both']} / {counts['image']} / {counts['text']}"
        print(f"| UIT {percent} | {sizes} | " + " | ".join(values) + " |")
    print("\n| gaps | searches | order | mAP@50 | nDCG@10 | ms a query |\n" + "|---" * 6 + "|")
    seen = set()
    for percent, kept, scores in reranked:
        order = scores.way if scores.recall_at_10 is not None else f"{scores.way}, {kept}"
        if (percent, scores.task, order) not in seen:
            seen.add((percent, scores.task, order))
            print(f"| UIT {percent} | {TASK_TITLES[scores.task]} | {order} | {scores.map_at_50:.4f} | "
                  f"{scores.ndcg_at_10:.4f} | {1000 * scores.seconds:.3f} |")  # fmt: skip
    print(f"\nBytes of an item with both: two codes {2 * model.bits // 8}, outputs in float16 "
          f"{4 * model.bits} more, in int8 {2 * model.bits} more.")  # fmt: skip


if __name__ == "__main__":
    main()
