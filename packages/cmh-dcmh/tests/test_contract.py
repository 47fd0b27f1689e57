"""What every method promises, in both variants."""

from cmh_dcmh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"text_widths": (32,), "epochs": 4, "initial_deviation": 0.1},
    variants=[{}, {"variant": "port", "standardise": "matrix", "image_widths": (16,)}],
)
