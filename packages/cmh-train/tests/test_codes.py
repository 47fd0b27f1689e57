"""Outputs of exactly 0."""

import pytest
import torch
from cmh_train import zero_as_bit_0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_zero_becomes_bit_0_and_nothing_else_changes(dtype):
    values = torch.tensor([-1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0], dtype=dtype)
    shifted = zero_as_bit_0(values)
    assert ((shifted.float() >= 0) == (values > 0)).all()
    assert torch.equal(shifted[values != 0], values[values != 0].to(shifted.dtype))
    assert shifted.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
