import ast
import re
from pathlib import Path

import lock
import pytest
from affected import package_folders

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(text):
    """Split the jobs of a workflow: name to text."""
    parts = re.split(r"^  ([a-z-]+):.*$", text[text.index("\njobs:\n") :], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_say_their_version(path):
    uses = re.findall(r"uses: (?!\$/)(.*)", path.read_text("utf-8"))
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in uses), uses


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_job_states_what_it_may_do_and_how_long(path):
    text = path.read_text("utf-8")
    assert "\npermissions: {}\n" in text
    for name, job in jobs(text).items():
        assert "    permissions:" in job, name
        assert "timeout-minutes:" in job or "    uses: $/" in job, name


def test_only_the_job_that_publishes_may_write():
    writers = [
        name
        for path in WORKFLOWS
        for name, job in jobs(path.read_text("utf-8")).items()
        if re.search(r": write\b", job)
    ]
    assert writers == ["publish"]


def pythons():
    (found,) = re.findall(r"^PYTHONS = (.*)$", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE)
    return ast.literal_eval(found)


def test_newer_versions_and_pins_are_tried_on_the_pythons_of_the_noxfile():
    newer = (ROOT / ".github" / "workflows" / "newer.yml").read_text("utf-8")
    (tried,) = re.findall(r"matrix: \{ python: (.*) \}", newer)
    assert ast.literal_eval(tried) == list(lock.PYTHONS) == pythons()


def test_the_matrix_fits_into_the_256_jobs_of_a_workflow():
    each = 2 * len(pythons()) + 1  # tests and wheel on each Python, minimum on one
    assert each * len(package_folders(ROOT)) + 20 < 256


def test_every_session_of_the_noxfile_is_a_job():
    """Sessions that only a person starts, and the one that runs the others, are named here."""
    by_hand = {"benchmarks", "check", "footprint", "rehearsal", "release"}
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = set(re.findall(r"@nox\.session.*\n(?:@.*\n)*def (\w+)\(", noxfile))
    listed = re.search(
        r"--json -s (.*)$", (ROOT / ".github/workflows/ci.yml").read_text("utf-8"), re.MULTILINE
    )
    assert {name.removesuffix("_all") for name in sessions} - by_hand == set(listed[1].split())
