"""Latency of `umml serve` under a bounded load from this machine: text queries of several clients at once.

    uv run apps/umml-cli/benchmarks/benchmark_serve.py MODEL --clients 8 --seconds 10

Also what encoding the words and searching the index take by themselves, one query at a time.
"""

from __future__ import annotations

import argparse
import http.client
import re
import subprocess
import sys
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import quote

import numpy as np
from cmh_train import find_model, load_model
from umml_cli.search.open_searcher import open_searcher

WORDS = (
    "cat",
    "dog animal",
    "boat sea",
    "red fruit food",
    "face smile",
    "flag",
    "music",
    "house tree",
    "hand",
    "sun",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    texts = load_model(find_model(arguments.model)).description.encoders.get("text", {})
    print(f"words are read by {texts.get('name', 'nothing')}")
    alone(arguments.model)
    umml = Path(sys.executable).with_name("umml")
    server = subprocess.Popen(
        [umml, "serve", arguments.model, "--port", "0", "--max-requests", "1000000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = int(re.search(r":(\d+) ", server.stdout.readline()).group(1))
        loaded(port, arguments.clients, arguments.seconds)
    finally:
        server.terminate()
        server.communicate()


def alone(model: Path) -> None:
    """Time encoding and searching without a server."""
    searcher = open_searcher(model)
    times = {"encoding the words": [], "searching the index": []}
    for words in islice(cycle(WORDS), 60):
        started = time.perf_counter()
        query = searcher.words(words)
        encoded = time.perf_counter()
        searcher.search(query, k=24)
        times["encoding the words"].append(encoded - started)
        times["searching the index"].append(time.perf_counter() - encoded)
    for name, values in times.items():
        print(f"{name}: p50 {1000 * np.median(values[10:]):.2f} ms")


def loaded(port: int, clients: int, seconds: float) -> None:
    """Ask the server from several threads until the time is over."""
    times, failed = [], []
    begin = time.perf_counter()
    end = begin + seconds

    def ask(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for words in islice(cycle(WORDS), first, None):
            started = time.perf_counter()
            if started > end:
                break
            connection.request("GET", f"/api/search?words={quote(words)}")
            response = connection.getresponse()
            response.read()
            (times if response.status == http.client.OK else failed).append(time.perf_counter() - started)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p95 = np.quantile(times, [0.5, 0.95])
    rate = len(times) / (time.perf_counter() - begin)
    print(f"{clients} clients, {len(times)} answers, {len(failed)} refused: {rate:.0f} requests/s")
    print(f"p50 {1000 * p50:.1f} ms, p95 {1000 * p95:.1f} ms")


if __name__ == "__main__":
    main()
