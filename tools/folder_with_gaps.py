"""Make a folder of real pictures and captions with the troubles that such folders have.

    uv run tools/folder_with_gaps.py FOLDER [--items 600] [--seed 0]

Pictures are those of the built-in emoji data set, captions their words, labels their groups (OpenMoji,
CC BY-SA 4.0). A third of the captions and a tenth of the pictures are missing, and one picture in twenty has
no row in the table; one file is cut short, one text is named .jpg; names hold blanks and Chinese characters.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cmh_data
import numpy as np

NAMES = ("picture {}.png", "图片{}.png", "my {} 照片.png")


def make_folder(folder: Path, *, items: int, seed: int) -> dict[str, int]:
    """Write the pictures and `captions.csv`; return how many of each trouble there are."""
    data, pictures = cmh_data.sample(), cmh_data.sample_pictures()
    words = np.array(data.text_vocabulary)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(data))[:items]
    without_caption, without_picture, without_row = (
        set(rng.permutation(items)[: items // share].tolist()) for share in (3, 10, 20)
    )
    folder.mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows):
        name = NAMES[number % len(NAMES)].format(number)
        if number not in without_picture:
            (folder / name).write_bytes(pictures[data.ids[row]])
        caption = "" if number in without_caption else " ".join(words[data.text[row] > 0])
        label = data.label_names[int(data.label[row].argmax())]
        if number not in without_row:
            lines.append({"image": name, "caption": caption, "labels": label})
    cut = min(path for path in folder.iterdir())
    cut.write_bytes(cut.read_bytes()[:300])
    (folder / "notes.jpg").write_text("These are words, no picture.\n", encoding="utf-8")
    (folder / "ATTRIBUTION.md").write_text("Pictures: OpenMoji, CC BY-SA 4.0\n", encoding="utf-8")
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["image", "caption", "labels"])
        writer.writeheader()
        writer.writerows(lines)
    return {
        "rows": len(lines),
        "without a caption": sum(not line["caption"] for line in lines),
        "without a picture": sum(not (folder / line["image"]).exists() for line in lines),
        "pictures without a row": len(without_row - without_picture),
    }


def main() -> None:
    """Read the arguments and make the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = make_folder(arguments.folder, items=arguments.items, seed=arguments.seed)
    print(f"{arguments.folder}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
