"""What every method promises, in every variant."""

from cmh_dsph import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"epochs": 4},
    variants=[{}, {"optimiser": "adamw", "dropout": 0.0, "standardise": "matrix"}],
)
