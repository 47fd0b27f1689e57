"""Codes of a run: what is said of a training that has collapsed."""

import numpy as np
import pytest
from cmh_metrics import pack_codes
from umml_cli.runs.run_codes import RunCodes


def run_codes(images, texts, n_label=4):
    n = len(images)
    there = np.ones(n, bool)
    packed = {"image": pack_codes(np.array(images)), "text": pack_codes(np.array(texts))}
    return RunCodes(
        query_image=packed["image"],
        query_text=packed["text"],
        retrieval_image=packed["image"],
        retrieval_text=packed["text"],
        query_rows=np.arange(n),
        retrieval_rows=np.arange(n),
        query_image_present=there,
        query_text_present=there,
        retrieval_image_present=there,
        retrieval_text_present=there,
        query_labels=np.eye(n_label, dtype=np.uint8)[np.arange(n) % n_label],
        retrieval_labels=np.eye(n_label, dtype=np.uint8)[np.arange(n) % n_label],
    )


CODES = [[1, 1, -1], [1, -1, -1], [-1, 1, 1], [-1, -1, 1]]


@pytest.mark.parametrize(
    ("texts", "n_label", "said"),
    [
        (CODES, 4, []),
        ([CODES[0]] * 4, 4, ["All 4 retrieval texts have one and the same code"]),
        (CODES[:2] * 2, 4, ["All 4 retrieval texts have two codes among them"]),
        (CODES[:2] * 2, 2, []),
    ],
)
def test_collapsed_codes_are_said(texts, n_label, said):
    found = run_codes(CODES, texts, n_label).collapsed()
    assert [sentence.partition(":")[0] for sentence in found] == said
