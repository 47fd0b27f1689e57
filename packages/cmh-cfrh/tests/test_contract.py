"""What every method promises, in every variant."""

from cmh_cfrh import METHOD
from cmh_testing import contract_tests, left_out_tests

NARROW = {"image_widths": (32,), "text_widths": (32,), "decoder_widths": (24,)}
TestContract = contract_tests(
    METHOD,
    options=NARROW,
    variants=[
        {},
        {"missing": "left-out"},
        {"text_similarity": "binary", "second_order": "cosine", "reconstruction_target": "raw"},
        {"missing": "left-out", "decoder_widths": (), "standardise": "matrix"},
    ],
)
TestLeftOut = left_out_tests(METHOD, options=NARROW)
