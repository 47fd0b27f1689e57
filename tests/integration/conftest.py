import csv
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from functools import partial
from importlib.resources import files

import cmh_data
import numpy as np
import pytest
from running import UMML, run_umml
from small_grid import SMALL_GRID, make_arrays, prepare
from umml_cli.main import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


@pytest.fixture
def umml(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder, inside this process: starting torch anew takes seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, check=True):
        monkeypatch.setattr(sys, "argv", ["umml", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        printed, errors = capfd.readouterr()
        status = end.value.code or 0
        if check:
            assert status == 0, errors
        return subprocess.CompletedProcess(arguments, status, printed, errors)

    return run


@pytest.fixture
def start_umml(tmp_path):
    """Start the command in a process group of its own; whatever is left of it ends with the test."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [UMML, *map(str, arguments)],
            cwd=tmp_path,
            start_new_session=True,
            # a shell's background jobs, and so their children, ignore Ctrl-C
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def arrays():
    return make_arrays()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The output folder of a small grid that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(folder)
    done = run_umml(
        folder, *SMALL_GRID[:-2]
    )  # two workers where there are two cores; the tests below have one
    return folder / "umml-reproduce", done.stdout


@pytest.fixture
def small(tmp_path):
    prepare(tmp_path)
    return tmp_path


@pytest.fixture
def photos(tmp_path):
    """Emoji with captions of which a third is missing, and the troubles that folders have."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    sample = cmh_data.sample()
    words = np.array(sample.text_vocabulary)
    with zipfile.ZipFile(files("cmh_data") / "emoji/pictures.zip") as archive:
        pictures = [archive.read(name) for name in archive.namelist()[:36]]
    rows = []
    for number, picture in enumerate(pictures):
        name = f"picture {number}.png" if number % 2 else f"图片{number}.png"
        (folder / name).write_bytes(picture)
        text = "" if number % 3 == 0 else " ".join(words[sample.text[number] > 0])
        label = sample.label_names[int(sample.label[number].argmax())]
        rows.append({"image": name, "text": text, "labels": label})
    (folder / rows[1]["image"]).unlink()  # a row without its picture
    whole = (folder / rows[5]["image"]).read_bytes()
    (folder / rows[5]["image"]).write_bytes(whole[: len(whole) // 2])  # cut short
    (folder / "words.jpg").write_text("these are words")  # no picture, and in no row
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["image", "text", "labels"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def chromium():
    """A headless browser; without it the test is skipped, except where it must be there."""
    missing = [] if CHROMIUM else ["chromium"]
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing.append("playwright")
    if missing and os.environ.get("UMML_BROWSER"):
        pytest.fail(f"{missing} must be installed here")
    if missing:
        pytest.skip(f"{missing} is not installed; nox -s browser brings playwright")
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
             "--disable-component-update"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet, chromium_sandbox=False)
        yield browser
        browser.close()
