import numpy as np
import pytest
import torch
from cmh_train import HashingMethod, MethodConfig, TrainingData, fit, score_samples
from hypothesis import given, settings
from hypothesis import strategies as st


class Far(HashingMethod):
    """How far each image is from its text, and from the mean of its batch."""

    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.shift = torch.nn.Parameter(torch.zeros(()))
        self.sgd = torch.optim.SGD(self.parameters(), lr=0.5)
        self.batches = []

    def update(self, _):
        total = (self.shift - 1).square()
        self.sgd.zero_grad()
        total.backward()
        self.sgd.step()
        return {"total": total.detach()}

    def sample_losses(self, batch):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.batches.append(batch.index.tolist())
        return {
            "partner": (batch.image - batch.text + self.shift).abs().sum(dim=1),
            "mean": (batch.image - batch.image.mean(dim=0)).abs().sum(dim=1),
        }

    def optimisers(self):
        return {"sgd": self.sgd}


def data_of(image, text=None):
    image = np.asarray(image, np.float32).reshape(-1, 1)
    return TrainingData.from_arrays(
        image=image, text=np.zeros_like(image) if text is None else np.asarray(text).reshape(-1, 1)
    )


def test_every_sample_has_the_terms_of_its_own():
    data = data_of([1, 5, 2, 4], [1, 1, 1, 1])
    terms = score_samples(Far(MethodConfig(), data.spec), data, batch_size=9)
    assert list(terms) == ["partner", "mean"]
    assert terms["partner"].tolist() == [0, 4, 1, 3]
    assert terms["mean"].tolist() == [2, 2, 1, 1]
    assert terms["mean"].dtype == np.float64


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 40), batch_size=st.integers(1, 45), seed=st.integers(0, 3))
def test_every_sample_is_scored_once_in_a_full_batch(n, batch_size, seed):
    data = data_of(np.arange(n))
    method = Far(MethodConfig(), data.spec)
    terms = score_samples(method, data, batch_size=batch_size, seed=seed)
    assert terms["partner"].tolist() == list(range(n))
    sizes = {len(batch) for batch in method.batches}
    assert sizes == {min(batch_size, n)}
    assert all(len(set(batch)) == len(batch) for batch in method.batches)
    assert {row for batch in method.batches for row in batch} == set(range(n))
    again = score_samples(method, data, batch_size=batch_size, seed=seed)
    assert all(np.array_equal(terms[name], again[name]) for name in terms)


def test_the_first_batch_is_what_counts_for_those_who_fill_the_last():
    data = data_of([0, 10, 100])
    method = Far(MethodConfig(), data.spec)
    terms = score_samples(method, data, batch_size=2)
    last, first = method.batches  # scored backwards
    values = data.image[:, 0].astype(float)
    assert last[1] == first[0]
    assert [terms["mean"][row] for row in first] == [abs(values[row] - values[first].mean()) for row in first]
    assert terms["mean"][last[0]] == abs(values[last[0]] - values[last].mean())


def test_scoring_between_epochs_changes_no_training():
    data = data_of([1, 5, 2, 4])
    method, other = Far(MethodConfig(), data.spec), Far(MethodConfig(), data.spec)
    seen = []
    losses = fit(
        method, data, epochs=3, batch_size=2,
        on_epoch_end=lambda _: seen.append(score_samples(method, data, batch_size=2)["partner"][0]),
    ).losses  # fmt: skip
    assert losses == fit(other, data, epochs=3, batch_size=2).losses
    assert len(set(seen)) > 1 or seen[0] == 2.0
    assert method.training


def test_a_method_without_sample_losses_says_so():
    data = data_of([1, 2])
    method = HashingMethod(MethodConfig(), data.spec)
    method.weight = torch.nn.Parameter(torch.zeros(()))
    with pytest.raises(NotImplementedError):
        score_samples(method, data, batch_size=2)


def test_bad_arguments_are_refused():
    data = data_of([1, 2])
    method = Far(MethodConfig(), data.spec)
    with pytest.raises(ValueError, match="batch_size must be at least 1, but it is 0"):
        score_samples(method, data, batch_size=0)
    with pytest.raises(ValueError, match="seed must be a non-negative integer"):
        score_samples(method, data, batch_size=1, seed=-1)
    method.sample_losses = lambda batch: {"odd": batch.image}
    with pytest.raises(ValueError, match=r"must return \(2,\) numbers for 'odd'.*\(2, 1\)"):
        score_samples(method, data, batch_size=2)
