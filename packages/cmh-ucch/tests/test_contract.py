"""What every method promises, in every variant."""

from cmh_testing import contract_tests, left_out_tests
from cmh_ucch import METHOD

NARROW = {"image_widths": (32, 24), "text_widths": (32,), "negatives": 20}
TestContract = contract_tests(
    METHOD,
    options=NARROW,
    variants=[
        {},
        {"missing": "left-out"},
        {"warmup_epochs": 0, "temperature_scaling": "none", "normalise_memory": False},
        {"missing": "left-out", "warmup_epochs": 0, "image_widths": (), "standardise": "matrix"},
    ],
)
TestLeftOut = left_out_tests(METHOD, options=NARROW)
TestLeftOutWithoutWarmUp = left_out_tests(METHOD, options={**NARROW, "warmup_epochs": 0})
