"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import pytest
import torch
from cmh_jdsh import METHOD
from cmh_jdsh._pixels import centre_crops, training_crops
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"text_widths": (32,)},
    variants=[
        {},
        {"dsdw": "estimate"},
        {"variant": "sigir2020"},
        {"variant": "sigir2020", "dsdw": "estimate"},
    ],
)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_crops_do_not_wait_for_the_device():
    image = torch.zeros(2, 3, 64, 80, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        crops = training_crops(image), centre_crops(image)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(crop.shape == (2, 3, 224, 224) for crop in crops)
