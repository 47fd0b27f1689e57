"""Evaluation without labels: of the other side of all queries, only a query's own item is relevant."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from cmh_metrics import Definition, average_precision, instance_ranks, instance_recall_at

from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from cmh_metrics import PackedCodes
    from numpy.typing import NDArray

    from umml_cli.runs.run_codes import RunCodes

CUTS = (1, 5, 10)
_BLOCK = 512  # queries whose table of relevant items is in memory


def own_items_known(codes: RunCodes) -> NDArray[np.bool_]:
    """`(n_query,)`, the queries that have both an image and a text, so that each has an item of its own."""
    return codes.query_image_present & codes.query_text_present


def pair_codes(codes: RunCodes, task: str) -> tuple[PackedCodes, PackedCodes]:
    """Codes of the complete query rows: of the side that a task asks with, and of the side that is ranked."""
    known = own_items_known(codes)
    sides = codes.query_image[known], codes.query_text[known]
    return sides if task == "i2t" else sides[::-1]


def score_own_items(codes: RunCodes, definition: Definition) -> dict[str, NDArray[np.float64]]:
    """Average precision of every query where its own item alone is relevant: one over its place.

    Args:
        codes: of the run.
        definition: of average precision, for the order of equal distances.

    Returns:
        From each task to `(n_query,)`; NaN for a query that lacks a side.
    """
    known = np.flatnonzero(own_items_known(codes))
    scores = {}
    for task in TASKS:
        scores[task] = np.full(len(codes.query_rows), np.nan)
        query_codes, database_codes = pair_codes(codes, task)
        for start in range(0, len(known), _BLOCK):
            rows = slice(start, min(start + _BLOCK, len(known)))
            own = np.eye(rows.stop - start, dtype=np.uint8)
            relevant = np.zeros((len(known), len(own)), np.uint8)
            relevant[rows] = own
            scores[task][known[rows]] = average_precision(
                query_codes=query_codes[rows],
                database_codes=database_codes,
                query_labels=own,
                database_labels=relevant,
                **asdict(definition),
            )
    return scores


def describe_own_items(codes: RunCodes) -> dict[str, dict[str, float]]:
    """Recall at 1, 5 and 10 and the median rank of the own item, and how many items are ranked, by task."""
    found = {}
    for task in TASKS:
        query_codes, database_codes = pair_codes(codes, task)
        recall = instance_recall_at(query_codes=query_codes, database_codes=database_codes, ks=CUTS)
        ranks = instance_ranks(query_codes=query_codes, database_codes=database_codes)
        found[task] = {
            **{f"recall@{k}": float(value) for k, value in zip(CUTS, recall, strict=True)},
            "median rank": float(np.median(ranks)),
            "items": float(len(ranks)),
        }
    return found
