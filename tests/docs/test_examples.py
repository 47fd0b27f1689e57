"""The Python in docs/ runs: ```python blocks one after another, ```pycon blocks with what they print."""

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import documents

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = documents()
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UMML = Path(sys.executable).with_name("umml")


def examples(path):
    return BLOCK.findall(path.read_text("utf-8"))


def run_examples(text, name):
    """Run a page's blocks in one namespace; a failure names the page."""
    names = {"__name__": "example"}
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            exec(compile(block, name, "exec"), names)  # noqa: S102 - our own documentation
        else:
            parsed = doctest.DocTestParser().get_doctest(block, names, name, name, 0)
            runner = doctest.DocTestRunner()
            said = []
            runner.run(parsed, out=said.append, clear_globs=False)
            names |= parsed.globs
            assert runner.failures == 0, "".join(said)


def umml(*arguments):
    command = [UMML, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def train_in(folder):
    """Train for an epoch and return the run."""
    umml("train", "emoji", "--preset", "small", "--epochs", "1", "--bits", "16", "--out", folder)
    (result,) = Path(folder).glob("*/result.json")
    return result.parent


def prepare_quickstart():
    """Make a folder of one run, where the page has fourteen."""
    train_in("umml-quickstart/runs")


def prepare_search():
    """Make a model, and a picture."""
    from cmh_data import sample_pictures

    umml("runs", "export", str(train_in("runs")), "model")
    Path("boat.jpg").write_bytes(next(iter(sample_pictures().values())))


PREPARED = {"quickstart.md": prepare_quickstart, "search.md": prepare_search}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: str(page.relative_to(DOCS))
)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "tools"))  # fuzzing.md imports from there
    PREPARED.get(page.name, lambda: None)()
    run_examples(page.read_text("utf-8"), page.name)


def test_an_example_that_prints_something_else_is_caught():
    with pytest.raises(AssertionError, match=r"Expected:\n\s+3\n"):
        run_examples("```pycon\n>>> 1 + 1\n3\n\n```\n", "page.md")


def test_an_example_that_fails_is_caught():
    with pytest.raises(ZeroDivisionError):
        run_examples("```python\n1 / 0\n```\n", "page.md")


def test_notebooks_are_stored_without_outputs_and_paths():
    """They are run by each build of the site, which shows what they print."""
    notebooks = [path for path in DOCS.rglob("*.ipynb") if "_build" not in path.parts]
    assert notebooks
    for path in notebooks:
        text = path.read_text("utf-8")
        cells = json.loads(text)["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path.name
        assert os.sep + "home" not in text, path.name


def test_figures_are_those_that_the_tool_draws(tmp_path):
    from draw_docs import FIGURES, write

    for name in FIGURES:
        drawn = write(name, tmp_path).read_text("utf-8")
        assert drawn == (DOCS / "figures" / f"{name}.svg").read_text("utf-8"), (
            f"docs/figures/{name}.svg: run `uv run python tools/draw_docs.py`"
        )
    assert {path.stem for path in (DOCS / "figures").glob("*")} == set(FIGURES)
