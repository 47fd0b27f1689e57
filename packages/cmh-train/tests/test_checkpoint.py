import pytest
import torch
from cmh_train import EpochRecord, fit, load_checkpoint, save_checkpoint
from cmh_train._checkpoint import atomic_write
from safetensors import safe_open


def test_everything_comes_back(make, data, tmp_path):
    path = tmp_path / "a.safetensors"
    method, other = make(), make(seed=1)
    result = fit(method, data, epochs=2, batch_size=16, seed=0)
    save_checkpoint(path, method, epochs=result.epochs)
    assert load_checkpoint(path, other) == result.epochs
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    for name, optimiser in method.optimisers().items():
        saved, loaded = optimiser.state_dict(), other.optimisers()[name].state_dict()
        assert saved["param_groups"] == loaded["param_groups"]
        for position, values in saved["state"].items():
            assert all(torch.equal(value, loaded["state"][position][key]) for key, value in values.items())


def test_the_file_is_plain_safetensors(make, tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, make())
    with safe_open(path, framework="np") as file:
        assert "method/image.weight" in list(file.keys())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    atomic_write(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_file(make, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "a", make())


def test_half_a_file(make, tmp_path):
    path = tmp_path / "a"
    save_checkpoint(path, make())
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="is damaged or no checkpoint"):
        load_checkpoint(path, make())


def test_another_method(make, tmp_path):
    path = tmp_path / "a"
    save_checkpoint(path, make())
    with pytest.raises(
        ValueError, match=r"belongs to another method or other options .*; build the method as"
    ):
        load_checkpoint(path, make(bits=16))


@pytest.mark.parametrize("change", [{"seed": 1}, {"batch_size": 8}, {"precision": "float64"}])
def test_another_run(make, data, tmp_path, change):
    path = tmp_path / "a"
    settings = {"epochs": 1, "batch_size": 16, "seed": 0, "checkpoint": path}
    fit(make(), data, **settings)
    name = next(iter(change))
    with pytest.raises(ValueError, match=f"was made with {name}="):
        fit(make(), data, **settings | change)


def test_more_epochs_than_asked(make, data, tmp_path):
    settings = {"batch_size": 16, "seed": 0, "checkpoint": tmp_path / "a"}
    fit(make(), data, epochs=3, **settings)
    with pytest.raises(ValueError, match="holds 3 epochs already, more than epochs=2; ask for at least"):
        fit(make(), data, epochs=2, **settings)


def test_records_are_plain(make, tmp_path):
    path = tmp_path / "a"
    records = (EpochRecord(epoch=0, losses={"x": 0.1}, seconds=1.5),)
    save_checkpoint(path, make(), epochs=records)
    assert load_checkpoint(path, make()) == records
