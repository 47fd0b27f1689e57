import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # field_loop.py, which the benchmark imports too

GOLDEN = Path(__file__).parent / "golden"
ARRAYS = ("query_codes", "database_codes", "query_labels", "database_labels")


@pytest.fixture
def make_arrays():
    from field_loop import random_arrays

    return random_arrays


@pytest.fixture(params=["metrics_16bit", "metrics_64bit", "metrics_empty"])
def golden(request):
    """(the four arrays, all values of the file)"""
    with np.load(GOLDEN / f"{request.param}.npz", allow_pickle=False) as file:
        values = dict(file)
    return {name: values[name] for name in ARRAYS}, values
