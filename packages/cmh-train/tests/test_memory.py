import numpy as np
import pytest
import torch
from cmh_train import TrainingData, fit
from cmh_train._memory import _free_in_group, _free_in_machine, free_memory, needed_memory

CPU = torch.device("cpu")
# Of the toy: 8 x 6 and 8 x 5 weights with 8 biases each, a buffer of 41 x 8, labels of 41 x 3.
ADAM, SGD, BUFFER, LABEL = 56, 48, 328, 123


def test_on_the_cpu_what_lies_there_is_not_counted_again(make, data):
    # Gradients of both nets, two moments of Adam, one of SGD; the labels become floating point.
    expected = 4 * (3 * ADAM + 2 * SGD + LABEL)
    assert needed_memory(make(), data, CPU, "float32") == expected
    # In float64 everything doubles, and weights and buffers grow by what they have.
    grown = 2 * expected + 4 * (ADAM + SGD + BUFFER)
    assert needed_memory(make(), data, CPU, "float64") == grown


def test_after_a_training_there_is_nothing_left_but_gradients(make, data):
    method = make()
    fit(method, data, epochs=1, batch_size=16)
    assert needed_memory(method, data, CPU, "float32") == 4 * (ADAM + SGD + LABEL)


def test_elsewhere_everything_counts(make, data):
    rows = data.image.nbytes + data.text.nbytes + 2 * 41
    expected = 4 * (4 * ADAM + 3 * SGD + BUFFER + LABEL) + rows
    assert needed_memory(make(), data, torch.device("meta"), "float32") == expected


def test_frozen_weights_have_no_gradient_and_no_moments(make, data):
    method = make()
    method.image.requires_grad_(False)
    assert needed_memory(method, data, CPU, "float32") == 4 * (2 * SGD + LABEL)


def test_an_optimiser_may_form_its_gradients_one_after_the_other(make, data):
    method = make()
    method._adam.one_gradient_at_a_time = True
    assert needed_memory(method, data, CPU, "float32") == 4 * (48 + 2 * ADAM + 2 * SGD + LABEL)


def test_weights_kept_in_bfloat16_are_counted_where_they_are_made(make, data):
    method = make()
    plain = needed_memory(method, data, CPU, "bf16")
    method._adam.keeps_rounded_weights = True
    assert needed_memory(method, data, CPU, "bf16") == plain + 2 * ADAM
    assert needed_memory(method, data, CPU, "float32") == needed_memory(make(), data, CPU, "float32")


@pytest.mark.parametrize(
    ("kind", "options", "copies"),
    [
        (torch.optim.Adamax, {}, 2),
        (torch.optim.AdamW, {"amsgrad": True}, 3),
        (torch.optim.SGD, {"lr": 1.0}, 0),
    ],
)
def test_moments_by_kind_of_optimiser(make, data, kind, options, copies):
    method = make()
    method._adam = kind(method.image.parameters(), **options)
    assert needed_memory(method, data, CPU, "float32") == 4 * ((1 + copies) * ADAM + 2 * SGD + LABEL)


def test_rows_that_must_be_copied_count(make, data):
    plain = needed_memory(make(), data, CPU, "float32")
    image = np.array(data.image)
    image.flags.writeable = False
    read_only = TrainingData.from_arrays(image=image, text=data.text, label=data.label)
    assert needed_memory(make(), read_only, CPU, "float32") == plain + image.nbytes


def test_free_memory_of_the_machine(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 100 kB\nMemAvailable:     50 kB\n")
    assert _free_in_machine(path) == 50 * 1024
    assert _free_in_machine(tmp_path / "nothing") is None


def test_the_tightest_group_counts(tmp_path):
    membership, root = tmp_path / "membership", tmp_path / "root"
    membership.write_text("1:memory:/old\n0::/jobs/7\n")
    for folder, limit, used in ((root / "jobs", 1000, 400), (root / "jobs" / "7", "max", 300)):
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text("anon 5\ninactive_file 50\n")
    assert _free_in_group(membership, root) == 1000 - 400 + 50
    membership.write_text("0::/\n")
    assert _free_in_group(membership, root) is None  # no limit anywhere
    membership.write_text("1:memory:/old\n")
    assert _free_in_group(membership, root) is None
    assert _free_in_group(tmp_path / "nothing", root) is None


def test_the_smaller_of_both_counts(monkeypatch):
    for machine, group, expected in ((5, 3, 3), (5, None, 5), (None, None, None)):
        monkeypatch.setattr("cmh_train._memory._free_in_machine", lambda free=machine: free)
        monkeypatch.setattr("cmh_train._memory._free_in_group", lambda free=group: free)
        assert free_memory(CPU) == expected
