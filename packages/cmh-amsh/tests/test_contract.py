"""What every method promises, with both databases and with independent anchors."""

from cmh_amsh import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"anchors": 20, "start_rows": 24},
    variants=[{}, {"database": "learned", "anchor_rows": "independent"}],
)
