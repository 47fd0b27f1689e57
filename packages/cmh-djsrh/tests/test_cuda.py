"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

from cmh_djsrh import METHOD
from cmh_testing import cuda_tests

TestOnGPU = cuda_tests(METHOD, options={"text_widths": (32,)}, variants=[{}, {"missing": "left-out"}])
