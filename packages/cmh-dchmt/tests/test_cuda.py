"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

from cmh_dchmt import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"epochs": 4, "hidden_width": 16},
    variants=[{}, {"optimiser": "adamw", "standardise": "matrix"}],
    first_step_only=True,
)
