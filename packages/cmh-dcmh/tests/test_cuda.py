"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

from cmh_dcmh import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"text_widths": (32,), "epochs": 4, "initial_deviation": 0.1},
    variants=[{}, {"variant": "port", "standardise": "matrix"}],
)
