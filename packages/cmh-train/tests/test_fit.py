from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmh_train import (
    Checkpoint,
    TrainingDivergedError,
    encode_dataset,
    fit,
    load_checkpoint,
    prepare_untrained,
)
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

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


def test_a_method_looks_at_the_whole_training_set_before_the_first_epoch(make, data):
    method, heard = make(), []
    method.begin_training = heard.append
    method.begin_epoch = heard.append
    present = np.arange(41) % 3 > 0
    part = replace(data, image_present=present)
    fit(method, part, epochs=1, batch_size=8, seed=0)
    rows, epoch = heard
    assert epoch == 0
    for name in ("image", "text", "image_present", "text_present"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(part, name))
    np.testing.assert_array_equal(rows.label, part.label)
    assert rows.text.dtype == torch.uint8
    assert rows.label.dtype == torch.float32
    assert rows.image.data_ptr() == part.image.ctypes.data  # on a CPU the caller's own memory


def test_a_method_that_is_not_trained_looks_at_the_same_rows(make, data):
    trained, untrained, heard = make(), make(), []
    for method in (trained, untrained):
        method.begin_training = lambda rows: heard.append((rows, torch.rand(3)))
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(trained, data, epochs=1, **SETTINGS)
    prepare_untrained(untrained, data, seed=SETTINGS["seed"])
    assert torch.equal(torch.rand(3), expected)  # the caller's random numbers are left alone
    (rows, drawn), (again, drawn_again) = heard
    assert torch.equal(drawn, drawn_again)
    for name in ("image", "text", "label", "image_present", "text_present"):
        assert torch.equal(getattr(rows, name), getattr(again, name))


def test_a_method_of_other_data_is_not_prepared(make, data):
    with pytest.raises(ValueError, match="the method was built for text_width=5, but the data have"):
        prepare_untrained(make(), replace(data, spec=replace(data.spec, text_width=4)))


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (None, "update must return a dictionary of named losses, but it returned None"),
        ({}, "update must return a dictionary of named losses, but it returned {}"),
        ({"total": 0.5}, "loss 'total' of update must be a scalar tensor, but it is float"),
        ({"total": torch.zeros(2)}, r"loss 'total' of update must be a scalar tensor, but it is \(2,\)"),
    ],
)
def test_an_update_that_returns_no_losses_is_refused(make, data, losses, message):
    method = make()
    method.update = lambda _: losses
    with pytest.raises(ValueError, match=message):
        fit(method, data, epochs=1, **SETTINGS)


def test_an_update_that_changes_the_names_of_its_losses_is_refused(make, data):
    method = make()
    method.update = lambda batch: method.seen.append(batch) or {f"loss{len(method.seen)}": torch.zeros(())}
    with pytest.raises(ValueError, match="same losses in every step, loss1, but it returned loss2"):
        fit(method, data, epochs=1, **SETTINGS)


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
    with pytest.raises(
        TrainingDivergedError, match="pull became NaN or infinite in epoch 1, step 0"
    ) as caught:
        fit(method, data, epochs=3, **SETTINGS)
    assert (caught.value.name, caught.value.epoch, caught.value.step) == ("pull", 1, 0)


def test_weights_that_are_not_finite_stop_the_run(make, data):
    method = make()
    method.end_epoch = lambda _: method.image.weight.data.fill_(float("inf"))
    with pytest.raises(TrainingDivergedError, match="weights became NaN or infinite in epoch 0, step 2"):
        fit(method, data, epochs=3, **SETTINGS)


NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "name", "step"),
    [
        # The later name goes first; from the next step on everything is NaN.
        ({"a": [1, 1, NAN], "b": [1, NAN, NAN], "total": [2, NAN, NAN]}, "b", 1),
        ({"a": [1, NAN, 1], "b": [1, 1, float("inf")]}, "a", 1),  # finite again, as its sum is not
        ({"a": [NAN, 1, 1], "b": [NAN, 1, 1]}, "a", 0),  # no step before that could have spoiled the weights
        ({"a": [1, 1, NAN], "b": [1, 1, NAN]}, "weights", 1),
        ({"a": [1, 1, -float("inf")]}, "a", 2),
    ],
)
def test_the_first_loss_that_is_not_finite_is_named(make, data, losses, name, step):
    method = make()
    method.update = lambda batch: (
        method.seen.append(batch)
        or {loss: torch.tensor(float(values[len(method.seen) - 1])) for loss, values in losses.items()}
    )
    with pytest.raises(TrainingDivergedError) as caught:
        fit(method, data, epochs=1, **SETTINGS)
    assert (caught.value.name, caught.value.epoch, caught.value.step) == (name, 0, step)


def test_a_gradient_that_is_not_finite_is_seen_in_the_weights(make, data):
    method = make()
    method.image.weight.register_hook(lambda gradient: gradient * (NAN if len(method.seen) == 3 else 1))
    with pytest.raises(TrainingDivergedError, match="weights became NaN or infinite in epoch 0, step 2"):
        fit(method, data, epochs=1, **SETTINGS)


class NoTransfer(TorchDispatchMode):
    """Forbids `.item()` and tensors made of numbers in main memory."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function not in (aten._local_scalar_dense.default, aten.lift_fresh.default), function
        return function(*args, **(kwargs or {}))


def test_no_number_is_read_back_between_the_steps_of_an_epoch(make, data):
    """On a GPU that would wait for the device."""
    method, forbidden = make(), ExitStack()
    for optimiser in method.optimisers().values():
        optimiser.step = lambda: None  # it counts its steps on the CPU
    method.begin_epoch = lambda _: forbidden.enter_context(NoTransfer())
    method.end_epoch = lambda _: forbidden.close()
    with forbidden:
        fit(method, data, epochs=2, **SETTINGS)
    assert len(method.seen) == 6


def test_convolutions_repeat_and_the_callers_settings_come_back(make, data, monkeypatch):
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "deterministic", False)
    monkeypatch.setattr(cudnn, "benchmark", True)
    method, seen = make(), []
    method.begin_epoch = lambda _: seen.append((cudnn.deterministic, cudnn.benchmark))
    fit(method, data, epochs=1, **SETTINGS)
    method.encode = lambda _, features: (
        seen.append((cudnn.deterministic, cudnn.benchmark)) or torch.zeros(len(features), 8)
    )
    encode_dataset(method, "image", data.image)
    assert seen == [(True, False)] * 2
    assert (cudnn.deterministic, cudnn.benchmark) == (False, True)


def test_the_generators_of_other_devices_are_left_alone(make, data, monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    fit(make(), data, epochs=1, **SETTINGS)  # builds the method too
    assert not seeded


@pytest.mark.parametrize("precisions", [("float32", "float64"), ("float64", "bf16")])
def test_a_second_training_in_another_precision(make, data, precisions):
    method = make()
    for precision in precisions:
        fit(method, data, epochs=1, precision=precision, **SETTINGS)
    kept = [
        value
        for optimiser in method.optimisers().values()
        for values in optimiser.state.values()
        for key, value in values.items()
        if key != "step"
    ]
    expected = torch.float64 if precisions[-1] == "float64" else torch.float32
    assert {value.dtype for value in kept} == {expected}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, but it is 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, but it is 0"),
        ({"batch_size": 42}, "batch_size is 42, but there are only 41 training rows"),
        ({"device": "nowhere"}, "device must be a torch device such as 'cpu'"),
        ({"precision": "float16"}, "precision must be one of float32, bf16, float64"),
        ({"seed": -1}, "seed must be a non-negative integer, but it is -1"),
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
    message = "built for text_width=99, but the data have text_width=5; build it with the spec of these data"
    with pytest.raises(ValueError, match=message):
        fit(method, data, epochs=1, **SETTINGS)


def test_a_batch_too_small_for_the_method(make, data):
    method = make()
    method.smallest_batch = 2
    with pytest.raises(
        ValueError, match=r"batch_size is 1, but this method needs at least 2 .*; make it larger"
    ):
        fit(method, data, epochs=1, batch_size=1, seed=0)


@pytest.mark.parametrize(("built_with", "right"), [(16, 16), (128, 41)])
def test_a_method_that_counts_on_its_batch(make, data, built_with, right):
    method = make()
    method.training_batch_size = built_with
    fit(method, data, epochs=1, batch_size=right, seed=0)
    message = f"built with batch_size={built_with}; give fit batch_size={right} or build it with batch_size=8"
    with pytest.raises(ValueError, match=message):
        fit(method, data, epochs=1, batch_size=8, seed=0)


def test_too_little_memory_is_said_before_the_start(make, data, monkeypatch):
    monkeypatch.setattr("cmh_train._memory.free_memory", lambda _: 100)
    with pytest.raises(ValueError, match="training needs about"):
        fit(make(), data, epochs=1, **SETTINGS)


def test_a_method_may_draw_its_batches_itself(make, data):
    def fresh(n_train, batch_size, generator):
        """A fresh permutation for each of three steps, of which the last has two rows."""
        return [torch.randperm(n_train, generator=generator)[:n] for n in (batch_size, batch_size, 2)]

    def rows(seed):
        method = make()
        method.draw_batches = fresh
        fit(method, data, epochs=2, batch_size=30, seed=seed)
        return [batch.index.tolist() for batch in method.seen]

    drawn = rows(1)
    assert [len(index) for index in drawn] == 2 * [30, 30, 2]
    assert all(len(set(index)) == len(index) for index in drawn)
    assert drawn[0] != drawn[1]
    assert drawn[0] != drawn[3], "every epoch has its own"
    assert drawn == rows(1)
    assert drawn != rows(2)
