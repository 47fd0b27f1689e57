"""Equal to what the authors' program computed once: every round, the hash functions, the codes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cmh_amsh import METHOD
from cmh_amsh._hash_functions import fit_hash_function
from cmh_amsh._kernel import gaussian, squared_distances
from cmh_amsh._method import _Side
from cmh_amsh._rounds import Labels
from cmh_train import TrainingData, TrainingRows, build_method

MODALITIES = ("image", "text")
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "amsh_small.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture
def method(golden):
    """The method with the program's anchors and first rows, before its first round.

    The program makes kernel features of all 60 rows, and the golden run then trains on 52 of the texts.
    """
    image, text, label = (golden[f"{name}_train"] for name in ("image", "text", "labels"))
    data = TrainingData.from_arrays(image=image, text=text, label=label)
    method = build_method(METHOD, {"bits": int(golden["bits"])}, data.spec, seed=0).double()
    present = torch.ones(len(image), dtype=torch.bool)
    rows = TrainingRows(
        image=torch.from_numpy(image),
        text=torch.from_numpy(text),
        label=torch.from_numpy(label),
        image_present=present,
        text_present=present,
    )
    for modality in MODALITIES:
        method._begin_side(modality, rows, torch.from_numpy(golden["anchor_rows"]))
        order = torch.from_numpy(golden[f"{modality}_order"])
        side = method._sides[modality]
        method._sides[modality] = _Side(order, side.kernel[order], Labels.of(torch.from_numpy(label)[order]))
        method._start(modality, torch.from_numpy(golden[f"pca_rows_{modality}"]))
    return method


def in_program_order(golden, method, modality, name):
    """A buffer of the training rows as the program's columns."""
    return getattr(method, f"{modality}_{name}")[golden[f"{modality}_order"]].T


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


@pytest.mark.parametrize("modality", MODALITIES)
def test_kernel_features_and_start_are_the_programs(golden, method, modality):
    assert_close(method._sides[modality].kernel, golden[f"kernel_{modality}"])
    assert_close(in_program_order(golden, method, modality, "factors"), golden[f"V0_{modality}"])
    np.testing.assert_array_equal(
        in_program_order(golden, method, modality, "codes"), golden[f"B0_{modality}"]
    )


def test_all_fifteen_rounds_are_the_programs(golden, method):
    for each in range(15):
        losses = method._round()
        assert_close(losses["total"], golden["objective"][each])
        for modality in MODALITIES:
            names = {"factors": "V", "slack": "E"}
            for ours, theirs in names.items():
                assert_close(
                    in_program_order(golden, method, modality, ours), golden[f"{theirs}_{modality}"][each]
                )
            np.testing.assert_array_equal(
                in_program_order(golden, method, modality, "codes"), golden[f"B_{modality}"][each]
            )


@pytest.mark.parametrize("modality", MODALITIES)
def test_hash_functions_of_the_first_and_the_last_round_are_the_programs(golden, modality):
    kernel = torch.from_numpy(golden[f"kernel_{modality}"])
    codes = torch.from_numpy(golden[f"B_{modality}"][-1].T).double()
    for position, rounds in enumerate((1, 15)):
        function = fit_hash_function(kernel, codes, rounds=rounds, ridge=0.01)
        assert_close(function.T, golden[f"F_{modality}"][position])
        room = torch.relu((kernel @ function - codes) * codes)
        assert_close(room.T, golden[f"M_{modality}"][position])


@pytest.mark.parametrize("modality", MODALITIES)
def test_codes_of_queries_and_database_are_the_programs(golden, method, modality):
    for _ in range(15):
        method._round()
    method.prepare_encoding()
    query = torch.from_numpy(golden[f"{modality}_query"])
    np.testing.assert_array_equal(
        (method.encode(modality, query) > 0).numpy(), golden[f"query_codes_{modality}"] > 0
    )
    distances = squared_distances(query, getattr(method, f"{modality}_anchors")[:20])
    kernel = gaussian(distances, getattr(method, f"{modality}_kernel_width"))
    mean = getattr(method, f"{modality}_kernel_mean")[:20]
    assert_close(kernel - mean, golden[f"kernel_query_{modality}"])
    method.config = method.config.model_copy(update={"database": "learned"})
    learned = method.learned_codes(modality)[golden[f"{modality}_order"]]
    np.testing.assert_array_equal((learned > 0).numpy(), golden[f"database_codes_{modality}"] > 0)


def test_both_map_values_are_the_programs(golden, method):
    """Whole ranking, equal distances in the program's order of the database, 0 for a query without a hit."""
    for task, query, database in (("i2t", "image", "text"), ("t2i", "text", "image")):
        distances = (
            (golden[f"query_codes_{query}"][:, None] > 0) != (golden[f"database_codes_{database}"] > 0)
        ).sum(axis=2)
        relevant = golden["labels_query"] @ golden["labels_train"][golden[f"{database}_order"]].T > 0
        values = []
        for row, same_label in zip(distances, relevant, strict=True):
            hits = same_label[np.argsort(row, kind="stable")]
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            values.append(precision[hits].mean() if hits.any() else 0)
        assert np.mean(values) == pytest.approx(float(golden[f"map_{task}"]), abs=1e-12)
