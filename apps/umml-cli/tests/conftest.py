"""What several test files start from."""

import cmh_data
import numpy as np
import pytest


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A data file of 40 rows in three classes, five of them queries."""
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    dataset = cmh_data.PairedDataset(
        image=generator.normal(size=(40, 6)).astype(np.float32),
        text=generator.integers(0, 2, size=(40, 5)).astype(np.float32),
        label=np.eye(3, dtype=np.uint8)[np.arange(40) % 3],
        split=cmh_data.Split(train=np.arange(5, 35), query=np.arange(35, 40), retrieval=np.arange(35)),
        label_names=("cat", "dog", "owl"),
    )
    cmh_data.save(dataset, path)
    return path
