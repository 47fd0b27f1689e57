import numpy as np
import pytest
import torch
from cmh_train import Checkpoint, TrainingDiverged, encode_dataset, fit, load_checkpoint

SETTINGS = {"batch_size": 16, "seed": 3}


def same(first, second):
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_losses_are_named_and_come_by_epoch(make, data):
    seen = []
    result = fit(make(), data, epochs=4, on_epoch_end=seen.append, **SETTINGS)
    assert [record.epoch for record in result.epochs] == [0, 1, 2, 3]
    assert list(result.epochs) == seen
    assert result.losses["one"] == [1.0] * 4
    assert result.losses["pull"][-1] < result.losses["pull"][0]
    assert result.seconds > 0
    assert result.resumed_from == 0


def test_every_row_once_an_epoch_in_another_order(make, data):
    method = make()
    fit(method, data, epochs=2, **SETTINGS)
    index = torch.cat([batch.index for batch in method.seen])
    assert [len(batch.index) for batch in method.seen] == [16, 16, 9] * 2
    assert torch.equal(index[:41].sort().values, torch.arange(41))
    assert not torch.equal(index[:41], index[41:])
    batch = method.seen[1]
    np.testing.assert_array_equal(batch.image.numpy(), data.image[batch.index])
    np.testing.assert_array_equal(batch.text.numpy(), data.text[batch.index])
    np.testing.assert_array_equal(batch.label.numpy(), data.label[batch.index])
    assert batch.text.dtype == batch.label.dtype == torch.float32
    assert batch.image_present.all()


def test_a_last_batch_is_left_out_where_the_method_says_so(make, data):
    method = make()
    method.smallest_batch = 10
    fit(method, data, epochs=1, **SETTINGS)
    assert [len(batch.index) for batch in method.seen] == [16, 16]


def test_same_seed_same_result_and_another_seed_another(make, data):
    methods = [make() for _ in range(3)]
    for method, seed in zip(methods, (3, 3, 4), strict=True):
        fit(method, data, epochs=2, batch_size=16, seed=seed)
    assert same(methods[0], methods[1])
    assert not same(methods[0], methods[2])


def test_the_callers_random_numbers_are_left_alone(make, data):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(make(), data, epochs=1, **SETTINGS)
    assert torch.equal(torch.rand(3), expected)


def test_a_callback_cannot_disturb_the_run(make, data):
    plain, watched = make(), make()

    def watch(_):
        torch.rand(100)
        encode_dataset(watched, "image", data.image)

    fit(plain, data, epochs=3, **SETTINGS)
    fit(watched, data, epochs=3, on_epoch_end=watch, **SETTINGS)
    assert same(plain, watched)


@pytest.mark.parametrize("precision", ["float32", "bf16", "float64"])
def test_resuming_is_bit_identical(make, data, tmp_path, precision):
    path = tmp_path / "run.safetensors"
    whole, first, second = make(), make(), make(seed=9)
    expected = fit(whole, data, epochs=5, precision=precision, **SETTINGS)
    fit(first, data, epochs=2, precision=precision, checkpoint=path, **SETTINGS)
    result = fit(second, data, epochs=5, precision=precision, checkpoint=path, **SETTINGS)
    assert same(whole, second)
    assert result.resumed_from == 2
    assert result.losses == expected.losses


def test_interrupted_in_the_middle_of_an_epoch(make, data, tmp_path):
    path = tmp_path / "run.safetensors"
    whole, broken, resumed = make(), make(), make()
    fit(whole, data, epochs=4, **SETTINGS)
    step = broken.update

    def interrupt(batch):
        if len(broken.seen) == 7:  # two epochs have three steps each
            raise KeyboardInterrupt
        return step(batch)

    broken.update = interrupt
    with pytest.raises(KeyboardInterrupt):
        fit(broken, data, epochs=4, checkpoint=path, **SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert fit(resumed, data, epochs=4, checkpoint=path, **SETTINGS).resumed_from == 2
    assert same(whole, resumed)


def test_checkpoints_wait_and_the_last_epoch_is_always_saved(make, data, tmp_path):
    path = tmp_path / "run.safetensors"
    there = []
    fit(
        make(),
        data,
        epochs=3,
        checkpoint=Checkpoint(path=path, every_minutes=60),
        on_epoch_end=lambda _: there.append(path.exists()),
        **SETTINGS,
    )
    assert there == [False] * 3
    assert len(load_checkpoint(path, make())) == 3


def test_a_loss_that_is_not_finite_stops_the_run(make, data):
    method = make()
    method.begin_epoch = lambda epoch: setattr(method, "factor", float("nan") if epoch == 1 else 1.0)
    with pytest.raises(TrainingDiverged, match="pull became NaN or infinite in epoch 1") as caught:
        fit(method, data, epochs=3, **SETTINGS)
    assert (caught.value.name, caught.value.epoch) == ("pull", 1)


def test_weights_that_are_not_finite_stop_the_run(make, data):
    method = make()
    method.end_epoch = lambda _: method.image.weight.data.fill_(float("inf"))
    with pytest.raises(TrainingDiverged, match="weights became NaN or infinite in epoch 0"):
        fit(method, data, epochs=3, **SETTINGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"batch_size": 42}, "batch_size is 42, but there are only 41 training rows"),
        ({"device": "nowhere"}, "device must be a torch device such as 'cpu'"),
        ({"precision": "float16"}, "precision must be one of float32, bf16, float64"),
        ({"seed": -1}, "seed must be a non-negative integer, not -1"),
    ],
)
def test_bad_settings(make, data, change, message):
    with pytest.raises(ValueError, match=message):
        fit(make(), data, **{"epochs": 1, **SETTINGS, **change})


def test_cuda_where_there_is_none(make, data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no CUDA device here; use device='cpu'"):
        fit(make(), data, epochs=1, device="cuda", **SETTINGS)


def test_a_method_built_for_other_data(make, data):
    method = make()
    method.data_spec = data.spec.__class__(n_train=41, image_shape=(6,), text_width=99)
    with pytest.raises(ValueError, match="built for text_width=99, but the data have text_width=5"):
        fit(method, data, epochs=1, **SETTINGS)


def test_a_batch_too_small_for_the_method(make, data):
    method = make()
    method.smallest_batch = 2
    with pytest.raises(ValueError, match="batch_size is 1, but this method needs at least 2"):
        fit(method, data, epochs=1, batch_size=1, seed=0)


def test_too_little_memory_is_said_before_the_start(make, data, monkeypatch):
    monkeypatch.setattr("cmh_train._memory.free_memory", lambda _: 100)
    with pytest.raises(ValueError, match="training needs at least"):
        fit(make(), data, epochs=1, **SETTINGS)
