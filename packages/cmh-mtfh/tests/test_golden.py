"""Equal to what the authors' program computed once: every round, the logistic fits, the codes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cmh_mtfh import METHOD, MTFHConfig
from cmh_train import Batch, TrainingData, TrainingRows

N_IMAGE, N_TEXT = 40, 34


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "mtfh_small.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture
def trained(golden):
    """The method before its first round and the batch of a round, with the program's draws."""
    data = TrainingData.from_unpaired(
        image=golden["image_train"],
        text=golden["text_train"],
        image_label=golden["labels_image"],
        text_label=golden["labels_text"],
    )
    config = MTFHConfig.model_construct(  # shorter codes than the options allow
        **{
            **MTFHConfig().model_dump(),
            "bits": int(golden["bits_image"]),
            "text_bits": int(golden["bits_text"]),
            "anchors": 15,
        }
    )
    method = METHOD.build(config, data.spec).double()
    tensors = {
        "image": torch.from_numpy(data.image),
        "text": torch.from_numpy(data.text),
        "label": torch.from_numpy(data.label),
        "image_present": torch.from_numpy(data.image_present),
        "text_present": torch.from_numpy(data.text_present),
    }
    method.begin_training(TrainingRows(**tensors))
    method._take_anchors("image", torch.from_numpy(golden["anchor_rows_image"]))
    method._take_anchors("text", N_IMAGE + torch.from_numpy(golden["anchor_rows_text"]))
    method.begin_epoch(0)
    starts = {"image": "U", "text": "V", "text_as_image": "U_other", "image_as_text": "V_other"}
    for ours, theirs in starts.items():
        rows = slice(N_IMAGE) if ours.startswith("image") else slice(N_IMAGE, None)
        getattr(method, f"{ours}_codes")[rows] = torch.from_numpy(golden[f"start_{theirs}"]).double()
    limits = iter(golden["sweep_limits"].tolist())
    method._sweep_order = lambda _: range(next(limits))
    batch = Batch(**tensors, index=torch.arange(N_IMAGE + N_TEXT))
    return method, batch, limits


def test_every_round_is_the_programs(golden, trained):
    method, batch, limits = trained
    for each in range(len(golden["objective"])):
        found = method.update(batch)
        np.testing.assert_allclose(
            [float(loss) for loss in found.values()], golden["objective"][each], rtol=1e-9
        )
        for ours, theirs in (("image", "U"), ("image_as_text", "V_other")):
            np.testing.assert_array_equal(getattr(method, f"{ours}_codes")[:N_IMAGE], golden[theirs][each])
        for ours, theirs in (("text", "V"), ("text_as_image", "U_other")):
            np.testing.assert_array_equal(getattr(method, f"{ours}_codes")[N_IMAGE:], golden[theirs][each])
        np.testing.assert_allclose(method.image_mapping, golden["H1"][each], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(method.text_mapping, golden["H2"][each], rtol=1e-9, atol=1e-12)
    assert next(limits, None) is None, "every sweep of the program was done"
    assert bool(method.finished)
    before = method.image_codes.clone()
    method.update(batch)
    np.testing.assert_array_equal(method.image_codes, before)


def test_hash_functions_and_codes_of_queries_are_the_programs(golden, trained):
    method, batch, _ = trained
    for _ in range(len(golden["objective"])):
        method.update(batch)
    method.prepare_encoding()
    for modality, other in (("image", "text"), ("text", "image")):
        assert float(getattr(method, f"{modality}_kernel_width")) == pytest.approx(
            float(golden[f"width_{modality}"]), rel=1e-9
        )
        query = torch.from_numpy(golden[f"{modality}_query"])
        scores = method.encode_database(modality, query)
        np.testing.assert_allclose(scores, golden[f"score_query_{modality}"], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal((scores >= 0).numpy(), golden[f"query_codes_{modality}"] > 0)
        np.testing.assert_array_equal(
            (method.encode(modality, query) >= 0).numpy(), golden[f"query_codes_{modality}_as_{other}"] > 0
        )


def test_logistic_objectives_are_the_programs(golden, trained):
    method, batch, _ = trained
    for _ in range(len(golden["objective"])):
        method.update(batch)
    method.prepare_encoding()
    for modality, rows in (("image", slice(N_IMAGE)), ("text", slice(N_IMAGE, None))):
        weights = getattr(method, f"{modality}_function")
        anchors = getattr(method, f"{modality}_anchors")
        kernel = torch.exp(
            -(torch.cdist(anchors, anchors) ** 2) / getattr(method, f"{modality}_kernel_width")
        )
        margins = getattr(method, f"{modality}_codes")[rows] * method.encode_database(
            modality, getattr(batch, modality)[rows]
        )
        fit = torch.log1p(torch.exp(-margins)).sum(dim=0)
        objective = fit + 0.01 * (weights * (kernel @ weights)).sum(dim=0)
        np.testing.assert_allclose(objective, golden[f"logistic_objective_{modality}"], rtol=1e-6)


def test_both_map_values_are_the_programs(golden):
    """Whole ranking, stable order, queries without a relevant item left out."""
    for task, query, database, codes in (("i2t", "image", "text", "V"), ("t2i", "text", "image", "U")):
        queries = golden[f"query_codes_{query}_as_{database}"]
        distances = (queries[:, None] != golden[codes][-1]).sum(axis=2)
        relevant = golden["labels_query"] @ golden[f"labels_{database}"].T > 0
        values = []
        for row, same_label in zip(distances, relevant, strict=True):
            hits = same_label[np.argsort(row, kind="stable")]
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            values += [precision[hits].mean()] if hits.any() else []
        assert np.mean(values) == pytest.approx(float(golden[f"map_{task}"]), abs=1e-12)
