"""What every method promises, with every target."""

from cmh_jdsh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"text_widths": (32,)},
    variants=[
        {},
        {"dsdw": "estimate"},
        {"variant": "sigir2020"},
        {"variant": "sigir2020", "dsdw": "estimate", "standardise": "matrix"},
    ],
)
