"""Every command of README.md and docs/ runs as written, in a clone, one document after another.

`uv run` finds the clone's workspace and takes the environment of these tests; nothing is fetched. A command
that would take long, or needs what a test has not, is replaced below, with the reason.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from documents import documents

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "apps" / "umml-cli" / "README.md",
    *documents(),
]
PROGRAMS = ("cd ", "git ", "pip ", "python ", "umml ", "uv ", "uvx ")

PAPER = "umml reproduce all --data mirflickr25k=mir.h5 --data nuswide-tc21=nus.h5 --seeds 3"
RESULTS = (
    "umml reproduce table3 table4 table5 table6 table7 figure5 figure6 figure7 figure9 "
    "--data wikipedia=wikipedia.npz --data webnews=webnews.npz --seeds 3 --evaluate-every 10"
)
PAPER_DATA = "--data mirflickr25k=mir.h5 --data nuswide-tc21=nus.h5"
CLUSTER = (
    "umml reproduce all --executor ray:10.0.0.5:6379 --device cuda --gpus-per-run 0.5 --out /shared/paper"
)
SHARDS = "umml evaluate --query-codes q.npy --query-labels ql.npy --shards shards.toml"
TUTORIAL = "uv run umml train emoji --preset small --epochs 10 --bits 64"
TRAININGS = ("--out paired", "--unpaired-images 60 --out ui60", "--discard 60 --out sd60")
GPU = "umml train data.npz --preset small --device cuda --precision bf16"
CPU = "uv pip install --torch-backend cpu --editable apps/umml-cli"
COMPLETION = (
    "uv run umml reproduce docs/completion.toml --data wikipedia=wikipedia.npz --data webnews=webnews.npz "
    "--data emoji --methods agah,jdsh --complete auto"
)
RANKED_DATA = "--data wikipedia=wikipedia.npz --data webnews=webnews.npz"
RANKED = f"uv run umml reproduce docs/ranked-selection.toml {RANKED_DATA}"
FIDELITY = "uv run --with scipy python tools/fidelity.py SHARED OUT"
UNPAIRED = "uv run --with scipy python tools/fidelity_unpaired.py SHARED OUT"
DEBS = "--from debs --image-encoder grey-pixels"
DEP11 = "--from dep11 --image-encoder efficientnet-lite0"
ENCODE = "uv run umml features photos photos.h5 --image-encoder efficientnet-lite0 --text-encoder minilm"
GAPS = "uv run umml train photos.h5 --method dadh --preset small --bits 64 --seed 1"
SMALL = "--set batch_size=16 --epochs 2"
# As written -> (what runs in its place, why).
INSTEAD = {
    **{f"{TUTORIAL} {rest}": (f"{TUTORIAL} {rest} --epochs 1", "half a minute") for rest in TRAININGS},
    GPU: ("umml train --help", "needs a GPU"),
    f"{CLUSTER} {PAPER_DATA}": ("true", "needs a cluster: test_ray has one"),
    "pip install uv": ("uv --version", "it is here, and tests fetch nothing"),
    "uv run umml quickstart": ("uv run umml quickstart --help", "minutes: as written in the slow test below"),
    "umml quickstart": ("umml quickstart --help", "as above"),
    "uv run --no-sync umml quickstart": ("uv run --no-sync umml quickstart --help", "as above"),
    "uv venv": ("uv venv elsewhere", "the environment of these tests stands in its place"),
    CPU: ("uv pip install --torch-backend cpu --help", "PyTorch's own index is elsewhere"),
    "uv pip install ./packages/cmh-unpair": ("true", "fetches NumPy: as written in the slow test below"),
    "uv pip install ./apps/umml-cli": (
        "true",
        "fetches PyTorch: `uv run nox -s rehearsal` installs its wheel",
    ),
    "uv pip install umml-cli": ("true", "on no index yet"),
    "uv run nox": ("uv run nox --list", "that is what runs this test"),
    "umml evaluate runs/0123456789abcdef": ("umml evaluate runs/*", "the run's name is not known before"),
    "umml reproduce table3 --data emoji": ("umml reproduce table3 --data emoji --plan", "hours"),
    "umml report umml-reproduce": ("umml report --help", "nothing was trained above"),
    "umml runs list": ("umml runs --help", "as above"),
    "uv run tools/fuzz.py --inputs 500 --kind unpair-hdf5 --kind plan": (
        "uv run tools/fuzz.py --inputs 2 --kind unpair-hdf5 --kind plan",
        "minutes on a busy machine",
    ),
    COMPLETION: (f"{COMPLETION} --plan", "an hour"),
    "uv run python apps/umml-cli/benchmarks/benchmark_gaps_of_runs.py umml-reproduce --cell paired": (
        "uv run python apps/umml-cli/benchmarks/benchmark_gaps_of_runs.py --help",
        "nothing was trained above",
    ),
    f"{RANKED} --data emoji --out ranked": (f"{RANKED} --plan", "an hour"),
    (
        "uv run umml reproduce docs/completion-margin.toml --data emoji --data wikipedia=wikipedia.npz "
        "--validation 20"
    ): (
        "uv run umml reproduce docs/completion-margin.toml --data emoji --validation 20 --plan",
        "minutes",
    ),
    (
        "uv run umml reproduce docs/completion-reference.toml --data emoji --data wikipedia=wikipedia.npz "
        "--validation 20"
    ): (
        "uv run umml reproduce docs/completion-reference.toml --data emoji --validation 20 --plan",
        "minutes",
    ),
    (
        "uv run umml reproduce docs/completion-neighbours.toml --data emoji --data wikipedia=wikipedia.npz "
        "--validation 20"
    ): (
        "uv run umml reproduce docs/completion-neighbours.toml --data emoji --validation 20 --plan",
        "minutes",
    ),
    "uv run umml reproduce table3 --data mine=mine.npz --complete auto": (
        "uv run umml reproduce table3 --data mine=mine.npz --complete auto --plan",
        "hours",
    ),
    f"{PAPER} --device cuda": (f"{PAPER} --plan", "a day on a GPU"),
    "umml reproduce my-grid.toml --data emoji": ("true", "the reader's own grid: test_reproduce has some"),
    "pip install 'umml-cli[ray]'": ("true", "on no index yet"),
    f"{CLUSTER} ...": ("true", "needs a cluster: test_ray has one"),
    "pip install 'umml-cli[ray]' h5py": ("true", "on no index yet"),
    f"{SHARDS} --executor ray:10.0.0.5:6379": (SHARDS, "needs a cluster: test_ray has one"),
    f"umml data build hanzi {DEBS} --protocol hanzi --out hanzi.h5": (
        "true",
        "test_debian has small packages",
    ),
    f"umml data build debian-apps {DEP11} --protocol debian-apps --out debian-apps.h5": ("true", "as above"),
    "uv run tools/folder_with_gaps.py photos --items 600": (
        "uv run tools/folder_with_gaps.py photos --items 60",
        "minutes",
    ),
    f"{ENCODE} --queries 100": (ENCODE, "60 items"),
    f"{GAPS} --out kept": (f"{GAPS} --out kept {SMALL}", "60 items"),
    f"{GAPS} --discard-incomplete --out discarded": (
        f"{GAPS} --discard-incomplete --out discarded {SMALL}",
        "60 items",
    ),
    "uv run python apps/umml-cli/benchmarks/benchmark_gaps.py models emoji": (
        "uv run python apps/umml-cli/benchmarks/benchmark_gaps.py --help",
        "minutes",
    ),
    "uv run umml serve models": ("uv run umml serve --help", "goes on until Ctrl-C: test_serve ends one"),
    FIDELITY: ("uv run python -m py_compile tools/fidelity.py", "hours, on shared data"),
    "uv run python tools/yardsticks.py SHARED METHOD": (
        "uv run python tools/yardsticks.py --help",
        "an hour, on shared data",
    ),
    f"{UNPAIRED} --seeds 12": ("uv run python -m py_compile tools/fidelity_unpaired.py", "as above"),
    RESULTS: (f"{RESULTS} --plan", "hours"),
}


BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """Return the fenced blocks of a document that a shell could run."""
    return [block for language, block in BLOCK.findall(text) if language in {"", "sh", "bash"}]


def commands(text):
    """Return the commands of a document's fenced blocks, without comments and in one line each."""
    found = []
    for block in blocks(text):
        if block.startswith("$ "):  # a transcript: tools/describe_layouts.py runs those and writes them down
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command = " ".join(re.sub(r"\s#.*$", "", line).split())
            if command.startswith(PROGRAMS):
                found.append(command)
    return found


def make_file(path, *, n=300, d_image=12, d_text=8):
    rng = np.random.default_rng(0)
    labels = np.eye(4, dtype=np.uint8)[rng.integers(4, size=n)]
    image, text = (
        (labels @ rng.normal(size=(4, d)) + rng.normal(size=(n, d))).astype(np.float32)
        for d in (d_image, d_text)
    )
    arrays = {
        "image": image,
        "text": text,
        "labels": labels,
        "query": np.arange(10),
        "train": np.arange(10, n),
    }
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file[key] = values
    elif path.suffix == ".npy":
        values = image[:10] if path.stem.startswith("q") else image[10:]
        chosen = (
            (labels[:10] if path.stem == "ql" else labels[10:]) if path.stem.endswith("l") else values > 0
        )
        np.save(path, chosen)
    else:
        np.savez(path, **arrays)


def installed_here():
    command = ["uv", "pip", "list", "--quiet", "--format=freeze", "--python", sys.executable]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split("==")[0] for line in listed.splitlines()}


@pytest.fixture
def run(tmp_path):
    """Run a command as a user of a clone does, with the files that the documents speak of."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
        "UV_OFFLINE": "1",
        "URL": str(ROOT),
        "COLUMNS": "200",
    }
    environment["VIRTUAL_ENV"] = sys.prefix

    def clone():
        subprocess.run(["git", "clone", "-q", ROOT, "umml"], cwd=tmp_path, check=True)  # noqa: S607
        return prepare(tmp_path / "umml")

    def prepare(folder):
        for name in ("mine.npz", "data.npz", "wikipedia.npz", "webnews.npz", "mir.h5", "nus.h5"):
            make_file(folder / name)
        for name in ("q.npy", "d.npy", "ql.npy", "dl.npy"):
            make_file(folder / name)
        codes, labels = np.load(folder / "d.npy"), np.load(folder / "dl.npy")
        for number, rows in enumerate((slice(0, 200), slice(200, None))):
            np.savez(folder / f"part-{number}.npz", codes=codes[rows], labels=labels[rows])
        (folder / "shards.toml").write_text(
            "".join(
                f'[[shard]]\ncodes = "part-{number}.npz:codes"\nlabels = "part-{number}.npz:labels"\n'
                for number in range(2)
            )
        )
        return folder

    def execute(command, folder, *, offline=True):
        chosen = environment if offline else {k: v for k, v in environment.items() if not k.startswith("UV_")}
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            cwd=folder,
            env=chosen,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    execute.clone, execute.prepare = clone, prepare
    before = installed_here()
    yield execute
    if new := sorted(installed_here() - before):  # what a document's `uv pip install` brought
        subprocess.run(["uv", "pip", "uninstall", "-q", "--python", sys.executable, *new], check=True)  # noqa: S607


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_runs_as_written(document, run, tmp_path):
    listed = commands(document.read_text("utf-8"))
    folder = tmp_path if "cd umml" in listed else None
    for command in listed:
        if command == "cd umml":
            folder = run.prepare(tmp_path / "umml")
        else:
            folder = folder or run.clone()
            run(INSTEAD.get(command, (command,))[0], folder)


def test_a_command_that_does_not_run_is_caught(run, tmp_path):
    with pytest.raises(AssertionError, match="umml evaluate --defintion all"):
        run("umml evaluate --defintion all", tmp_path)


def test_no_replacement_outlives_its_command():
    written = {command for document in DOCUMENTS for command in commands(document.read_text("utf-8"))}
    assert INSTEAD.keys() <= written


def test_a_block_holds_commands_only_or_none():
    for document in DOCUMENTS:
        for block in blocks(document.read_text("utf-8")):
            lines = [
                line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("$ ")
            ]
            starts = {line.startswith(PROGRAMS) for line in lines}
            assert block.startswith("$ ") or len(starts) == 1, f"{document.name}:\n{block}"


def test_commands_named_in_passing_exist(umml):
    """`umml data inspect --x` in a sentence: the command and its options are known to help."""
    helps = {}
    for document in DOCUMENTS:
        for quoted in re.findall(r"`(?:uv run )?umml ([^`]+)`", document.read_text("utf-8")):
            words = quoted.split()
            path = []
            for word in words:
                if not re.fullmatch(r"[a-z][a-z-]*", word) or len(path) == 2:
                    break
                known = helps.setdefault(tuple(path), umml(*path, "--help").stdout)
                if not re.search(rf"^\W*{word}\s", known, re.MULTILINE):
                    break
                path.append(word)
            assert path or words[0].startswith("-"), f"{document.name}: umml {quoted}"
            text = helps.setdefault(tuple(path), umml(*path, "--help").stdout)
            for option in re.findall(r"--[a-z][a-z-]*", quoted):
                assert option in text, f"{document.name}: umml {quoted}"


@pytest.mark.slow
def test_the_quickstart_runs_as_written(run):
    folder = run.clone()
    assert "umml-quickstart/report.html" in run("uv run umml quickstart", folder)
    assert (folder / "umml-quickstart" / "report.html").stat().st_size > 50_000


@pytest.mark.slow
def test_one_package_installs_alone_from_the_clone(run):
    """Fetches NumPy, h5py and pydantic, so the default session leaves it out."""
    folder = run.clone()
    run("uv venv .venv", folder, offline=False)
    run("uv pip install ./packages/cmh-unpair", folder, offline=False)
    no_torch = (
        "from importlib.util import find_spec; assert find_spec('cmh_unpair') and not find_spec('torch')"
    )
    run(f'.venv/bin/python -c "{no_torch}"', folder)
    run("uv build --all-packages --wheel", folder)
    run("uv venv --seed --clear .venv", folder, offline=False)
    run(".venv/bin/python -m pip install --find-links dist cmh-unpair", folder, offline=False)
    run(".venv/bin/python -c 'import cmh_unpair'", folder)
