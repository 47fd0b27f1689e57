import numpy as np
import pytest
import torch
from cmh_train import HashingMethod, MethodConfig, MethodSpec, TrainingData, build_method


class Toy(HashingMethod):
    """Two linear layers pulled together; draws random numbers, keeps codes, has two kinds of optimiser."""

    def __init__(self, config, data):
        super().__init__()
        self.bits = config.bits
        self.image = torch.nn.Linear(data.image_shape[0], config.bits)
        self.text = torch.nn.Linear(data.text_width, config.bits)
        self.register_buffer("codes", torch.zeros(data.n_train, config.bits))
        self._adam = torch.optim.Adam(self.image.parameters(), lr=0.01)
        self._sgd = torch.optim.SGD(self.text.parameters(), lr=0.01, momentum=0.9)
        self.seen = []
        self.factor = 1.0

    def update(self, batch):
        self.seen.append(batch)
        image, text = self.image(batch.image), self.text(batch.text)
        self.codes[batch.index] = image.detach().to(self.codes.dtype)
        pull = (torch.nn.functional.dropout(image) - text).square().mean() * self.factor
        self._adam.zero_grad()
        self._sgd.zero_grad()
        torch.autograd.backward(pull)
        self._adam.step()
        self._sgd.step()
        return {"pull": pull.detach(), "one": torch.ones_like(pull)}

    def end_epoch(self, _):
        self._sgd.param_groups[0]["lr"] *= 0.9

    def encode(self, modality, features):
        return self.image(features) if modality == "image" else self.text(features)

    def optimisers(self):
        return {"adam": self._adam, "sgd": self._sgd}


TOY = MethodSpec(
    name="toy",
    title="Toy",
    config_type=MethodConfig,
    build=Toy,
    supervised=False,
    presets={"short": MethodConfig(bits=16, epochs=3)},
)


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    return TrainingData.from_arrays(
        image=rng.normal(size=(41, 6)).astype(np.float32),
        text=rng.integers(0, 2, size=(41, 5)).astype(np.uint8),
        label=np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 41)],
    )


@pytest.fixture
def spec():
    return TOY


@pytest.fixture
def make(data):
    return lambda seed=0, **options: build_method(TOY, {"bits": 8, **options}, data.spec, seed)


@pytest.fixture
def count_calls(monkeypatch):
    """Return what replaces a function of a module and lists the arguments of each call to it."""

    def replace(module, name):
        found, function = [], getattr(module, name)

        def counted(*arguments):
            found.append(arguments)
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)
        return found

    return replace
