"""What every method promises, in every variant."""

from cmh_testing import contract_tests
from cmh_ucch import METHOD

TestContract = contract_tests(
    METHOD,
    options={"image_widths": (32, 24), "text_widths": (32,), "negatives": 20},
    variants=[
        {},
        {"missing": "left-out"},
        {"warmup_epochs": 0, "temperature_scaling": "none", "normalise_memory": False},
        {"missing": "left-out", "warmup_epochs": 0, "image_widths": (), "standardise": "matrix"},
    ],
)
