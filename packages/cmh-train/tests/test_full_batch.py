"""Methods that are fitted as a whole: one step an epoch, with all rows."""

import numpy as np
import pytest
import torch
from cmh_train import (
    Batch,
    FullBatchConfig,
    HashingMethod,
    MethodConfig,
    MethodSpec,
    TrainingData,
    build_method,
    encode_dataset,
    encode_rows,
    fit,
    load_checkpoint,
)


class Rounds(HashingMethod):
    """Halves a number in every round, and encodes with what was fitted to it last."""

    full_batch = True

    def __init__(self, config, data_spec):
        super().__init__(config, data_spec)
        self.fitted = torch.nn.Parameter(torch.zeros(()), requires_grad=False)
        self.register_buffer("value", torch.ones(()))
        self.seen, self.fits, self.moved = [], 0, False

    def update(self, batch):
        self._check_batch(batch)
        self.seen.append(batch)
        self.value /= 2
        self.moved = True
        return {"total": self.value.clone()}

    def prepare_encoding(self):
        if self.moved:
            self.fitted.copy_(self.value)
            self.fits += 1
            self.moved = False

    def encode(self, modality, features):
        self._check_input(modality, features)
        return self.fitted.expand(len(features), self.bits)


SPEC = MethodSpec(
    name="rounds",
    title="Rounds",
    config_type=FullBatchConfig,
    build=Rounds,
    supervised=False,
    presets={},
    needs_pairs=False,
)


@pytest.fixture
def data():
    image = np.arange(10, dtype=np.float32).reshape(5, 2)
    present = np.array([True, True, False, True, True])
    return TrainingData.from_arrays(image=image, text=image, image_present=present)


def build(data):
    return build_method(SPEC, {"bits": 8}, data.spec, seed=0)


def test_a_step_sees_every_row_in_its_order_and_an_epoch_is_a_step(data):
    method = build(data)
    result = fit(method, data, epochs=3, batch_size=2)
    assert result.losses["total"] == [0.5, 0.25, 0.125]
    for batch in method.seen:
        assert isinstance(batch, Batch)
        assert batch.index.tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(batch.image, data.image)
        np.testing.assert_array_equal(batch.image_present, data.image_present)


def test_what_encodes_is_fitted_after_the_last_round_only(data):
    method = build(data)
    fit(method, data, epochs=3, batch_size=0)
    assert method.fits == 1
    assert encode_dataset(method, "text", data.text)[0, 0] == 0.125
    assert method.fits == 1


def test_what_encodes_is_fitted_where_codes_are_asked_for_between_rounds(data):
    method, codes = build(data), []
    fit(method, data, epochs=3, batch_size=0, on_epoch_end=lambda record: record.epoch == 1 or codes.append(
        encode_dataset(method, "text", data.text)[0, 0]
    ))  # fmt: skip
    assert codes == [0.5, 0.125]
    assert method.fits == 2


def test_a_checkpoint_of_the_end_holds_what_encodes(data, tmp_path):
    fit(build(data), data, epochs=2, batch_size=0, checkpoint=tmp_path / "run")
    other = build(data)
    load_checkpoint(tmp_path / "run", other)
    assert float(other.fitted) == 0.25


def test_rounds_continue_whatever_batch_size_is_given(data, tmp_path):
    fit(build(data), data, epochs=2, batch_size=2, checkpoint=tmp_path / "run")
    result = fit(build(data), data, epochs=3, batch_size=3, checkpoint=tmp_path / "run")
    assert result.resumed_from == 2
    assert result.losses["total"] == [0.5, 0.25, 0.125]


def test_any_batch_size_is_kept_as_all_rows():
    assert FullBatchConfig(batch_size=64).batch_size == 0
    with pytest.raises(ValueError, match="batch_size"):
        FullBatchConfig(batch_size=-1)


def test_donors_are_refused(data):
    class Donors:
        digest = "d"

    with pytest.raises(ValueError, match="own rows"):
        fit(build(data), data, epochs=1, batch_size=0, partners=Donors())


def test_a_method_that_needs_no_pairs_completes_nothing_by_default():
    assert SPEC.completion == "none"
    assert MethodSpec(
        name="m", title="M", config_type=MethodConfig, build=Rounds, supervised=True, presets={}
    ).completion == "label"  # fmt: skip


def test_no_method_has_learned_codes_unless_it_says_so(data):
    assert build(data).learned_codes("image") is None


def test_images_and_texts_that_are_no_pairs_become_rows_of_their_own():
    data = TrainingData.from_unpaired(
        image=np.ones((3, 2)), text=np.full((2, 4), 5), image_label=np.eye(3), text_label=np.eye(3)[:2]
    )
    assert data.image_present.tolist() == [True, True, True, False, False]
    assert data.text_present.tolist() == [False, False, False, True, True]
    np.testing.assert_array_equal(data.image, [[1, 1]] * 3 + [[0, 0]] * 2)
    np.testing.assert_array_equal(data.text, [[0] * 4] * 3 + [[5] * 4] * 2)
    np.testing.assert_array_equal(data.label, np.concatenate((np.eye(3), np.eye(3)[:2])))
    assert data.spec.image_mean == 1, "zeros of missing images count for nothing"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_label": None}, "image_label and text_label belong together"),
        ({"text_label": np.eye(2)}, "must have the same columns, but they have 3 and 2"),
        ({"text_label": np.eye(3)}, "text and text_label must have the same rows, but text has 2"),
        ({"image_label": np.full((3, 3), 2)}, "image_label must hold zeros and ones"),
        ({"image": np.ones(3)}, "image must have a row axis and a feature axis"),
    ],
)
def test_images_and_texts_that_do_not_fit_are_refused(changes, message):
    arrays = {"image": np.ones((3, 2)), "text": np.ones((2, 4))}
    labels = {"image_label": np.eye(3), "text_label": np.eye(3)[:2]}
    with pytest.raises(ValueError, match=message):
        TrainingData.from_unpaired(**{**arrays, **labels, **changes})


def test_other_numbers_of_images_and_texts_are_refused_with_the_methods_that_take_them(monkeypatch):
    monkeypatch.setattr("cmh_train._registry.available_methods", lambda: {"rounds": SPEC})
    with pytest.raises(ValueError, match=r"image has 3 and text 2; methods that need no pairs \(rounds\)"):
        TrainingData.from_arrays(image=np.ones((3, 2)), text=np.ones((2, 4)))


class TwoSpaces(Rounds):
    """Images are ranked by 8 bits, texts by 5."""

    one_space = False

    def code_length(self, modality):
        return 8 if modality == "image" else 5

    def encode(self, modality, features):
        return torch.ones(len(features), 5 if modality == "image" else 8)

    def encode_database(self, modality, features):
        return -torch.ones(len(features), self.code_length(modality))


def test_a_query_has_a_code_of_the_space_that_it_looks_in(data):
    method = TwoSpaces(FullBatchConfig(bits=8), data.spec)
    for modality, bits, other_bits in (("image", 8, 5), ("text", 5, 8)):
        ranked = encode_dataset(method, modality, data.image, role="database")
        np.testing.assert_array_equal(ranked, -np.ones((5, bits)))
        np.testing.assert_array_equal(encode_dataset(method, modality, data.image), np.ones((5, other_bits)))
        rows = encode_rows(method, modality, data.image, np.array([1, 3]), role="database")
        assert rows.shape == (2, bits)
        assert encode_rows(method, modality, data.image, np.arange(0)).shape == (0, other_bits)


def test_with_one_space_a_ranked_item_has_the_code_of_a_query(data):
    method = build(data)
    for role in ("query", "database"):
        assert encode_dataset(method, "text", data.text, role=role).shape == (5, 8)
    with pytest.raises(ValueError, match="role must be 'query' or 'database', but it is 'item'"):
        encode_dataset(method, "text", data.text, role="item")
