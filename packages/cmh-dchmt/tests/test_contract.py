"""What every method promises, in every variant."""

from cmh_dchmt import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"epochs": 4, "hidden_width": 16, "learning_rate": 0.01},
    variants=[{}, {"optimiser": "adamw", "standardise": "matrix", "margin_share": 0.5}],
)
