import pytest
from umml_cli.errors import UserError
from umml_cli.inputs.method_options import method_config, named_method, options_of, parse_options


def test_numbers_with_commas_are_a_list():
    given = ["a=64,32,16", "b=[64, 32]", "c=0.5, 1e-3", "d=1", "e=x,y", "f=true", "g="]
    assert parse_options(given) == {
        "a": [64, 32, 16], "b": [64, 32], "c": [0.5, 1e-3], "d": 1, "e": "x,y", "f": True, "g": "",
    }  # fmt: skip


def test_a_method_is_found_in_any_case():
    assert named_method("DADH").name == named_method("dadh").name == "dadh"
    with pytest.raises(UserError, match=r"no method 'dahd'.*did you mean 'dadh'"):
        named_method("dahd")


def test_an_unknown_option_or_preset_names_the_nearest():
    with pytest.raises(UserError, match="Method dadh has no option 'margn'; did you mean 'margin'"):
        method_config("dadh", preset=None, options={"margn": 1})
    with pytest.raises(UserError, match=r"has no preset 'smal'; there are .*; did you mean 'small'"):
        method_config("DADH", preset="smal", options={})
    with pytest.raises(UserError, match="no option 'xyzzy'; there are bits, epochs, batch_size"):
        method_config("dadh", preset=None, options={"xyzzy": 1})


def test_options_of_the_method_that_is_trained():
    assert options_of(["margin=0.3", "DADH.bits=16"], "dadh") == {"margin": 0.3, "bits": 16}
    with pytest.raises(UserError, match="--set names the method agah, but dadh is what is trained"):
        options_of(["agah.bits=16"], "dadh")
