"""How fast items are encoded, against the bare network and against a plain loop.

    python benchmarks/benchmark_encode.py [--count 2000] [--texts 100000] [--threads N] [--repeat 3]

Images: JPEG files of mixed sizes through efficientnet-lite0. "bare network": as many batches, ready in
memory, on the same threads of torch; "plain loop": open, resize and embed one image after the other. Texts:
short ones through minilm, against one call of the network a text; its loop takes a twentieth of the texts.
Each way runs once unmeasured; medians of the repeats, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_features import load_encoder
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [
    (320, 240),
    (640, 480),
    (1024, 768),
    (500, 375),
    (1600, 1200),
    (2400, 1600),
    (375, 500),
    (3000, 2000),
]
WORDS = [
    "a",
    "the",
    "red",
    "blue",
    "small",
    "old",
    "boat",
    "dog",
    "sea",
    "tree",
    "girl",
    "street",
    "runs",
    "sits",
    "near",
    "under",
    "two",
    "market",
    "lamp",
]


def write_images(folder: Path, count: int) -> list[str]:
    """JPEG files of smooth noise, which compress about as photographs do."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(str(path))
    return paths


def time_in_turn(ways: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Median seconds of each way."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeat + 1):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(found) for name, found in seconds.items()}


def time_images(count: int, repeat: int) -> None:
    encoder = load_encoder("efficientnet-lite0", device="cpu", precision="float32")
    half = load_encoder("efficientnet-lite0", device="cpu", precision="bfloat16")
    size = encoder.batch_size
    ready = np.zeros((size, 3, encoder.image_size, encoder.image_size), np.float32)

    def bare() -> None:
        for start in range(0, count, size):
            encoder.embed_images(ready[: min(size, count - start)])

    def plain() -> None:
        for path in paths:
            encoder.embed_images(encoder.prepare_image(Image.open(path).convert("RGB"))[None])

    with tempfile.TemporaryDirectory() as name:
        paths = write_images(Path(name), count)
        ways = {
            "bare network": bare,
            "encode_images": lambda: encoder.encode_images(paths),
            "plain loop": plain,
        }
        report("images", count, time_in_turn(ways, repeat))
    ways = {"float32": lambda: encoder.embed_images(ready), "bfloat16": lambda: half.embed_images(ready)}
    report("images, one batch", size, time_in_turn(ways, repeat))


def time_texts(count: int, repeat: int) -> None:
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS, rng.integers(3, 13))) for _ in range(count)]
    part = lines[: max(1, count // 20)]
    encoder = load_encoder("minilm", device="cpu", precision="float32")
    half = load_encoder("minilm", device="cpu", precision="bfloat16")

    def plain() -> None:
        for line in part:
            encoder.embed_texts([encoder.prepare_text(line)])

    report("texts", count, time_in_turn({"encode_texts": lambda: encoder.encode_texts(lines)}, repeat))
    ways = {"plain loop": plain, "bfloat16": lambda: half.encode_texts(part)}
    report("texts, a twentieth", len(part), time_in_turn(ways, repeat))


def report(what: str, count: int, seconds: dict[str, float]) -> None:
    for name, found in seconds.items():
        print(f"{what:20} {name:16} {count / found:10.1f} a second  {1000 * found / count:8.2f} ms each")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000, help="images")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--threads", type=int, help="of torch; default its own choice")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    time_images(arguments.count, arguments.repeat)
    time_texts(arguments.texts, arguments.repeat)


if __name__ == "__main__":
    main()
