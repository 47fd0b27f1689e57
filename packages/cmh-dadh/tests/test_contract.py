"""What every method promises, in every variant."""

from cmh_dadh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"layer_widths": (32, 16, 8), "learning_rate": 1e-3},
    variants=[
        {},
        {"dropout": 0.5},
        {"standardise": "feature"},
        {"variant": "icmr2020"},
        {"variant": "clean"},
        {"reference_point": "learned"},
    ],
)
