"""Write docs/asked-and-actual.md: what is asked and what becomes of it, here and by the released script.

python benchmarks/asked_and_actual.py > docs/asked-and-actual.md
"""

from __future__ import annotations

from cmh_unpair import plan_unpairing, published_2022_plan

HEAD = """# Asked and actual percentages

Of 10,000 training rows: the percentage of emptied texts or images, and of true pairs left when both kinds are
unpaired by p % (up to 50 % each, the most that leaves no row without both). "Released script" is
`published_2022_plan`: a counter of 99 rows, images emptied in front, texts at the back.
Written by `python benchmarks/asked_and_actual.py`; a test compares it with what the package does.

| asked | exact: emptied | pairs left | script: images emptied | texts emptied | both emptied | pairs left |
|---|---|---|---|---|---|---|
"""


def table() -> str:
    """The page."""
    lines = [HEAD]
    for p in range(1, 101):
        ours = plan_unpairing(10_000, unpaired_images=p).counts.without_text
        left = ""
        if p <= 50:
            left = f"{plan_unpairing(10_000, unpaired_images=p, unpaired_text=p).counts.true_pairs / 100:.2f}"
        plan = published_2022_plan(unpaired_images=p, unpaired_text=p)
        images, texts = (int((~present).sum()) for present in (plan.image_present, plan.text_present))
        counts = plan.counts
        cells = (images, texts, counts.without_both, counts.true_pairs)
        script = " | ".join(f"{number / 100:.2f}" for number in cells)
        lines.append(f"| {p} | {ours / 100:.2f} | {left} | {script} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(table(), end="")
