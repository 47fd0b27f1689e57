"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import torch
from cmh_agah import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"feature_width": 24, "text_widths": (32, 16), "discriminator_widths": (16, 8)},
    variants=[{}, {"encode_norm": "training"}, {"normalise": "row"}],
    without_chance=lambda patch: patch.setattr(torch, "rand_like", lambda like: torch.full_like(like, 0.3)),
    first_step_only=True,
    tolerance=1e-6,
)
