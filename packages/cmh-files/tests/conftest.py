from __future__ import annotations

import os
from pathlib import Path

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
