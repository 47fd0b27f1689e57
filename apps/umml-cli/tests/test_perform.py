"""One run in this process, on data that train in no time."""

import errno
import resource

import numpy as np
import pytest
import torch
from cmh_data import load
from cmh_train import make_config
from safetensors.numpy import load_file
from umml_cli.errors import UserError
from umml_cli.runs.cells import Cell
from umml_cli.runs.perform import describe_environment, perform
from umml_cli.runs.specification import RunSpecification, small_batches
from umml_cli.runs.store import RunStore


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(
        path,
        image=generator.normal(size=(30, 6)).astype(np.float32),
        text=generator.normal(size=(30, 5)).astype(np.float32),
        labels=np.eye(3, dtype=np.uint8)[np.arange(30) % 3],
        train=np.arange(20),
        query=np.arange(20, 30),
    )
    return load(path)


def specify(dataset, cell, **options):
    given = {"bits": 16, "epochs": 1, "batch_size": 10, "layer_widths": (8, 8, 8)} | options
    return RunSpecification.of(
        "dadh", make_config("dadh", options=given), method_version="1",
        dataset=dataset.name, data_digest=dataset.digest, cell=cell, seed=0,
    )  # fmt: skip


def execute(dataset, store, cell, **options):
    return perform(specify(dataset, cell, **options), dataset, store=store, on_event=lambda _: None)


def test_a_batch_of_what_discarding_left_is_said_and_recorded(dataset, tmp_path):
    cell = Cell.of("SD", 80)  # 4 of 20 rows are left
    result = execute(dataset, RunStore(tmp_path), cell)
    assert result.training_pairs == {"rows": 20, "kept": 4, "paired": 4, "batch": 4}
    (note,) = small_batches([specify(dataset, cell)] * 2, {dataset.name: 20})
    assert note.startswith(
        "dadh on tiny, SD 80%: discarding leaves 4 training rows, fewer than a batch of 10"
    )


def test_a_whole_batch_needs_no_word(dataset, tmp_path):
    cell = Cell.of("SD", 50)  # 10 rows are left
    assert "batch" not in execute(dataset, RunStore(tmp_path), cell).training_pairs
    assert (
        small_batches([specify(dataset, cell), specify(dataset, Cell.of("UI", 80))], {dataset.name: 20}) == []
    )


def test_an_untrained_network_scales_its_images_as_asked(dataset, tmp_path):
    weights = {}
    for standardise in ("matrix", "feature"):
        store = RunStore(tmp_path / standardise)
        execute(dataset, store, Cell.of("untrained"), standardise=standardise)
        (path,) = (tmp_path / standardise).glob("*/*.safetensors")
        weights[standardise] = load_file(path)
    mean = dataset.image[dataset.split.train].mean(axis=0)
    np.testing.assert_allclose(weights["feature"]["image_mean"], mean, rtol=1e-4)
    assert "image_mean" not in weights["matrix"]


def test_a_batch_larger_than_the_data_leaves_nothing_behind(dataset, tmp_path):
    with pytest.raises(UserError, match="batch_size of dadh is 21, but tiny has only 20 training rows"):
        execute(dataset, RunStore(tmp_path), Cell.of("paired"), batch_size=21)
    assert not list(tmp_path.iterdir())


def test_weights_on_a_full_disk_are_an_error_of_the_operating_system(dataset, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # Python ignores the signal that comes with it
    try:
        with pytest.raises(OSError, match="File too large") as refused:
            execute(dataset, RunStore(tmp_path), Cell.of("untrained"), layer_widths=(64, 64, 64))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.errno == errno.EFBIG
    assert not list(tmp_path.glob("*/*weights*"))


@pytest.mark.parametrize(
    ("device", "name"), [("cpu", "cpu"), ("cuda", "A of cuda"), ("cuda:1", "A of cuda:1")]
)
def test_the_environment_names_the_device(device, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: f"A of {device}")
    assert describe_environment.__wrapped__(device)["device"] == name
