import json

import pytest
from pydantic import ValidationError
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment, find_experiments
from umml_cli.grid.reproduction import Reproduction
from umml_cli.inputs.data_sources import open_sources
from umml_cli.names import is_name
from umml_cli.report.outputs import rewrite_outputs

BAD = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc/x",
    "a\\b",
    "C:x",
    ".hidden",
    "-x",
    "~x",
    "a\nb",
    "a\0b",
    "x" * 101,
    "x ",
]


@pytest.mark.parametrize("name", BAD)
def test_what_would_lead_elsewhere_is_no_name(name):
    assert not is_name(name)


@pytest.mark.parametrize("name", ["emoji", "nuswide-tc21", "my data [v2]", "文化", "a.b", "x" * 100])
def test_names_are_names(name):
    assert is_name(name)


@pytest.mark.parametrize("name", [name for name in BAD if "=" not in name and name])
def test_data_is_not_called_so(name):
    with pytest.raises(UserError, match="--data"):
        open_sources([f"{name}=emoji"])


def test_experiments_are_not_called_so(tmp_path):
    path = tmp_path / ".toml.toml"
    path.write_text("")
    with pytest.raises(UserError, match="not a valid file name"):
        find_experiments([str(path)])
    for changed in ({"data": ["../x"]}, {"methods": {"../x": {}}}):
        given = {"title": "t", "data": ["emoji"], "methods": {"dadh": {}}, "cells": {"paired": [0]}} | changed
        with pytest.raises(ValidationError, match="a name must have"):
            Experiment.model_validate(given)


@pytest.mark.parametrize("place", ["experiments", "locations", "dataset", "method"])
@pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b"])
def test_a_foreign_results_folder_writes_nowhere_else(tmp_path, place, name):
    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    experiment = {
        "title": "t", "data": ["emoji"], "methods": {"dadh": {}}, "cells": {"paired": [0]}, "table": "cells",
    }  # fmt: skip
    spec = {
        "dataset": "emoji", "data_digest": "0", "method": "dadh", "method_version": "1", "bits": 8,
        "epochs": 1, "batch_size": 8, "options": {}, "cell": {}, "seed": 0,
    }  # fmt: skip
    grid = {
        "experiments": {name if place == "experiments" else "grid": experiment},
        "settings": {name if place == "experiments" else "grid": []},
        "locations": {name if place == "locations" else "emoji": "emoji"},
        "specifications": [spec | ({place: name} if place in spec else {})],
    }
    (out / "grid.json").write_text(json.dumps(grid))
    with pytest.raises(UserError, match="a name must have"):
        rewrite_outputs(out, None)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "out", "grid.json"]


def test_settings_name_every_experiment(tmp_path):
    experiment = {"title": "t", "data": ["emoji"], "methods": {"dadh": {}}, "cells": {"paired": [0]}}
    grid = {"experiments": {"grid": experiment}, "settings": {}, "locations": {}, "specifications": []}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    with pytest.raises(UserError, match=r"grid.json is not understood: settings must name the experiments"):
        Reproduction.load(tmp_path)
