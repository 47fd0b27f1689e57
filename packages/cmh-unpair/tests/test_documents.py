from __future__ import annotations

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


def test_the_example_of_the_readme_runs():
    (example,) = re.findall(r"```python\n(.*?)```", document("README.md"), flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own example


def test_the_table_of_asked_and_actual_is_true():
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", document("docs/asked-and-actual.md"), flags=re.MULTILINE)
    assert [int(p) for p, _ in rows] == list(range(1, 101))
    for p, cells in ((int(p), [cell.strip() for cell in text.split("|")]) for p, text in rows):
        exact, left, *script = cells
        assert float(exact) * 100 == plan_unpairing(10_000, unpaired_images=p).counts.without_text
        if p <= 50:
            plan = plan_unpairing(10_000, unpaired_images=p, unpaired_text=p)
            assert round(float(left) * 100) == plan.counts.true_pairs
        plan = published_2022_plan(unpaired_images=p, unpaired_text=p)
        found = (
            (~plan.image_present).sum(),
            (~plan.text_present).sum(),
            plan.counts.without_both,
            plan.counts.true_pairs,
        )
        assert [round(float(cell) * 100) for cell in script] == list(found)
