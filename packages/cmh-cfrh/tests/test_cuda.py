"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

from cmh_cfrh import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"image_widths": (32,), "text_widths": (32,), "decoder_widths": (24,)},
    variants=[{}, {"missing": "left-out"}, {"text_similarity": "binary", "second_order": "cosine"}],
)
