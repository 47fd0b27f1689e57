"""Methods that an experiment does not have, beside those that it has."""

import cmh_train
import pytest
from umml_cli.errors import UserError
from umml_cli.grid.experiment import find_experiments
from umml_cli.grid.specify import refuse_unused, specify, with_own_methods
from umml_cli.inputs.data_sources import DataSource
from umml_cli.inputs.method_options import named_label


@pytest.fixture(scope="module")
def emoji():
    import cmh_data

    return {"emoji": DataSource(location="emoji", dataset=cmh_data.load("emoji"))}


def test_a_method_that_no_experiment_has_is_added_with_its_presets(emoji):
    found = with_own_methods(find_experiments(["table3"]), ["ucch", "dadh"])
    refuse_unused(found, methods=["ucch", "dadh"], overrides={}, data=emoji)
    chosen = found["table3"].choose(methods=["ucch", "dadh"])
    assert list(chosen.methods) == ["dadh", "ucch"]
    runs = list(specify(chosen, emoji))
    assert {(run.method, run.bits) for run in runs} == {("dadh", 64), ("ucch", 64)}
    small = cmh_train.find_method("ucch").presets["small"]
    assert {run.epochs for run in runs if run.method == "ucch"} == {small.epochs}


def test_a_method_that_one_of_several_experiments_has_is_added_to_none():
    found = find_experiments(["table3", "table8"])
    more = with_own_methods(found, ["amsh-learned"])
    assert "amsh-learned" not in more["table3"].methods
    assert more == found


def test_a_preset_with_the_name_of_a_data_set_is_taken_for_it():
    found = with_own_methods(find_experiments(["table3"]), ["dcmh"])["table3"]
    presets = cmh_train.find_method("dcmh").presets
    assert found.methods["dcmh"].presets.keys() == presets.keys()


def test_a_method_that_is_not_installed_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'dadh'"):
        named_label("dahd")
