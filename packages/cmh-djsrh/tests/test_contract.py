"""What every method promises, in every variant."""

from cmh_djsrh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"text_widths": (32,)},
    variants=[
        {},
        {"missing": "left-out"},
        {"missing": "left-out", "image_widths": (16,), "text_widths": (), "standardise": "matrix"},
    ],
)
