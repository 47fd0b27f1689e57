"""What every method promises, with the program's slips and without, and with two code lengths."""

from cmh_mtfh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"anchors": 20},
    variants=[{}, {"database": "learned", "sweep": "permutation", "text_mapping": "H1"}],
)
