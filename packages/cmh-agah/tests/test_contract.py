"""What every method promises, with every norm."""

from cmh_agah import METHOD
from cmh_testing import contract_tests

TestContract = contract_tests(
    METHOD,
    options={"feature_width": 24, "text_widths": (32, 16), "discriminator_widths": (16, 8), "decay_every": 2},
    variants=[{}, {"encode_norm": "training"}, {"normalise": "row"}],
)
