"""Feed changed copies of good files to all that reads or rewrites files, and count what becomes of them.

    uv run tools/fuzz.py --inputs 500 [--kind unpair-hdf5] [--seed 1] [--jobs 2] [--keep FOLDER]

The only permitted ends are success and an error of our own: one of our types, or a ValueError that a line of
ours raises. A raw exception or a warning, a crash, more time or memory than allowed, a process that is none
of ours, a file outside the input's folder and a file left behind are failures; their inputs are kept, and the
exit status is 1.

A kind of input is a `Kind`, registered by a file in `tools/fuzz_kinds/`: `make` writes good files into a
folder, `feed` does the work on that folder after one of its files was changed.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import linecache
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
OURS = ("cmh_", "umml_cli")
GOOD = ("success", "refused")
BATCH = 200  # inputs of one worker process, whose memory grows a little with each
WORDS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def change_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Change up to eleven bytes or words, or cut, double or remove a stretch."""
    changed = bytearray(content)
    if not changed:
        return b""
    kind = int(rng.integers(8))
    start = int(rng.integers(len(changed)))
    stop = min(len(changed), start + int(rng.integers(1, 64)))
    if kind == 0:
        del changed[start:]
    elif kind == 1:
        del changed[start:stop]
    elif kind == 2:
        changed[start:start] = changed[start:stop]
    for _ in range(int(rng.integers(kind > 2, 12)) if changed else 0):
        place = int(rng.integers(len(changed)))
        if kind < 5:
            changed[place] = int(rng.integers(256))
        elif kind == 5:
            changed[place] ^= 1 << int(rng.integers(8))
        else:
            size = int(rng.choice([1, 2, 4, 8]))
            word = int(WORDS[rng.integers(len(WORDS))]) % 2 ** (8 * size)
            place -= place % size
            changed[place : place + size] = word.to_bytes(size, "little" if kind == 6 else "big")
    return bytes(changed)


def change_npz(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a member inside and pack it again: check sums stop most changes outside."""
    if rng.integers(4) == 0:
        return change_bytes(content, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = int(rng.integers(len(old.infolist())))
        for place, info in enumerate(old.infolist()):
            data = old.read(info)
            # Most of what can be said wrongly stands in the head of a member.
            head = data.index(b"\n") + 1 if b"\n" in data[:200] else 0
            if place == chosen:
                data = (
                    change_bytes(data[:head], rng) + data[head:]
                    if rng.integers(2)
                    else change_bytes(data, rng)
                )
            new.writestr(info.filename, data)
    return out.getvalue()


def change_json(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one value of a JSON object, or its text."""
    if rng.integers(2):
        return change_bytes(content, rng)
    record = json.loads(content)
    values: list[Any] = [None, True, -1, 0, 10**30, 1e308, "", "x" * 9, [], {}, "AAAA", float("nan")]
    holder = record
    key = list(holder)[int(rng.integers(len(holder)))]
    while isinstance(holder[key], dict) and holder[key] and rng.integers(3):
        holder = holder[key]
        key = list(holder)[int(rng.integers(len(holder)))]
    holder[key] = values[int(rng.integers(len(values)))]
    return json.dumps(record).encode()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of input.

    Args:
        name: as on the command line.
        make: writes good files into an empty folder.
        feed: works on a folder in which one file was changed, as a user's program does.
        quick: the same inside this process, where `feed` starts one of ours for safety; what crashes or
            hangs here is fed again by `feed`, whose end counts.
        files: which files are changed, as a pattern.
        change: changes the bytes of one file.
        outputs: names that `feed` may leave in the folder when it succeeds.
    """

    name: str
    make: Callable[[Path], None]
    feed: Callable[[Path], None]
    quick: Callable[[Path], None] | None = None
    files: str = "*"
    change: Callable[[bytes, np.random.Generator], bytes] = change_bytes
    outputs: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {}
SOURCES: dict[str, str] = {}  # of each kind, the name of the file that registers it


def register(*kinds: Kind) -> None:
    """Add kinds; a name stands for one only."""
    for kind in kinds:
        if kind.name in KINDS:
            raise ValueError(f"the kind {kind.name} is registered twice; give one another name")
        KINDS[kind.name] = kind


def load_kinds(folder: Path = TOOLS / "fuzz_kinds", names: str = "*.py") -> None:
    """Run the files of these names that register kinds."""
    sys.modules.setdefault("fuzz", sys.modules[__name__])  # what these files import
    for path in sorted(folder.glob(names)):
        known = set(KINDS)
        spec = importlib.util.spec_from_file_location(f"fuzz_kinds_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        SOURCES.update(dict.fromkeys(set(KINDS) - known, path.name))


@dataclass(frozen=True)
class Limits:
    """What one input may take."""

    seconds: int = 60
    megabytes: int = 1024


# --- in the worker process ---------------------------------------------------------------------------------


class Guard:
    """Notes processes and files of the work that are none of its business."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.broken: list[str] = []
        sys.addaudithook(self.see)

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an event of the interpreter."""
        if self.folder is None:
            return
        if event in {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"}:
            words = arguments[1] if event == "subprocess.Popen" else arguments
            text = " ".join(map(str, words if isinstance(words, (list, tuple)) else [words]))
            if not (sys.executable in text and ("cmh_files" in text or "probe.py" in text)):
                self.broken.append(f"process: {text[:200]}")
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.see_file(path)
        elif event in {
            "os.remove",
            "os.rename",
            "os.mkdir",
            "os.rmdir",
            "os.link",
            "os.symlink",
            "os.truncate",
        }:
            for path in arguments[:2] if event in {"os.rename", "os.link"} else arguments[:1]:
                self.see_file(path)

    def see_file(self, path: Any) -> None:
        """Complain of a file that is changed outside the folder."""
        if isinstance(path, (str, bytes, os.PathLike)) and self.folder is not None:
            name = os.path.realpath(os.fsdecode(path))
            if name != os.devnull and not name.startswith(str(self.folder) + os.sep):
                self.broken.append(f"file elsewhere: {name[:200]}")


def is_ours(error: BaseException) -> bool:
    """Whether an error is of our own types, or a ValueError that a line of ours raises."""
    if type(error).__module__.startswith(OURS):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    if type(error) is not ValueError or not frames:
        return False
    last = frames[-1]
    ours = any(f"{os.sep}{start}" in last.filename for start in OURS)
    return ours and linecache.getline(last.filename, last.lineno or 0).lstrip().startswith("raise")


def inputs(kind: Kind, good: Path, *, seed: int, numbers: Iterable[int]) -> Iterator[tuple[int, Path, bytes]]:
    """The number, the changed file and its bytes of each input; each depends on seed and number alone."""
    files = sorted(path.relative_to(good) for path in good.rglob(kind.files) if path.is_file())
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        path = files[int(rng.integers(len(files)))]
        yield number, path, kind.change((good / path).read_bytes(), rng)


def verdict_of(
    work: Callable[[Path], None], folder: Path, guard: Guard, outputs: tuple[str, ...]
) -> tuple[str, str]:
    """Do the work once and judge its end."""
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    guard.broken.clear()
    guard.folder = folder
    verdict, text = "success", ""
    try:
        work(folder)
    except Exception as error:  # noqa: BLE001 - all of them are judged
        verdict = "refused" if is_ours(error) else "raw exception"
        text = "".join(traceback.format_exception(error)) if verdict != "refused" else ""
    finally:
        guard.folder = None
    left = {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.relative_to(folder) not in before
    }
    allowed = {name for name in left if verdict == "success" and Path(name).parts[0] in outputs}
    if guard.broken:
        kind, _, text = guard.broken[0].partition(": ")
        return kind, text
    if left - allowed:
        return "leftover", ", ".join(sorted(left - allowed))
    return verdict, text


def work_through(
    kind: Kind, good: Path, seed: int, numbers: range, limits: Limits, *, thorough: bool
) -> None:
    """Feed inputs, and print a line of JSON before and after each."""
    warnings.simplefilter("error")
    guard = Guard()
    limit = (6 << 30) + limits.megabytes * (1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    work = kind.feed if thorough or kind.quick is None else kind.quick
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        scratch = Path(temporary).resolve() / "input"
        for number, path, content in inputs(kind, good, seed=seed, numbers=numbers):
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(good, scratch)
            (scratch / path).write_bytes(content)
            print(json.dumps({"begin": number}), flush=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            verdict, text = verdict_of(work, scratch, guard, kind.outputs)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) >> 10
            if grown > limits.megabytes and verdict in GOOD:
                verdict, text = "memory", f"{grown} MB"
            print(json.dumps({"end": number, "verdict": verdict, "text": text[-3000:]}), flush=True)


# --- in the parent -----------------------------------------------------------------------------------------


@dataclass
class Failure:
    """One input that ended as none may."""

    kind: str
    number: int
    verdict: str
    text: str


def run_worker(
    kind: Kind, good: Path, seed: int, numbers: range, limits: Limits, *, kinds: Path, thorough: bool = False
) -> Iterator[tuple[int, str, str]]:
    """Number, verdict and text of each input, whatever becomes of the workers."""
    first = numbers.start
    while first < numbers.stop:
        command = [
            sys.executable,
            __file__,
            "--worker",
            kind.name,
            "--good",
            good,
            "--seed",
            seed,
            "--kinds",
            kinds,
            "--source",  # a worker that starts anew after each crash imports only what it needs
            SOURCES[kind.name],
        ]
        command += ["--first", first, "--inputs", numbers.stop - first, "--seconds", limits.seconds]
        command += ["--megabytes", limits.megabytes, *(["--thorough"] if thorough else [])]
        environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        current = first - 1
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(
                [*map(str, command)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            ) as worker,
        ):
            alarm = Watchdog(worker, limits.seconds + 5)
            assert worker.stdout is not None
            for line in worker.stdout:
                alarm.rest()
                said = json.loads(line)
                if "begin" in said:
                    current = said["begin"]
                else:
                    yield current, said["verdict"], said["text"]
                    first = current + 1
            alarm.stop()
            worker.wait()
            errors.seek(0)
            complaint = errors.read()[-2000:]
        if first >= numbers.stop:
            return
        if current < first:  # it never came to an input
            raise RuntimeError(f"the worker for {kind.name} cannot start: {complaint}")
        yield current, "hang" if alarm.barked else "crash", f"exit status {worker.returncode} {complaint}"
        first = current + 1


class Watchdog:
    """Ends a process that says nothing for some time."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: int) -> None:
        import threading  # noqa: PLC0415 - the worker process needs none

        self.barked = False
        self._process, self._seconds = process, seconds
        self._latest = time.monotonic()
        self._done = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def rest(self) -> None:
        """Note a sign of life."""
        self._latest = time.monotonic()

    def stop(self) -> None:
        """Watch no longer."""
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            if time.monotonic() - self._latest > self._seconds:
                self.barked = True
                os.killpg(self._process.pid, signal.SIGKILL)
                return


def fuzz(
    kind: Kind, *, seed: int, count: int, limits: Limits, keep: Path, kinds: Path = TOOLS / "fuzz_kinds"
) -> tuple[Counter[str], list[Failure]]:
    """Feed `count` inputs of a kind; count the ends and keep the inputs that ended badly."""
    tally: Counter[str] = Counter()
    failures = []
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{kind.name}-") as temporary:
        good = Path(temporary)
        kind.make(good)
        for start in range(0, count, BATCH):
            numbers = range(start, min(count, start + BATCH))
            for number, first_verdict, first_text in run_worker(
                kind, good, seed, numbers, limits, kinds=kinds
            ):
                verdict, text = first_verdict, first_text
                if verdict not in GOOD and kind.quick is not None:
                    again = range(number, number + 1)
                    ((_, verdict, text),) = run_worker(
                        kind, good, seed, again, limits, kinds=kinds, thorough=True
                    )
                tally[verdict] += 1
                if verdict not in GOOD:
                    failures.append(Failure(kind.name, number, verdict, text))
                    for _, path, content in inputs(kind, good, seed=seed, numbers=[number]):
                        kept = keep / f"{kind.name}-{seed}-{number}"
                        shutil.copytree(good, kept, dirs_exist_ok=True)
                        (kept / path).write_bytes(content)
    return tally, failures


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the kinds asked for and print a table; the exit status says whether all ended well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100, help="of each kind")
    parser.add_argument("--kind", action="append", help="may be given several times; default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=Limits.seconds, help="for one input")
    parser.add_argument(
        "--megabytes", type=int, default=Limits.megabytes, help="by which memory may grow for one input"
    )
    parser.add_argument("--jobs", type=int, default=2, help="kinds at a time")
    parser.add_argument("--keep", type=Path, help="where inputs that end badly are kept")
    parser.add_argument("--list", action="store_true", help="only name the kinds")
    for name in ("--worker", "--good", "--first"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--thorough", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kinds", type=Path, default=TOOLS / "fuzz_kinds", help=argparse.SUPPRESS)
    parser.add_argument("--source", default="*.py", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    load_kinds(options.kinds, options.source)
    limits = Limits(options.seconds, options.megabytes)
    if options.worker:
        numbers = range(int(options.first), int(options.first) + options.inputs)
        kind = KINDS[options.worker]
        work_through(kind, Path(options.good), options.seed, numbers, limits, thorough=options.thorough)
        return 0
    if unknown := set(options.kind or ()) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    if options.list:
        print("\n".join(KINDS))
        return 0
    keep = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-kept-"))
    bad = 0

    def run(name: str) -> tuple[str, Counter[str], list[Failure]]:
        return name, *fuzz(
            KINDS[name],
            seed=options.seed,
            count=options.inputs,
            limits=limits,
            keep=keep,
            kinds=options.kinds,
        )

    print(f"{'kind':<26}{'inputs':>8}{'success':>9}{'refused':>9}  failures")
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, tally, failures in pool.map(run, options.kind or KINDS):
            others = ", ".join(
                f"{verdict} {number}" for verdict, number in tally.items() if verdict not in GOOD
            )
            print(
                f"{name:<26}{tally.total():>8}{tally['success']:>9}{tally['refused']:>9}  {others or 'none'}",
                flush=True,
            )
            for failure in failures[:5]:
                print(
                    f"  {failure.verdict}: input {failure.number}: {failure.text.strip()[-1500:]}", flush=True
                )
            bad += len(failures)
    if bad:
        print(f"{bad} inputs are kept in {keep}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
