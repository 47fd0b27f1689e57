"""The tests of a method that can leave missing samples out of its similarities and losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from cmh_train import Batch, build_method, fit

from cmh_testing._data import CompleteRows, example_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_train import DataSpec, HashingMethod, MethodSpec, TrainingData

_BATCH_SIZE = 16


def left_out_tests(spec: MethodSpec, *, options: Mapping[str, Any] | None = None) -> type:
    """Make the tests of `missing="left-out"`: a class for a test module, where pytest collects it.

    Args:
        spec: what the method's package announces; it has the option `missing`, "zero-filled" or "left-out".
        options: for example narrow layers; `bits` and `batch_size` are 16 unless given here.

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
        >>> [name for name in dir(left_out_tests(spec)) if "matter" in name]
        ['test_a_sample_that_is_left_out_does_not_matter']
    """
    chosen = {"bits": 16, "batch_size": _BATCH_SIZE, **(options or {})}

    def build(missing: str, data_spec: DataSpec | None = None) -> HashingMethod:
        data_spec = data_spec or example_data(labelled=spec.supervised).spec
        return build_method(spec, {**chosen, "missing": missing}, data_spec, seed=0)

    class TestLeftOut:
        @pytest.mark.parametrize("modality", ["image", "text"])
        def test_a_sample_that_is_left_out_does_not_matter(self, modality: str) -> None:
            """Whatever fills it: steps, the other modality's codes and what is learned stay the same."""
            missing = torch.arange(_BATCH_SIZE) == 3
            methods = []
            for filling in (0, 17):
                method = build("left-out")
                for step in range(3):
                    given = _batch(spec, step)
                    items = getattr(given, modality).clone()
                    items[missing] = filling
                    torch.manual_seed(step)
                    losses = method.update(
                        replace(given, **{modality: items, f"{modality}_present": ~missing})
                    )
                assert all(torch.isfinite(loss) for loss in losses.values())
                methods.append(method)
            first, second = methods
            for name, value in first.state_dict().items():
                torch.testing.assert_close(value, second.state_dict()[name], rtol=1e-4, atol=1e-6, msg=name)

        def test_items_of_other_rows_count_as_its_own(self) -> None:
            """Completed rows train as if they had always held the items that stand in for missing ones."""
            gaps, partners, filled = _completed(labelled=spec.supervised)
            completed, expected = build("left-out", gaps.spec), build("left-out", gaps.spec)
            fit(completed, gaps, epochs=2, batch_size=_BATCH_SIZE, seed=0, partners=partners)
            fit(expected, filled, epochs=2, batch_size=_BATCH_SIZE, seed=0)
            torch.testing.assert_close(completed.state_dict(), expected.state_dict())

        def test_it_is_the_program_where_nothing_is_missing(self) -> None:
            program, left_out = build("zero-filled"), build("left-out")
            for step in range(2):
                losses = []
                for method in (program, left_out):
                    torch.manual_seed(step)
                    losses.append(method.update(_batch(spec, step)))
                torch.testing.assert_close(losses[0], losses[1])

    return TestLeftOut


def _completed(*, labelled: bool) -> tuple[TrainingData, CompleteRows, TrainingData]:
    """Rows with gaps, what completes them, and rows that hold the same items and no gap."""
    gaps = example_data(labelled=labelled, missing_images=slice(0, 8), missing_texts=slice(20, 28))
    partners = CompleteRows(gaps)
    filled = replace(
        example_data(labelled=labelled),
        image=gaps.image[partners.image_rows],
        text=gaps.text[partners.text_rows],
        spec=gaps.spec,
    )
    return gaps, partners, filled


def _batch(spec: MethodSpec, step: int) -> Batch:
    """Rows of a step, with nothing missing."""
    data = example_data(labelled=spec.supervised)
    rows = (torch.arange(_BATCH_SIZE) + 5 * step) % data.spec.n_train
    everything = torch.ones(_BATCH_SIZE, dtype=torch.bool)
    return Batch(
        image=torch.from_numpy(data.image)[rows],
        text=torch.from_numpy(data.text)[rows],
        label=None if data.label is None else torch.from_numpy(data.label)[rows].float(),
        index=rows,
        image_present=everything,
        text_present=everything,
    )
