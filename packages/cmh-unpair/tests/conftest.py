from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_child_process(request, monkeypatch):
    """Only the tests of safety let a child process read each HDF5 file first, which takes its time."""
    if request.path.name != "test_safety.py":
        monkeypatch.setattr("cmh_files.hdf5.open._probe", lambda _path: None)
