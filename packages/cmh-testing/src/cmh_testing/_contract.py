"""The tests, made for one method and its variants."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from cmh_train import (
    Batch,
    HashingMethod,
    TrainingData,
    TrainingRows,
    build_method,
    encode_dataset,
    fit,
    make_config,
)
from torch.utils._python_dispatch import TorchDispatchMode

from cmh_testing._data import CompleteRows, example_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cmh_train import EpochRecord, MethodSpec, Modality, Precision

_BATCH_SIZE = 16
_MODALITIES: tuple[Modality, ...] = ("image", "text")
_BIT_LENGTHS = (8, 37, 512)  # the ends of the range that `MethodConfig` allows, and one that divides nothing


@dataclass(frozen=True)
class _Case:
    """One method in one variant, and the data it is tried on."""

    spec: MethodSpec
    options: Mapping[str, Any]
    image_shape: tuple[int, ...]

    def data(self, **changes: Any) -> TrainingData:
        return example_data(**{"image_shape": self.image_shape, "labelled": self.spec.supervised, **changes})

    def build(self, data: TrainingData | None = None, *, seed: int = 0, **options: Any) -> HashingMethod:
        data = self.data() if data is None else data
        return build_method(self.spec, {**self.options, **options}, data.spec, seed)

    def train(
        self,
        data: TrainingData | None = None,
        *,
        seed: int = 0,
        epochs: int = 2,
        options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> tuple[HashingMethod, dict[str, list[float]]]:
        data = self.data() if data is None else data
        method = self.build(data, seed=seed, **(options or {}))
        result = fit(method, data, epochs=epochs, batch_size=_BATCH_SIZE, seed=seed, **settings)
        return method, result.losses

    def batch(self, method: HashingMethod, data: TrainingData, step: int = 0) -> Batch:
        """What a step gets: some rows, or all of them."""
        rows = np.arange(data.spec.n_train) if method.full_batch else np.arange(_BATCH_SIZE) + 8 * step
        return _batch(data, rows)

    def codes(self, method: HashingMethod, precision: Precision = "float32") -> list[np.ndarray]:
        data = self.data()
        return [encode_dataset(method, m, getattr(data, m), precision=precision) for m in _MODALITIES]


def contract_tests(
    spec: MethodSpec,
    *,
    options: Mapping[str, Any] | None = None,
    variants: Sequence[Mapping[str, Any]] = ({},),
    image_shape: tuple[int, ...] = (12,),
) -> type:
    """Make the contract tests of a method: a class for a test module, where pytest collects it.

    Args:
        spec: what the method's package announces.
        options: of all variants, for example narrow layers; `bits` and `batch_size` are 16 unless given here.
        variants: options beside these; every test runs once for each.
        image_shape: of one image, `(d_image,)` or `(3, height, width)`.

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
        >>> TestContract = contract_tests(spec, variants=[{}, {"epochs": 3}])
        >>> [name for name in dir(TestContract) if "three" in name]
        ['test_three_updates_give_finite_named_losses']
    """
    common = {"bits": 16, "batch_size": _BATCH_SIZE, **(options or {})}
    cases = [
        pytest.param(
            _Case(spec, {**common, **variant}, image_shape),
            id=" ".join(f"{name}={value}" for name, value in variant.items()) or "defaults",
        )
        for variant in variants
    ]

    @pytest.mark.parametrize("case", cases)
    class Contract(_Contract):
        pass

    return Contract


class _Contract:
    """The tests of one method; pytest gives each of them a case."""

    def test_it_is_built_as_asked(self, case: _Case) -> None:
        data = case.data()
        method = case.build(data)
        assert isinstance(method, HashingMethod)
        assert method.bits == 16
        assert isinstance(method.config, case.spec.config_type)
        assert method.data_spec == data.spec
        for name, tensor in method.state_dict().items():
            assert tensor.device.type == "cpu", name
            assert tensor.dtype == torch.float32 or not tensor.is_floating_point(), name

    def test_every_weight_belongs_to_one_optimiser(self, case: _Case) -> None:
        """Checkpoints hold the optimisers that `optimisers()` names, and no others."""
        method = case.build()
        held = [
            parameter
            for optimiser in method.optimisers().values()
            for group in optimiser.param_groups
            for parameter in group["params"]
        ]
        for name, parameter in method.named_parameters():
            expected = 1 if parameter.requires_grad else 0
            times = sum(parameter is other for other in held)
            assert times == expected, f"{name} is in {times} optimisers"

    def test_presets_are_options_of_the_method(self, case: _Case) -> None:
        for name, preset in case.spec.presets.items():
            assert make_config(case.spec, preset=name) == preset
        for name, option in case.spec.config_type.model_fields.items():
            assert option.description, f"option {name} has no description"

    def test_three_updates_give_finite_named_losses(self, case: _Case) -> None:
        method, data = case.build().train(), case.data()
        method.begin_training(_rows(data))
        method.begin_epoch(0)
        names: list[str] | None = None
        for step in range(3):
            losses = method.update(case.batch(method, data, step))
            assert names is None or list(losses) == names
            names = list(losses)
            assert names[-1] == "total", "the weighted sum is called total and comes last"
            for name, loss in losses.items():
                assert loss.shape == (), name
                assert not loss.requires_grad, name
                assert torch.isfinite(loss), name
        method.end_epoch(0)
        method.prepare_encoding()
        _assert_finite(method)

    def test_sample_losses_add_up_to_the_loss_of_the_batch(self, case: _Case) -> None:
        """Against frozen weights: a method may train its discriminators before it weighs their verdict."""
        method, data = case.build().train(), case.data()
        batch = case.batch(method, data)
        method.begin_training(_rows(data))
        method.begin_epoch(0)
        if not case.spec.sample_losses:
            with pytest.raises(NotImplementedError):
                method.sample_losses(batch)
            return
        for module in method.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for optimiser in method.optimisers().values():
            optimiser.step = lambda *_, **__: None  # type: ignore[assignment]
        method.update(batch)
        method.end_epoch(0)
        method.begin_epoch(1)
        with torch.no_grad(), _unmoved_generators():
            terms = method.sample_losses(batch)
        losses = method.update(batch)
        for name, values in terms.items():
            assert values.shape == (len(batch.index),), name
            assert not values.requires_grad, name
            assert name in losses, f"update has no loss {name}"
        expected = losses["total"].double()
        total = torch.stack(list(terms.values())).double().sum()
        torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-4)

    def test_updates_change_weights(self, case: _Case) -> None:
        before, (after, _) = case.build(), case.train(epochs=1)
        assert not all(
            torch.equal(old, new) for old, new in zip(before.parameters(), after.parameters(), strict=True)
        )

    def test_an_update_reads_no_number_back(self, case: _Case) -> None:
        """On a GPU that would wait for the device; a round of a whole training set may."""
        method, data = case.build().train(), case.data()
        if method.full_batch:
            pytest.skip("its epoch is a single step")
        for optimiser in method.optimisers().values():
            optimiser.step = lambda *_, **__: None  # type: ignore[assignment]  # counts steps on the CPU
        method.begin_training(_rows(data))
        method.begin_epoch(0)
        batch = _batch(data, np.arange(_BATCH_SIZE))
        with _NoTransfer():  # type: ignore[no-untyped-call]
            method.update(batch)

    def test_the_same_seed_gives_the_same_and_another_another(self, case: _Case) -> None:
        (first, losses), (second, again) = case.train(), case.train()
        other, _ = case.train(seed=1)
        assert losses == again
        _assert_same_state(first, second)
        assert not _same_state(first, other)

    def test_no_global_generator_moves(self, case: _Case) -> None:
        with _unmoved_generators():
            method, _ = case.train()
            case.codes(method)

    def test_a_state_dict_carries_everything(self, case: _Case) -> None:
        method, _ = case.train()
        other = case.build(seed=9)
        other.load_state_dict(method.state_dict())
        for mine, theirs in zip(case.codes(method), case.codes(other), strict=True):
            np.testing.assert_array_equal(mine, theirs)

    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    def test_a_resumed_training_ends_with_the_same(
        self, case: _Case, tmp_path: Any, precision: Precision
    ) -> None:
        whole, expected = case.train(epochs=4, precision=precision)
        checkpoint = tmp_path / "run.safetensors"
        case.train(epochs=2, precision=precision, checkpoint=checkpoint)
        resumed, losses = case.train(epochs=4, precision=precision, checkpoint=checkpoint)
        assert losses == expected
        _assert_same_state(whole, resumed)
        for name, optimiser in whole.optimisers().items():
            rates = [group["lr"] for group in optimiser.param_groups]
            assert rates == [group["lr"] for group in resumed.optimisers()[name].param_groups]

    @pytest.mark.parametrize("bits", _BIT_LENGTHS)
    def test_codes_of_any_length(self, case: _Case, bits: int) -> None:
        method, _ = case.train(epochs=1, options={"bits": bits})
        for codes in case.codes(method):
            assert codes.shape == (33, bits)
            assert np.isfinite(codes).all()

    def test_codes_have_one_row_for_each_input(self, case: _Case) -> None:
        method, data = case.build().eval(), case.data()
        before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
        with torch.no_grad():
            for modality in _MODALITIES:
                for n in (1, 2, 5):
                    features = torch.from_numpy(getattr(data, modality)[:n]).float()
                    codes = method.encode(modality, features)
                    assert codes.shape == (n, 16)
                    assert codes.is_floating_point()
                    assert torch.isfinite(codes).all()
                    assert torch.equal(codes, method.encode(modality, features)), "encoding is no training"
        assert all(torch.equal(before[name], tensor) for name, tensor in method.state_dict().items())

    def test_untrained_codes_are_finite(self, case: _Case) -> None:
        assert all(np.isfinite(codes).all() for codes in case.codes(case.build()))

    @pytest.mark.parametrize(
        "missing",
        [
            {"missing_images": slice(0, 7), "missing_texts": slice(20, 29)},
            {"missing_images": slice(0, 20), "missing_texts": slice(20, 33)},
            {"missing_images": slice(None)},
            {"missing_texts": slice(None)},
        ],
        ids=["some of both", "no pair", "no image", "no text"],
    )
    def test_missing_partners_leave_everything_finite(self, case: _Case, missing: dict[str, slice]) -> None:
        method, losses = case.train(case.data(**missing), epochs=2)
        assert all(np.isfinite(values).all() for values in losses.values())
        _assert_finite(method)
        assert all(np.isfinite(codes).all() for codes in case.codes(method))

    @pytest.mark.parametrize(
        "kind", ["no text", "no image", "nothing", "nobody complete", "all equal", "one sample"]
    )
    def test_awkward_batches_stay_finite(self, case: _Case, kind: str) -> None:
        method, data = case.build(), case.data()
        if method.full_batch or (kind == "one sample" and method.smallest_batch > 1):
            pytest.skip("it gets no such batch")
        method.begin_training(_rows(data))
        for epoch in range(3):
            method.begin_epoch(epoch)
            losses = method.update(_awkward(case.batch(method, data), kind))
            assert all(torch.isfinite(loss) for loss in losses.values())
        _assert_finite(method)

    def test_images_and_texts_that_share_no_row_differ_in_number(self, case: _Case) -> None:
        """Methods that need no pairs must learn from them; others must not break."""
        paired = case.data()
        label = paired.label
        data = TrainingData.from_unpaired(
            image=paired.image,
            text=paired.text[:20],
            image_label=label,
            text_label=None if label is None else label[:20],
        )
        method, losses = case.train(data)
        assert all(np.isfinite(values).all() for values in losses.values())
        _assert_finite(method)
        if not case.spec.needs_pairs:
            for codes in case.codes(method):
                assert len(np.unique(codes >= 0, axis=0)) > 1, "all items have one code"

    def test_zeros_of_missing_items_are_not_learned_from(self, case: _Case) -> None:
        if case.spec.needs_pairs:
            pytest.skip("what a method makes of missing items is its own")
        missing = {"missing_images": slice(0, 7), "missing_texts": slice(20, 29)}
        data = case.data(**missing)
        image, text = data.image.copy(), data.text.copy()
        image[~data.image_present], text[~data.text_present] = 9, -9
        (method, losses), (other, again) = case.train(data), case.train(replace(data, image=image, text=text))
        assert losses == again
        _assert_same_state(method, other)

    def test_items_of_other_rows_are_learned_from(self, case: _Case) -> None:
        """A method that leaves missing items out must count what stands in for them."""
        data = case.data(missing_images=slice(0, 8), missing_texts=slice(20, 28))
        if case.build(data).full_batch:
            pytest.skip("it trains on the items that are there")
        zeros, first, second = (
            case.train(data, partners=partners)[0]
            for partners in (None, CompleteRows(data), CompleteRows(data, shift=1))
        )
        assert not _same_state(zeros, first)
        assert not _same_state(first, second)

    def test_encoding_between_epochs_changes_no_training(self, case: _Case) -> None:
        data = case.data()
        expected, losses = case.train(data, epochs=3)
        method = case.build(data)

        def encode(_: EpochRecord) -> None:
            encode_dataset(method, "image", data.image)

        result = fit(method, data, epochs=3, batch_size=_BATCH_SIZE, on_epoch_end=encode)
        assert result.losses == losses
        _assert_same_state(expected, method)

    def test_ranked_items_have_codes_of_their_space(self, case: _Case) -> None:
        method, data = case.build(), case.data()
        for modality, other in zip(_MODALITIES, reversed(_MODALITIES), strict=True):
            ranked = encode_dataset(method, modality, getattr(data, modality), role="database")
            queries = encode_dataset(method, other, getattr(data, other), role="query")
            assert ranked.shape == queries.shape == (33, method.code_length(modality))
            if method.one_space:
                same = encode_dataset(method, modality, getattr(data, modality))
                np.testing.assert_array_equal(ranked, same)

    def test_learned_codes_are_signs_of_the_training_rows(self, case: _Case) -> None:
        method, _ = case.train()
        for modality in _MODALITIES:
            codes = method.learned_codes(modality)
            database = getattr(method.config, "database", "encoded")
            assert (codes is None) == (database == "encoded"), "an option database says what is ranked"
            if codes is not None:
                assert codes.shape == (33, method.code_length(modality))
                assert bool((codes.abs() == 1).all())

    def test_other_widths_are_refused(self, case: _Case) -> None:
        method, data = case.build().eval(), case.data()
        batch = _batch(data, np.arange(4))
        for modality in _MODALITIES:
            features = getattr(batch, modality)
            wider = torch.cat((features, features), dim=-1)
            with pytest.raises(ValueError, match=f"{modality} inputs must have shape"):
                method.encode(modality, wider)
            with pytest.raises(ValueError, match=f"{modality} inputs must have shape"):
                method.train().update(replace(batch, **{modality: wider}))

    def test_labels_are_asked_for_where_they_are_needed(self, case: _Case) -> None:
        unlabelled = case.data(labelled=False)
        if not case.spec.supervised:
            case.train(unlabelled, epochs=1)
            case.train(case.data(labelled=True), epochs=1)
            return
        with pytest.raises(ValueError, match="learns from labels, but the data have none"):
            case.build(unlabelled)
        batch = _batch(case.data(), np.arange(4))
        with pytest.raises(ValueError, match="label must have 3 columns"):
            case.build().train().update(replace(batch, label=None))

    @pytest.mark.parametrize("precision", ["float64", "bf16"])
    def test_other_precisions_stay_finite(self, case: _Case, precision: Precision) -> None:
        method, _ = case.train(epochs=2, precision=precision)
        expected = torch.float64 if precision == "float64" else torch.float32
        assert all(parameter.dtype == expected for parameter in method.parameters())
        _assert_finite(method)
        assert all(np.isfinite(codes).all() for codes in case.codes(method, precision))

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_on_a_gpu_the_same_seed_gives_the_same(self, case: _Case) -> None:
        (first, losses), (second, again) = case.train(device="cuda"), case.train(device="cuda")
        assert losses == again
        _assert_same_state(first, second)
        assert all(tensor.is_cuda for tensor in first.state_dict().values())
        assert all(np.isfinite(codes).all() for codes in case.codes(first))


class _NoTransfer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Forbids `.item()` and tensors made of numbers in main memory."""

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        aten = torch.ops.aten
        assert function not in (aten._local_scalar_dense.default, aten.lift_fresh.default), (  # noqa: SLF001
            f"update reads a number back or brings one from outside: {function}"
        )
        return function(*args, **(kwargs or {}))


@contextmanager
def _unmoved_generators() -> Iterator[None]:
    def states() -> list[Any]:
        numpys = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - it must not move
        in_numpy = numpys["pos"], numpys["key"].tolist()
        return [torch.get_rng_state().tolist(), in_numpy, random.getstate()]

    before = states()
    yield
    for name, old, new in zip(("torch", "NumPy", "Python"), before, states(), strict=True):
        assert old == new, f"the global generator of {name} has moved"


def _rows(data: TrainingData) -> TrainingRows:
    return TrainingRows(
        image=torch.from_numpy(data.image),
        text=torch.from_numpy(data.text),
        label=None if data.label is None else torch.from_numpy(data.label).float(),
        image_present=torch.from_numpy(data.image_present),
        text_present=torch.from_numpy(data.text_present),
    )


def _batch(data: TrainingData, index: np.ndarray) -> Batch:
    rows, where = _rows(data), torch.from_numpy(index)
    return Batch(
        image=rows.image[where].float(),
        text=rows.text[where].float(),
        label=None if rows.label is None else rows.label[where],
        index=where,
        image_present=rows.image_present[where],
        text_present=rows.text_present[where],
    )


def _same_state(first: HashingMethod, second: HashingMethod) -> bool:
    mine, theirs = first.state_dict(), second.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def _assert_same_state(first: HashingMethod, second: HashingMethod) -> None:
    mine, theirs = first.state_dict(), second.state_dict()
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        assert torch.equal(tensor, theirs[name]), f"{name} differs"


def _awkward(batch: Batch, kind: str) -> Batch:
    """Change a batch to what a step hardly ever meets."""
    half = torch.arange(len(batch.index)) < len(batch.index) // 2
    no_text = {"text": torch.zeros_like(batch.text), "text_present": torch.zeros_like(half)}
    no_image = {"image": torch.zeros_like(batch.image), "image_present": torch.zeros_like(half)}
    changes: dict[str, dict[str, Any]] = {
        "no text": no_text,
        "no image": no_image,
        "nothing": no_text | no_image,
        "nobody complete": {"image_present": half, "text_present": ~half},
        "all equal": {"image": torch.ones_like(batch.image), "text": torch.ones_like(batch.text)},
        "one sample": {name: None if value is None else value[:1] for name, value in vars(batch).items()},
    }
    return replace(batch, **changes[kind])


def _assert_finite(method: HashingMethod) -> None:
    for name, tensor in method.state_dict().items():
        assert torch.isfinite(tensor).all(), f"{name} is not finite"
