"""The tests for a GPU pass a sound method and find a fault, here with the CPU in a GPU's place."""

from functools import partial

import pytest
import torch
from cmh_testing import cuda_tests
from cmh_testing._cuda import _OnGPU
from cmh_train import HashingMethod, MethodConfig, MethodSpec, fit


class Sound(HashingMethod):
    """Two linear layers pulled together, with noise."""

    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.image = torch.nn.Linear(data_spec.image_shape[0], self.bits)
        self.text = torch.nn.Linear(data_spec.text_width, self.bits)
        self.register_buffer("n_step", torch.zeros(()))
        self.sgd = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    def update(self, batch):
        image, text = self.image(batch.image), self.text(batch.text)
        total = (image - text + 0.1 * self.noise(image)).square().mean()
        self.n_step += 1
        self.sgd.zero_grad()
        total.backward()
        self.sgd.step()
        return {"total": total.detach()}

    def noise(self, like):
        return torch.rand_like(like)

    def encode(self, modality, features):
        return self.image(features) if modality == "image" else self.text(features)

    def optimisers(self):
        return {"sgd": self.sgd}


class ForgetsItsMomentum(Sound):
    def optimisers(self):
        return {}


class DrawsByItself(Sound):
    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.generator = torch.Generator()
        self.generator.seed()

    def noise(self, like):
        return torch.rand(like.shape, generator=self.generator).to(like)


def cases_of(build, **settings):
    spec = MethodSpec(
        name="toy", title="Toy", config_type=MethodConfig, build=build, supervised=False, presets={}
    )
    (mark,) = [mark for mark in cuda_tests(spec, **settings).pytestmark if mark.name == "parametrize"]
    return [parameter.values[0] for parameter in mark.args[1]]


@pytest.fixture(autouse=True)
def cpu_in_the_place_of_a_gpu(monkeypatch):
    def fit_on_cpu(*arguments, **settings):
        return fit(*arguments, **settings | {"device": "cpu"})

    monkeypatch.setattr("cmh_testing._cuda.fit", fit_on_cpu)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda _: None)


def run(name, case, monkeypatch, tmp_path):
    test = partial(getattr(_OnGPU(), name), case)
    if name == "test_steps_are_those_of_the_cpu":
        test(monkeypatch)
    elif name == "test_resuming_gives_the_same":
        test(tmp_path)
    elif name == "test_the_same_seed_gives_the_same":
        test("float32")
    else:
        test()


NAMES = [name for name in dir(_OnGPU) if name.startswith("test_")]


@pytest.mark.parametrize("first_step_only", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_sound_method_passes(name, first_step_only, monkeypatch, tmp_path):
    (case,) = cases_of(Sound, first_step_only=first_step_only)
    run(name, case, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (ForgetsItsMomentum, "test_resuming_gives_the_same"),
        (DrawsByItself, "test_the_same_seed_gives_the_same"),
        (DrawsByItself, "test_steps_are_those_of_the_cpu"),
    ],
)
def test_faults_are_found(build, name, monkeypatch, tmp_path):
    (case,) = cases_of(build)
    with pytest.raises(AssertionError):
        run(name, case, monkeypatch, tmp_path)


def test_what_a_method_draws_can_be_replaced(monkeypatch, tmp_path):
    def without_noise(patch):
        patch.setattr(DrawsByItself, "noise", lambda _, like: torch.zeros_like(like))

    (case,) = cases_of(DrawsByItself, without_chance=without_noise)
    run("test_steps_are_those_of_the_cpu", case, monkeypatch, tmp_path)


def test_every_variant_has_its_case():
    assert [case.options["bits"] for case in cases_of(Sound, variants=[{}, {"bits": 8}])] == [16, 8]
