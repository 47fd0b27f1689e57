"""Tests of a method on a GPU; without one they are skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from cmh_train import TrainingData, build_method, encode_dataset, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cmh_train import FitResult, HashingMethod, MethodSpec, Precision

_ROWS, _BATCH_SIZE = 48, 16


@dataclass(frozen=True)
class _Case:
    """One method in one variant."""

    spec: MethodSpec
    options: Mapping[str, Any]
    without_chance: Callable[[pytest.MonkeyPatch], None] | None
    first_step_only: bool
    tolerance: float

    def data(self) -> TrainingData:
        rng = np.random.default_rng(0)
        label = np.eye(3)[rng.integers(0, 3, _ROWS)]
        return TrainingData.from_arrays(
            image=rng.random((_ROWS, 10)) + label @ rng.random((3, 10)),
            text=rng.random((_ROWS, 12)) < 0.3,
            label=label if self.spec.supervised else None,
        )

    def build(self, batch_size: int = _BATCH_SIZE) -> HashingMethod:
        return build_method(self.spec, {**self.options, "batch_size": batch_size}, self.data().spec, 0)

    def train(
        self, *, epochs: int = 2, batch_size: int = _BATCH_SIZE, device: str = "cuda", **settings: Any
    ) -> tuple[HashingMethod, FitResult]:
        method = self.build(batch_size)
        settings = {"batch_size": batch_size, "device": device, "seed": 1, **settings}
        return method, fit(method, self.data(), epochs=epochs, **settings)


def cuda_tests(
    spec: MethodSpec,
    *,
    options: Mapping[str, Any] | None = None,
    variants: Sequence[Mapping[str, Any]] = ({},),
    without_chance: Callable[[pytest.MonkeyPatch], None] | None = None,
    first_step_only: bool = False,
    tolerance: float = 1e-7,
) -> type:
    """Make tests of a method on a GPU: a class for a test module, where pytest collects it.

    They compare training with the CPU's in float64, ask for the same result twice and after an interruption,
    and for steps that do not wait for the device.

    Args:
        spec: what the method's package announces.
        options: of all variants, for example narrow layers; `bits` is 16 unless given here.
        variants: options beside these; every test runs once for each.
        without_chance: replaces what a method draws in a step by something fixed, since a GPU draws other
            numbers than the CPU.
        first_step_only: compare only one step with the CPU's. For optimisers such as Adam: where a gradient
            is zero but for rounding, its sign decides, and from then on the devices differ.
        tolerance: relative, of the losses.

    Returns:
        The class; assign it to a name that begins with `Test`.

    Example:
        >>> from cmh_train import HashingMethod, MethodConfig, MethodSpec
        >>> spec = MethodSpec(
        ...     name="mine",
        ...     title="Mine",
        ...     config_type=MethodConfig,
        ...     build=HashingMethod,
        ...     supervised=False,
        ...     presets={},
        ... )
        >>> TestOnGPU = cuda_tests(spec, variants=[{}, {"epochs": 3}])
        >>> [name for name in dir(TestOnGPU) if "waits" in name]
        ['test_nothing_waits_for_the_device_between_the_steps_of_an_epoch']
    """
    cases = [
        pytest.param(
            _Case(
                spec, {"bits": 16, **(options or {}), **variant}, without_chance, first_step_only, tolerance
            ),
            id=" ".join(f"{name}={value}" for name, value in variant.items()) or "defaults",
        )
        for variant in variants
    ]

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    @pytest.mark.parametrize("case", cases)
    class OnGPU(_OnGPU):
        pass

    return OnGPU


class _OnGPU:
    """The tests of one method; pytest gives each of them a case."""

    def test_steps_are_those_of_the_cpu(self, case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
        if case.without_chance is not None:
            case.without_chance(monkeypatch)
        settings = {"epochs": 1, "batch_size": _ROWS} if case.first_step_only else {"epochs": 2}
        (on_cpu, expected), (on_gpu, result) = (
            case.train(device=device, precision="float64", **settings) for device in ("cpu", "cuda")
        )
        for name, losses in expected.losses.items():
            assert result.losses[name] == pytest.approx(losses, rel=case.tolerance), name
        for name, buffer in on_cpu.named_buffers():
            torch.testing.assert_close(on_gpu.get_buffer(name).cpu(), buffer, atol=1e-6, rtol=1e-6)
        if not case.first_step_only:
            text = case.data().text
            here, there = (encode_dataset(method, "text", text) for method in (on_cpu, on_gpu))
            np.testing.assert_allclose(here, there, atol=1e-6)

    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    def test_the_same_seed_gives_the_same(self, case: _Case, precision: Precision) -> None:
        first, second = (case.train(precision=precision)[0] for _ in range(2))
        assert _same_state(first, second)
        one, other = (encode_dataset(method, "image", case.data().image) for method in (first, second))
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)

    def test_resuming_gives_the_same(self, case: _Case, tmp_path: Any) -> None:
        whole, _ = case.train(epochs=4)
        case.train(epochs=2, checkpoint=tmp_path / "run")
        resumed, result = case.train(epochs=4, checkpoint=tmp_path / "run")
        assert result.resumed_from == 2
        assert _same_state(whole, resumed)

    def test_nothing_waits_for_the_device_between_the_steps_of_an_epoch(self, case: _Case) -> None:
        method = case.build()
        begin_epoch, end_epoch = method.begin_epoch, method.end_epoch

        def begin(epoch: int) -> None:
            begin_epoch(epoch)
            torch.cuda.set_sync_debug_mode("error")

        def end(epoch: int) -> None:
            torch.cuda.set_sync_debug_mode("default")
            end_epoch(epoch)

        method.begin_epoch, method.end_epoch = begin, end  # type: ignore[method-assign]
        try:
            fit(method, case.data(), epochs=2, batch_size=_BATCH_SIZE, device="cuda")
        finally:
            torch.cuda.set_sync_debug_mode("default")


def _same_state(first: HashingMethod, second: HashingMethod) -> bool:
    mine, theirs = first.state_dict(), second.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
