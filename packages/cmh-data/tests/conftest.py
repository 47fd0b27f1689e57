from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


def shared_folder() -> Path | None:
    named = os.environ.get("UMML_SHARED")
    if named:
        return Path(named)
    folders = [parent.parent / "shared" for parent in Path(__file__).resolve().parents]
    return next((folder for folder in folders if (folder / "data").is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = shared_folder()
    if folder is None:
        pytest.skip("the project's shared data is not beside this checkout")
    return folder / "data"


@pytest.fixture(autouse=True)
def _no_child_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tests of safety let a child process read each HDF5 file first, which takes its time."""
    if request.path.name != "test_safety.py":
        monkeypatch.setattr("cmh_files.hdf5.open._probe", lambda _path: None)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A small data set in the plain layout, six rows, every array correct."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(6, 4)).astype(np.float32),
        "text": rng.integers(0, 2, size=(6, 5)).astype(np.float64),
        "labels": np.array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 1], [1, 0]], np.int64),
        "train": np.array([0, 1, 2]),
        "query": np.array([4, 5]),
    }
