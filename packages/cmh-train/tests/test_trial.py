"""The trial of float32 against bf16: what it chooses, and that it leaves no trace."""

from dataclasses import replace

import pytest
import torch
from cmh_train import HashingMethod, build_method, choose_precision, fit
from cmh_train import _trial as trial_module
from cmh_train._trial import has_bf16

OPTIONS = {"bits": 8}


class Clock:
    """Time by hand: steps in float32 and bf16 take the given seconds, one after the other."""

    def __init__(self, float32, bf16):
        self.steps = [seconds for pair in zip(float32, bf16, strict=True) for seconds in pair]
        self.now, self.calls = 0.0, 0

    def process_time(self):
        if self.calls % 2:
            self.now += self.steps[self.calls // 2]
        self.calls += 1
        return self.now


@pytest.fixture
def choose(data, spec, monkeypatch):
    """Choose for the toy on a processor with bfloat16 and with a clock by hand."""

    def choose(float32=(0, 1, 1), bf16=(0, 2, 2), method=spec, **others):
        monkeypatch.setattr(trial_module, "has_bf16", lambda _: True)
        monkeypatch.setattr(trial_module, "time", Clock(float32, bf16))
        return choose_precision(method, OPTIONS, data, **{"batch_size": 16, **others})

    return choose


@pytest.mark.parametrize(
    ("float32", "bf16", "expected"),
    [
        ((0, 2, 4), (0, 1, 1.5), "bf16"),
        ((9, 2, 4), (0, 1, 3), "float32"),  # one step of bf16 is slower than one of float32
        ((9, 2, 2), (0, 2, 2), "float32"),
        ((0, 2, 4), (99, 1, 1), "bf16"),  # the first step is no measurement
    ],
)
def test_bf16_must_be_faster_in_every_timed_step(choose, float32, bf16, expected):
    found = choose(float32, bf16)
    assert found.precision == expected
    means = sum(float32[1:]) / 2, sum(bf16[1:]) / 2
    assert found.seconds == dict(zip(("float32", "bf16"), means, strict=True))
    said = "a step takes {:.3g} s of processor time in float32, {:.3g} s in bf16".format(*means)
    assert found.reason == said


def test_every_step_has_the_rows_of_a_real_one_and_its_precision(choose, spec):
    seen = []

    class Watched(spec.build):
        def update(self, batch):
            seen.append((len(batch.index), torch.is_autocast_enabled("cpu")))
            return super().update(batch)

    choose(method=replace(spec, build=Watched))
    assert seen == [(16, False), (16, True)] * 3


def test_a_training_after_a_trial_is_the_same_to_the_bit(data, make, choose):
    plain, tried = make(), make()
    fit(plain, data, epochs=2, batch_size=16, precision="bf16", seed=3)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    chosen = choose((0, 2, 2), (0, 1, 1), seed=3).precision
    assert torch.equal(torch.rand(3), expected)  # and whatever else draws from torch
    fit(tried, data, epochs=2, batch_size=16, precision=chosen, seed=3)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, tried.state_dict()[name])


def test_a_loss_in_bf16_that_is_not_finite_is_no_choice(choose, spec):
    class Overflows(spec.build):
        def update(self, batch):
            losses = super().update(batch)
            return {**losses, "one": losses["one"] / (not torch.is_autocast_enabled("cpu"))}

    found = choose((0, 2, 2), (0, 1, 1), method=replace(spec, build=Overflows))
    assert (found.precision, found.seconds) == ("float32", {})
    assert found.reason == "a loss in bf16 is not finite"


def test_a_step_over_all_rows_is_not_tried(choose, spec):
    class Rounds(spec.build):
        full_batch = True

        def update(self, _):
            pytest.fail("a step was taken")

    found = choose(method=replace(spec, build=Rounds))
    assert (found.precision, found.seconds) == ("float32", {})
    assert "all rows" in found.reason


def test_without_bfloat16_instructions_nothing_is_tried(data, spec, monkeypatch):
    monkeypatch.setattr(trial_module, "has_bf16", lambda _: False)
    monkeypatch.setattr(HashingMethod, "update", lambda *_: pytest.fail("a step was taken"))
    found = choose_precision(spec, OPTIONS, data, batch_size=16)
    assert (found.precision, found.seconds) == ("float32", {})
    assert found.reason == "no bfloat16 instructions are known of this cpu"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True),
        ("flags\t\t: amx_tile amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),  # ARM
        ("flags\t\t: avx512f avx512bw\nmodel name\t: bf16\n", False),
        ("flags\t\t: avx512_bf16_like\n", False),
        ("", False),
        (None, False),  # no Linux
    ],
)
def test_what_linux_says_of_a_processor(tmp_path, content, expected):
    path = tmp_path / "cpuinfo"
    if content is not None:
        path.write_text(content)
    assert has_bf16(torch.device("cpu"), path) == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"batch_size": 0}, "batch_size"), ({"batch_size": 42}, "41 training rows"), ({"seed": -1}, "seed")],
)
def test_bad_settings_are_named_as_fit_does(data, spec, changes, named):
    with pytest.raises(ValueError, match=named):
        choose_precision(spec, OPTIONS, data, **{"batch_size": 16, **changes})


def test_a_real_trial_measures_both(data, spec, monkeypatch):
    monkeypatch.setattr(trial_module, "has_bf16", lambda _: True)
    found = choose_precision(spec, OPTIONS, data, batch_size=16)
    assert min(found.seconds.values()) > 0
    assert found.precision in found.seconds


def test_the_method_of_a_run_is_not_the_one_that_is_tried(data, spec, choose):
    built = []

    def build(config, data_spec):
        built.append(spec.build(config, data_spec))
        return built[-1]

    watched = replace(spec, build=build)
    mine = build_method(watched, OPTIONS, data.spec, 0)
    choose(method=watched)
    assert len(built) == 2
    assert not mine.seen
