from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from cmh_unpair import plan_unpairing, published_2022_plan

FOLDER = Path(__file__).parents[1]


def document(name):
    path = FOLDER / name
    if not path.exists():
        pytest.skip("the documents stand in the repository only")
    return path.read_text(encoding="utf-8")


def test_the_table_of_asked_and_actual_is_true():
    rows = list(csv.DictReader(document("docs/asked-and-actual.csv").splitlines()))
    assert [int(row["asked"]) for row in rows] == list(range(1, 101))
    for p, row in enumerate(rows, start=1):
        assert int(row["emptied"]) == plan_unpairing(10_000, unpaired_images=p).counts.without_text == 100 * p
        if p <= 50:
            plan = plan_unpairing(10_000, unpaired_images=p, unpaired_text=p)
            assert int(row["pairs_left"]) == plan.counts.true_pairs == 10_000 - 200 * p
        plan = published_2022_plan(unpaired_images=p, unpaired_text=p)
        found = [(~plan.image_present).sum(), (~plan.text_present).sum()]
        found += [plan.counts.without_both, plan.counts.true_pairs]
        assert [int(row[f"script_{key}"]) for key in ("images", "texts", "both", "pairs_left")] == found


def test_the_short_table_of_the_readme_is_that_of_the_file():
    whole = {row["asked"]: row for row in csv.DictReader(document("docs/asked-and-actual.csv").splitlines())}
    short = re.findall(r"^\| (\d+) \| ([^|]*%.*) \|$", document("README.md"), flags=re.MULTILINE)
    assert len(short) > 5
    for p, text in short:
        cells = [cell.strip() for cell in text.split("|")]
        numbers = list(whole[p].values())[1:]
        assert cells == [f"{int(number) / 100:.2f}%" if number else "" for number in numbers]
