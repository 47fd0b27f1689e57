"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import torch
from cmh_dadh import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"standardise": "feature", "layer_widths": (32, 16, 8), "learning_rate": 1e-3},
    variants=[{"variant": variant} for variant in ("umml2022", "icmr2020", "clean")],
    without_chance=lambda patch: patch.setattr(
        "cmh_dadh.DADH._draw_shares", lambda _, like: torch.full_like(like, 0.3)
    ),
    first_step_only=True,
)
