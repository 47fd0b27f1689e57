"""The contract passes a sound method and finds the faults of others."""

import random

import numpy as np
import pytest
import torch
from cmh_testing import contract_tests
from cmh_testing._contract import _Case, _Contract
from cmh_train import HashingMethod, MethodConfig, MethodSpec


class Sound(HashingMethod):
    """Two linear layers pulled together; draws random numbers and keeps codes."""

    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.image = torch.nn.Linear(data_spec.image_shape[0], self.bits)
        self.text = torch.nn.Linear(data_spec.text_width, self.bits)
        self.register_buffer("codes", torch.zeros(data_spec.n_train, self.bits))
        self.adam = torch.optim.Adam(self.parameters())

    def update(self, batch):
        self._check_batch(batch)
        image, text = self.image(batch.image), self.text(batch.text)
        self.codes[batch.index] = image.detach().to(self.codes.dtype)
        total = (torch.nn.functional.dropout(image) - text).square().mean()
        self.adam.zero_grad()
        total.backward()
        self.adam.step()
        return {"total": total.detach()}

    def encode(self, modality, features):
        self._check_input(modality, features)
        return self.image(features) if modality == "image" else self.text(features)

    def optimisers(self):
        return {"adam": self.adam}


def spec_of(build, **changes):
    values = {
        "name": "toy",
        "title": "Toy",
        "config_type": MethodConfig,
        "build": build,
        "supervised": False,
        "presets": {"small": {"epochs": 2}},
    }
    return MethodSpec(**values | changes)


TestSound = contract_tests(spec_of(Sound), variants=[{}, {"bits": 16, "epochs": 3}])
TestSupervised = contract_tests(spec_of(Sound, supervised=True))


class HidesItsOptimiser(Sound):
    def optimisers(self):
        return {}


class GrowsNotANumber(Sound):
    def update(self, batch):
        return {"total": super().update(batch)["total"] * float("nan")}


class NamesNoTotal(Sound):
    def update(self, batch):
        return {"loss": super().update(batch)["total"]}


class ReadsALoss(Sound):
    def update(self, batch):
        losses = super().update(batch)
        losses["total"].item()
        return losses


class KeepsACodeBesideItsState(Sound):
    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.shift = float(torch.rand(()))

    def encode(self, modality, features):
        return super().encode(modality, features) + self.shift


class DrawsFromNumPy(Sound):
    def update(self, batch):
        np.random.rand()  # noqa: NPY002 - the fault
        return super().update(batch)


class DrawsFromPython(Sound):
    def end_epoch(self, _):
        random.random()  # noqa: S311 - the fault


class CountsSteps(Sound):
    """Counts outside its state, so an interrupted training forgets."""

    steps = 0

    def update(self, batch):
        self.steps += 1
        self.adam.param_groups[0]["weight_decay"] = 0.0 if self.steps < 8 else 0.5
        return super().update(batch)


class LearnsWhileEncoding(Sound):
    def encode(self, modality, features):
        self.codes += 1
        return super().encode(modality, features)


class TakesAnyWidth(Sound):
    def _check_input(self, modality, features):
        pass

    def encode(self, modality, features):
        return super().encode(modality, features[:, : self.data_spec.text_width])


class RoundsToEvenLengths(Sound):
    def encode(self, modality, features):
        return super().encode(modality, features)[:, : self.bits // 2 * 2]


class NeverLearns(Sound):
    def update(self, batch):
        return {"total": torch.zeros((), device=batch.image.device)}


class DividesByWhatIsThere(Sound):
    def update(self, batch):
        losses = super().update(batch)
        return {"total": losses["total"] / batch.text_present.sum()}


@pytest.mark.parametrize(
    ("fault", "test", "arguments"),
    [
        (HidesItsOptimiser, "every_weight_belongs_to_one_optimiser", {}),
        (GrowsNotANumber, "three_updates_give_finite_named_losses", {}),
        (NamesNoTotal, "three_updates_give_finite_named_losses", {}),
        (ReadsALoss, "an_update_reads_no_number_back", {}),
        (KeepsACodeBesideItsState, "a_state_dict_carries_everything", {}),
        (DrawsFromNumPy, "no_global_generator_moves", {}),
        (DrawsFromPython, "no_global_generator_moves", {}),
        (LearnsWhileEncoding, "codes_have_one_row_for_each_input", {}),
        (NeverLearns, "updates_change_weights", {}),
    ],
)
def test_a_fault_is_found(fault, test, arguments):
    case = _Case(spec_of(fault), {"bits": 16, "batch_size": 16}, (12,))
    with pytest.raises(AssertionError):
        getattr(_Contract(), f"test_{test}")(case, **arguments)


@pytest.mark.parametrize(
    ("fault", "test", "arguments"),
    [
        (RoundsToEvenLengths, "codes_of_any_length", {"bits": 37}),
        (
            DividesByWhatIsThere,
            "missing_partners_leave_everything_finite",
            {"missing": {"missing_texts": slice(None)}},
        ),
    ],
)
def test_a_fault_that_training_refuses_is_found(fault, test, arguments):
    case = _Case(spec_of(fault), {"bits": 16, "batch_size": 16}, (12,))
    with pytest.raises(ValueError, match=r"must return a tensor of shape|became NaN or infinite"):
        getattr(_Contract(), f"test_{test}")(case, **arguments)


def test_a_run_that_forgets_is_found(tmp_path):
    case = _Case(spec_of(CountsSteps), {"bits": 16, "batch_size": 16}, (12,))
    with pytest.raises(AssertionError):
        _Contract().test_a_resumed_training_ends_with_the_same(case, tmp_path, "float32")


def test_a_width_that_is_not_refused_is_found():
    case = _Case(spec_of(TakesAnyWidth), {"bits": 16, "batch_size": 16}, (12,))
    with pytest.raises((pytest.fail.Exception, RuntimeError)):
        _Contract().test_other_widths_are_refused(case)


def test_a_seed_that_decides_nothing_is_found(monkeypatch):
    case = _Case(spec_of(Sound), {"bits": 16, "batch_size": 16}, (12,))
    train = _Case.train
    monkeypatch.setattr(_Case, "train", lambda self, **settings: train(self, **settings | {"seed": 0}))
    with pytest.raises(AssertionError):
        _Contract().test_the_same_seed_gives_the_same_and_another_another(case)
