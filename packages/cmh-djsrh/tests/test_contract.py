"""What every method promises, in every variant."""

from cmh_djsrh import METHOD
from cmh_testing import contract_tests, left_out_tests

NARROW = {"text_widths": (32,)}
TestContract = contract_tests(
    METHOD,
    options=NARROW,
    variants=[
        {},
        {"missing": "left-out"},
        {"missing": "left-out", "image_widths": (16,), "text_widths": (), "standardise": "matrix"},
    ],
)
TestLeftOut = left_out_tests(METHOD, options=NARROW)
