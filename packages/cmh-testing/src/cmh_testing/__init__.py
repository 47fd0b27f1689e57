"""The contract tests that every cross-modal hashing method passes."""

import pytest

pytest.register_assert_rewrite("cmh_testing._contract", "cmh_testing._cuda", "cmh_testing._left_out")

from cmh_testing._contract import contract_tests  # noqa: E402 - its assertions explain themselves from now on
from cmh_testing._cuda import cuda_tests  # noqa: E402
from cmh_testing._data import example_data  # noqa: E402
from cmh_testing._left_out import left_out_tests  # noqa: E402
from cmh_testing._steps import (  # noqa: E402
    benchmark_parser,
    loader_steps,
    peak_memory,
    random_steps,
    timing_options,
)
from cmh_testing._timing import time_ways  # noqa: E402

__all__ = [
    "benchmark_parser",
    "contract_tests",
    "cuda_tests",
    "example_data",
    "left_out_tests",
    "loader_steps",
    "peak_memory",
    "random_steps",
    "time_ways",
    "timing_options",
]
