"""Full precision inside autocast, and the norm that divides features."""

import pytest
import torch
from cmh_train import at_least_float32, frobenius_norm, full_precision


def test_full_precision_ends_with_its_block():
    values = torch.ones(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with full_precision(values):
            assert (values @ values).dtype == torch.float32
        assert (values @ values).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_short_types_become_float32_and_no_other(given, expected):
    assert at_least_float32(torch.ones(3, dtype=given)).dtype == expected


def test_the_norm_of_a_batch():
    features = torch.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    norm = frobenius_norm(features)
    assert norm.item() == 5.0
    assert not norm.requires_grad
    assert (torch.zeros(3, 2) / frobenius_norm(torch.zeros(3, 2))).tolist() == [[0.0, 0.0]] * 3
