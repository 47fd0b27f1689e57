"""Write docs/asked-and-actual.csv: what is asked and what becomes of it, here and by the released script.

    python tools/asked_and_actual.py > packages/cmh-unpair/docs/asked-and-actual.csv

Numbers of 10,000 training rows. `emptied`: texts or images, one kind only. `pairs_left`: true pairs when both
kinds are unpaired by p % (up to 50% each, the most that leaves no row without both). `script_...`: the same
by `published_2022_plan`, a counter of 99 rows, images emptied in front, texts at the back.
"""

from __future__ import annotations

from cmh_unpair import plan_unpairing, published_2022_plan

HEAD = "asked,emptied,pairs_left,script_images,script_texts,script_both,script_pairs_left\n"


def table() -> str:
    """The file."""
    lines = [HEAD]
    for p in range(1, 101):
        emptied = plan_unpairing(10_000, unpaired_images=p).counts.without_text
        left = ""
        if p <= 50:
            left = str(plan_unpairing(10_000, unpaired_images=p, unpaired_text=p).counts.true_pairs)
        plan = published_2022_plan(unpaired_images=p, unpaired_text=p)
        images, texts = (int((~present).sum()) for present in (plan.image_present, plan.text_present))
        counts = plan.counts
        lines.append(f"{p},{emptied},{left},{images},{texts},{counts.without_both},{counts.true_pairs}\n")
    return "".join(lines)


if __name__ == "__main__":
    print(table(), end="")
