"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

from cmh_cagan import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(
    METHOD,
    options={"image_widths": (32,), "text_widths": (32,), "graph_widths": (24, 20)},
    variants=[
        {},
        {"missing": "left-out"},
        {"attention": "multiplicative", "similarity_enhancement": True, "text_graph_code": True},
    ],
)
