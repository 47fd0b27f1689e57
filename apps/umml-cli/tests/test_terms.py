"""The words behind a method's name."""

import pytest
from cmh_train import available_methods
from umml_cli.terms import METHOD_REMARKS, method_remark, method_title


def test_methods_on_frozen_features_are_marked_wherever_their_name_stands():
    frozen = {name for name, method in available_methods().items() if method.fine_tuned is not None}
    assert frozen == {name for name, remark in METHOD_REMARKS.items() if remark == "frozen features"}
    assert {"dcmh", "dsph", "dchmt", "djsrh"} <= frozen


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("dcmh", "DCMH (frozen features)"),
        ("cfrh", "CFRH (reconstructed)"),
        ("amsh-learned", "AMSH (learned database)"),
        ("dadh", "DADH"),
    ],
)
def test_titles_of_methods(label, title):
    assert method_title(label) == title


def test_what_a_title_says_already_is_not_said_again():
    assert method_remark("cfrh", "CFRH, reconstructed") == ""
    assert method_remark("cfrh", "CFRH") == " (reconstructed)"
    assert method_remark("amsh-learned", "AMSH") == " (learned database)"
