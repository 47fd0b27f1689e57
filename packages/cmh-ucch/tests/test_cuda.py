"""On a GPU: the CPU's first step, the same twice, resumed to the same, and no waiting inside an epoch."""

import torch
from cmh_testing import cuda_tests
from cmh_ucch import METHOD


def draw_the_same(patch):
    patch.setattr(
        "cmh_ucch.UCCH._draw_negatives",
        lambda method, batch: (
            (batch.index.unsqueeze(1) + torch.arange(20, device=batch.index.device)) % len(method.memory)
        ),
    )


TestOnGPU = cuda_tests(
    METHOD,
    options={"image_widths": (32, 24), "text_widths": (32,), "negatives": 20},
    variants=[{}, {"warmup_epochs": 0}, {"missing": "left-out", "warmup_epochs": 0}],
    without_chance=draw_the_same,
    first_step_only=True,
)
