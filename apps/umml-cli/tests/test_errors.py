import errno

import pytest
from pydantic import ValidationError
from umml_cli.errors import describe_os_error, describe_validation
from umml_cli.runs.cells import Cell


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"discard": 100}, "discarding 100% of the training pairs leaves nothing to train on; discard less"),
        ({"discard": -1}, "discard: Input should be greater than or equal to 0 (got -1)"),
        ({"colour": 1}, "colour: there is no such entry"),
    ],
)
def test_findings_are_one_sentence(given, sentence):
    with pytest.raises(ValidationError) as found:
        Cell.model_validate(given)
    assert describe_validation(found.value) == sentence


def test_an_unknown_entry_gets_the_nearest_name():
    with pytest.raises(ValidationError) as found:
        Cell.model_validate({"discrad": 1})
    said = describe_validation(found.value, Cell.model_fields)
    assert said == "discrad: there is no such entry; did you mean 'discard'"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            errno.ENOSPC,
            "The disk is full (x); make room and run the same command again; a training continues.",
        ),
        (errno.EROFS, "No permission to write or read (x); choose another place to write to."),
        (errno.EIO, "it broke (x)."),
    ],
)
def test_what_the_system_refused_comes_with_its_cure(number, sentence):
    assert describe_os_error(OSError(number, "it broke", "x")) == sentence


def test_a_file_that_cannot_take_its_place_is_named_by_that_place():
    assert describe_os_error(OSError(errno.EISDIR, "no file", ".x.tmp", None, "x")) == "no file (x)."
