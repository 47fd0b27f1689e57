"""Every check of this repository. `uv run nox` runs the default ones; `uv run nox --list` shows all.

A folder under `packages/` or `apps/` is found by itself; nothing here names a package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tools"))
from affected import package_folders, workspace_needs  # noqa: E402 - found by the line above

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PACKAGES = package_folders(ROOT)

nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
# The default stays under fifteen minutes on two cores; the rest is the matrix of CI.
DEFAULT = [
    "integration",
    "types",
    *(f"tests-{PYTHONS[0]}(package='{name}')" for name in PACKAGES),
    "tools",
    "lint",
    "workflows",
    "lock",
]
nox.options.sessions = ["check"]
# Without bytecode files every process compiles torch anew, about ten seconds each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if shutil.which("pyenv"):  # its shims run the selected versions only: select all, the current one first
    listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True)  # noqa: S607
    selected = filter(None, os.environ.get("PYENV_VERSION", "").split(":"))
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*selected, *reversed(listed.stdout.split())]))


def read_project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def sync(session: nox.Session, *arguments: str) -> None:
    """Make the session's environment hold exactly what `arguments` ask for, from the workspace's lock."""
    location = session.virtualenv.location
    session.run_install(
        "uv", "sync", "--quiet", "--no-default-groups", f"--python={location}", *arguments,
        env={"UV_PROJECT_ENVIRONMENT": location},
    )  # fmt: skip


def build(session: nox.Session, *packages: str) -> Path:
    """Build the wheels of `packages`, without any of all of them, into an empty folder and return it."""
    folder = Path(session.create_tmp()) / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    for what in [["--package", package] for package in packages] or [["--all-packages"]]:
        session.run("uv", "build", "--quiet", "--wheel", *what, "--out-dir", str(folder), external=True)
    return folder


@nox.session(python=False)
def check(session: nox.Session) -> None:
    """Every default check, two at a time: lint, types, each package's tests, whole commands, pins."""
    # One thread each, for what runs beside; and no two of them resolve the workspace at once.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    session.run("uv", "lock", "--quiet", external=True)

    def run(name: str) -> tuple[str, subprocess.CompletedProcess, float]:
        start = time.monotonic()
        command = [sys.executable, "-m", "nox", "--noxfile", __file__, "--session", name]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return name, done, time.monotonic() - start

    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for finished in as_completed([pool.submit(run, name) for name in DEFAULT]):
            name, done, seconds = finished.result()
            session.log(f"{name}: {'FAILED' if done.returncode else 'green'}, {seconds:.0f} s")
            if done.returncode:
                failed.append(name)
                print(done.stdout, flush=True)
    if failed:
        session.error(f'{", ".join(failed)}; alone: nox -s "{failed[0]}"')


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Ruff, docstrings, news, the import contracts, and declared dependencies against imports."""
    sync(session, "--only-group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    libraries = [name for name, folder in PACKAGES.items() if folder.parent.name == "packages"]
    session.run("python", "tools/check_docstrings.py", *(name.replace("-", "_") for name in libraries))
    session.run("python", "tools/check_news.py")
    session.run("python", "tools/api.py")
    sources = os.pathsep.join(str(folder / "src") for folder in PACKAGES.values())
    session.run("lint-imports", env={"PYTHONPATH": sources})
    for folder in PACKAGES.values():
        with session.chdir(folder):
            session.run("deptry", "--no-ansi", "src", silent=True)


@nox.session(python=PYTHONS[0])
def workflows(session: nox.Session) -> None:
    """Linters of workflows, shell scripts and the container, offline."""
    sync(session, "--only-group", "workflows")
    session.run("actionlint")
    session.run("zizmor", "--offline", "--quiet", "--persona=pedantic", ".github")
    session.run("shellcheck", ".ci/run", "containers/install.sh")
    session.run("hadolint", "containers/Containerfile")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Mypy, strict, over each package's sources."""
    sync(session, "--all-packages", "--all-extras", "--group", "types")
    session.run("mypy", *(str(folder / "src") for folder in PACKAGES.values()))  # at once: torch is read once


@nox.session(python=PYTHONS)
@nox.parametrize("package", list(PACKAGES))
def tests(session: nox.Session, package: str) -> None:
    """One package's tests beside its own dependencies only; group `test-X` is for `tests/test_X.py`."""
    folder = PACKAGES[package]
    sync(session, "--package", package, "--group", "test")
    session.run("pytest", str(folder), *session.posargs)
    for group in read_project(folder)["dependency-groups"]:
        if group.startswith("test-"):
            sync(session, "--package", package, "--group", group)
            session.run("pytest", str(folder / "tests" / f"test_{group.removeprefix('test-')}.py"))


@nox.session(python=PYTHONS[0])
@nox.parametrize("package", list(PACKAGES))
def minimum(session: nox.Session, package: str) -> None:
    """One package's tests with the lowest versions that it declares."""
    editable = [argument for name in workspace_needs(package) for argument in ("-e", str(PACKAGES[name]))]
    group = f"{PACKAGES[package]}/pyproject.toml:test"
    # Without the pins of pyproject.toml, which `uv pip` obeys too.
    session.install("--no-config", "--resolution", "lowest-direct", *editable, "--group", group)
    session.run("python", "tools/check_minimum.py", str(PACKAGES[package]))
    session.run("pytest", str(PACKAGES[package]))


@nox.session(python=PYTHONS)
@nox.parametrize("package", list(PACKAGES))
def wheel(session: nox.Session, package: str) -> None:
    """One package's tests against its built wheel, outside the tree."""
    wheels = build(session, *workspace_needs(package))
    session.run("python", "tools/check_wheel.py", str(wheels))
    session.install(
        "--reinstall-package",
        package,
        *map(str, wheels.glob("*.whl")),
        "--group",
        f"{PACKAGES[package]}/pyproject.toml:test",
    )
    outside = Path(session.create_tmp()) / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    shutil.copytree(PACKAGES[package] / "tests", outside / "tests")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PACKAGES[package] / name, outside)
    shared = ROOT.parent / "shared"
    with session.chdir(outside):
        session.run("pytest", env={"UMML_SHARED": str(shared)} if shared.is_dir() else {})


@nox.session(python=PYTHONS[0])
def integration(session: nox.Session) -> None:
    """The packages together: whole commands of the app."""
    sync(session, "--package", "umml-integration-tests", "--group", "test")
    session.run("pytest", "tests/integration", *session.posargs)


@nox.session(python=PYTHONS[0])
def tools(session: nox.Session) -> None:
    """The repository's own tools, and what every package must have."""
    sync(session, "--package", "umml-integration-tests", "--group", "test")
    session.run("pytest", "tests/tools", *session.posargs)


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """The documentation as a site, docs/_build/html, its notebook run, its examples tested."""
    sync(session, "--package", "umml-integration-tests", "--group", "test", "--group", "docs")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "docs", "docs/_build/html")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session(python=PYTHONS[0])
def ray(session: nox.Session) -> None:
    """The Ray executor: a node of a local cluster dies in mid-grid."""
    sync(session, "--package", "umml-integration-tests", "--group", "test", "--group", "ray")
    session.run("pytest", "tests/integration/test_ray.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def browser(session: nox.Session) -> None:
    """The page of `umml serve` and the report in a headless Chromium or Chrome that is on the machine."""
    sync(session, "--package", "umml-integration-tests", "--group", "test", "--group", "browser")
    pages = [f"tests/integration/test_{page}.py" for page in ("serve", "report")]
    session.run("pytest", *pages, *session.posargs, env={"UMML_BROWSER": "1"})


@nox.session(python=PYTHONS[0])
def engines(session: nox.Session) -> None:
    """Round trips of exported codes through the real engines: faiss, PostgreSQL, Milvus, SQLite, Lance."""
    sync(session, "--package", "cmh-search", "--group", "engines")
    tests = PACKAGES["cmh-search"] / "tests" / "test_engines.py"
    session.run("pytest", str(tests), *session.posargs, env={"CMH_SEARCH_ENGINES": "1"})


@nox.session(python=PYTHONS[0])
def benchmarks(session: nox.Session) -> None:
    """Every benchmark small: which ratio moved since it was recorded on this processor. Never a verdict."""
    sync(session, "--all-packages", "--all-extras", "--group", "dev")
    session.run("python", "tools/benchmarks.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lock(session: nox.Session) -> None:
    """Say whether declarations and pins agree; `-- --write` makes them, `-- --newer` lists newer versions."""
    sync(session, "--only-group", "dev")  # packaging comes with nox
    session.run("python", "tools/lock.py", *session.posargs)


@nox.session(name="build", python=PYTHONS[0])
def build_all(session: nox.Session) -> None:
    """Build every package's sdist and wheel into dist/ and check what is in them."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--all-packages", "--out-dir", "dist", external=True)
    session.run("python", "tools/check_wheel.py", "dist")


@nox.session(python=PYTHONS)
def rehearsal(session: nox.Session) -> None:
    """Install each built package alone from a local index and run its README; `-- cmh-data` for one."""
    packages = session.posargs or list(PACKAGES)
    session.run("python", "tools/rehearse.py", str(build(session)), *packages)


@nox.session(python=PYTHONS[0])
def footprint(session: nox.Session) -> None:
    """Distributions, megabytes and import time of each package alone, into docs/footprint.md."""
    packages = session.posargs or list(PACKAGES)
    session.run("python", "tools/footprint.py", str(build(session)), *packages)


@nox.session(python=PYTHONS[0])
def release(session: nox.Session) -> None:
    """Prepare a release: `-- cmh-metrics minor` sets version, changelog, bounds, API; shows the diff."""
    sync(session, "--only-group", "release")
    session.run("python", "tools/prepare_release.py", *session.posargs)
