"""What every method promises, in every variant."""

from cmh_cagan import METHOD
from cmh_testing import contract_tests, left_out_tests

NARROW = {"image_widths": (32,), "text_widths": (32,), "graph_widths": (24, 20)}
TestContract = contract_tests(
    METHOD,
    options=NARROW,
    variants=[
        {},
        {"missing": "left-out"},
        {
            "attention": "multiplicative",
            "similarity_enhancement": True,
            "text_similarity": "cosine",
            "text_graph_code": True,
        },
        {"missing": "left-out", "similarity_enhancement": True, "standardise": "matrix"},
    ],
)
TestLeftOut = left_out_tests(METHOD, options=NARROW)
