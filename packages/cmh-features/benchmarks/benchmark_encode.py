"""How fast items are encoded, against the bare network and against a plain loop, and with fewer bits.

    python benchmarks/benchmark_encode.py --images 2000 --texts 100000 --csv results.csv

Images: JPEG files of eight sizes through efficientnet-lite0, from the files to the features in a file. "bare
network" is given as many batches that lie in memory ready; "plain loop" opens, resizes and embeds one image
after the other, of a tenth of them. Texts: 3 to 12 words through minilm; "plain loop" encodes one text after
the other, of a hundredth of them. All ways have the same threads of torch and take turns; what goes before
warms up the network; the quantiles are over the turns. "bfloat16" and, of minilm, "int8" (torch's dynamic
quantization of the linear layers) are the same networks with fewer bits, on batches in memory; "cosine" is
the smallest to float32. Seconds are per item.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_features import load_encoder
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cmh_features import Encoder

SIZES = (
    (320, 240), (640, 480), (1024, 768), (500, 375), (1600, 1200), (2400, 1600), (375, 500), (3000, 2000),
)  # fmt: skip
WORDS = (
    "a", "the", "red", "blue", "small", "old", "boat", "dog", "sea", "tree", "girl", "street", "runs", "sits",
    "near", "under", "two", "market", "lamp",
)  # fmt: skip
MEASURED: list[dict[str, object]] = []


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


def compare(
    case: str,
    ways: Mapping[str, tuple[int, Callable[[], object]]],
    *,
    repeat: int,
    baseline: str,
    details: Mapping[str, dict[str, object]],
) -> None:
    """Time ways in turn and print each; a way is how many items it takes, and what it does.

    Args:
        case: what is compared.
        ways: by name.
        repeat: turns.
        baseline: the way whose median, over that of another, is the other's ratio.
        details: more about each way.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeat):
        for name, (items, way) in ways.items():
            begun = time.perf_counter()
            way()
            seconds[name].append((time.perf_counter() - begun) / items)
    middle = {name: float(np.median(found)) for name, found in seconds.items()}
    for name, found in seconds.items():
        p20, p50, p80 = (round(float(value), 7) for value in np.quantile(found, [0.2, 0.5, 0.8]))
        ratio = round(middle[baseline] / middle[name], 3)
        more = {"items": ways[name][0], **details.get(name, {})}
        MEASURED.append({
            "benchmark": "encode", "case": case, "way": name, "device": "cpu",
            "threads": torch.get_num_threads(), "p20_s": p20, "p50_s": p50, "p80_s": p80, "ratio": ratio,
            "details": more,
        })  # fmt: skip
        said = ", ".join(f"{key} {value}" for key, value in more.items())
        print(f"{case:18} {name:23} {1 / p50:9.1f} a second, {ratio:6.3f} x {baseline} ({said})")


def measure_images(count: int, repeat: int, folder: Path) -> None:
    encoder = load_encoder("efficientnet-lite0", device="cpu", precision="float32")
    half = load_encoder("efficientnet-lite0", device="cpu", precision="bfloat16")
    paths = write_images(folder, count)
    size = encoder.batch_size
    some = encoder.encode_images(paths[: 2 * size]).features  # the unmeasured turn
    prepared = [encoder.prepare_image(Image.open(path).convert("RGB")) for path in paths[:size]]
    ready = np.stack(prepared)
    part = paths[: max(1, count // 10)]

    def bare() -> None:
        for start in range(0, count, size):
            encoder.embed_images(ready[: min(size, count - start)])

    def whole(encoder: Encoder) -> None:
        (folder / "features.npy").unlink(missing_ok=True)
        (folder / "features.json").unlink(missing_ok=True)
        encoder.encode_images(paths, out=folder / "features.npy")

    def plain() -> None:
        for path in part:
            encoder.embed_images(encoder.prepare_image(Image.open(path).convert("RGB"))[None])

    compare(
        "images, lite0",
        {
            "bare network": (count, bare),
            "encode_images": (count, lambda: whole(encoder)),
            "encode_images, bfloat16": (count, lambda: whole(half)),
            "plain loop": (len(part), plain),
        },
        repeat=repeat,
        baseline="plain loop",
        details={},
    )
    compare(
        "images in memory",
        {
            "float32": (len(ready), lambda: encoder.embed_images(ready)),
            "bfloat16": (len(ready), lambda: half.embed_images(ready)),
        },
        repeat=3 * repeat,
        baseline="float32",
        details={"bfloat16": {"cosine": least_cosine(some[: len(ready)], half.embed_images(ready))}},
    )


def measure_texts(count: int, repeat: int, folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS, rng.integers(3, 13))) for _ in range(count)]
    part = lines[: max(1, count // 100)]
    encoder = load_encoder("minilm", device="cpu", precision="float32")
    half = load_encoder("minilm", device="cpu", precision="bfloat16")
    quantized = with_int8(encoder)
    batch = [encoder.prepare_text(line) for line in lines[: encoder.batch_size]]
    exact = encoder.embed_texts(batch)  # the unmeasured turn

    def whole() -> None:
        (folder / "texts.npy").unlink(missing_ok=True)
        (folder / "texts.json").unlink(missing_ok=True)
        encoder.encode_texts(lines, out=folder / "texts.npy")

    def plain() -> None:
        for line in part:
            encoder.embed_texts([encoder.prepare_text(line)])

    compare(
        "texts, minilm",
        {"encode_texts": (count, whole), "plain loop": (len(part), plain)},
        repeat=repeat,
        baseline="plain loop",
        details={},
    )
    compare(
        "texts in memory",
        {
            "float32": (len(batch), lambda: encoder.embed_texts(batch)),
            "bfloat16": (len(batch), lambda: half.embed_texts(batch)),
            "int8": (len(batch), lambda: quantized.embed_texts(batch)),
        },
        repeat=3 * repeat,
        baseline="float32",
        details={
            "bfloat16": {"cosine": least_cosine(exact, half.embed_texts(batch))},
            "int8": {"cosine": least_cosine(exact, quantized.embed_texts(batch))},
        },
    )


def with_int8(encoder: Encoder) -> Encoder:
    """The same encoder with linear layers whose weights have 8 bits."""
    quantized = copy.deepcopy(encoder)
    network = vars(quantized)["_network"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move it elsewhere
        network.module = torch.ao.quantization.quantize_dynamic(
            network.module, {torch.nn.Linear}, torch.qint8
        )
    return quantized


def least_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The smallest cosine of rows."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return round(float(((one * other).sum(axis=1) / lengths).min()), 5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--threads", type=int, help="of torch; default its own choice")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="append the results here")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as name:
        if arguments.images:
            measure_images(arguments.images, arguments.repeat, Path(name))
        if arguments.texts:
            measure_texts(arguments.texts, arguments.repeat, Path(name))
    if arguments.csv is not None:
        append(MEASURED, arguments.csv)


if __name__ == "__main__":
    main()
