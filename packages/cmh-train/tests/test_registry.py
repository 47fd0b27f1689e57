from importlib.metadata import EntryPoint

import pytest
import torch
from cmh_train import (
    BrokenMethodError,
    DataSpec,
    MethodSpec,
    UnknownMethodError,
    available_methods,
    broken_methods,
    build_method,
    find_method,
    make_config,
)

DATA = DataSpec(n_train=4, image_shape=(3,), text_width=2)


@pytest.fixture
def installed(monkeypatch):
    """Pretend that packages announce these methods."""

    def announce(**values):
        points = [EntryPoint(name, value, "cmh.methods") for name, value in values.items()]
        monkeypatch.setattr(
            "cmh_train._registry.entry_points", lambda group: points * (group == "cmh.methods")
        )

    return announce


@pytest.fixture
def toy(installed, spec, monkeypatch):
    monkeypatch.setattr("cmh_train.toy_for_tests", spec, raising=False)
    installed(toy="cmh_train:toy_for_tests", bad="no_such_module:METHOD", wrong="cmh_train:fit")
    return spec


def test_a_method_is_found_beside_broken_ones(toy):
    assert find_method("toy") is toy


def test_all_methods_by_name(toy, installed):
    installed(zoo="cmh_train:toy_for_tests", toy="cmh_train:toy_for_tests")
    assert available_methods() == {"toy": toy, "zoo": toy}
    assert list(available_methods()) == ["toy", "zoo"]


def test_a_method_is_found_by_its_aliases_in_any_case(toy, spec, monkeypatch):
    aliased = type(spec)(**{**vars(spec), "aliases": ("plaything", "toy-2023")})
    monkeypatch.setattr("cmh_train.toy_for_tests", aliased)
    for name in ("toy", "TOY", "plaything", "Toy-2023"):
        assert find_method(name) is aliased
    with pytest.raises(UnknownMethodError, match="'toy-2024'; installed methods: bad, toy, wrong"):
        find_method("toy-2024")


def test_an_unknown_method_lists_the_known(toy):
    with pytest.raises(
        UnknownMethodError, match="there is no method 'tyo'; installed methods: bad, toy, wrong"
    ):
        find_method("tyo")


def test_no_method_at_all(installed):
    installed()
    assert available_methods() == {}
    with pytest.raises(UnknownMethodError, match="none; install a package such as cmh-dadh"):
        find_method("dadh")


def test_broken_methods(toy):
    with pytest.raises(BrokenMethodError, match=r"method 'bad' of .* ModuleNotFoundError: No module named"):
        find_method("bad")
    with pytest.raises(BrokenMethodError, match="'cmh_train:fit' is a function, not a MethodSpec"):
        find_method("wrong")


def test_one_broken_method_does_not_take_the_others_with_it(toy, installed, monkeypatch, tmp_path):
    (tmp_path / "leaves_at_import.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    installed(
        bad="no_such_module:METHOD",
        leaves="leaves_at_import:METHOD",
        toy="cmh_train:toy_for_tests",
        wrong="cmh_train:fit",
    )
    assert available_methods() == {"toy": toy}
    broken = broken_methods()
    assert list(broken) == ["bad", "leaves", "wrong"]
    assert "No module named 'no_such_module'" in str(broken["bad"])
    assert "SystemExit: 3" in str(broken["leaves"])


def test_a_name_that_two_packages_announce_is_refused(toy, monkeypatch):
    points = [EntryPoint("toy", "cmh_train:toy_for_tests", "cmh.methods")] * 2
    monkeypatch.setattr("cmh_train._registry.entry_points", lambda group: points)  # noqa: ARG005
    with pytest.raises(
        BrokenMethodError, match=r"'toy' is announced by several packages: .*; uninstall all but one"
    ):
        find_method("toy")
    assert available_methods() == {}


def test_presets_may_be_dictionaries(spec):
    written = MethodSpec(**{**vars(spec), "presets": {"short": {"bits": 16, "epochs": 3}}})
    assert written == spec
    assert make_config(written, preset="short", options={"bits": 32}).epochs == 3


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (
            {"bist": 16},
            "preset 'short': method 'toy' has no option 'bist'; options: bits, epochs, batch_size",
        ),
        ({"bits": 1}, "preset 'short': option 'bits' of method 'toy': Input should be greater than or equal"),
        (3, "preset 'short': method 'toy': Input should be a valid dictionary"),
    ],
)
def test_bad_presets_are_one_sentence(spec, preset, message):
    with pytest.raises(ValueError, match=message) as caught:
        MethodSpec(**{**vars(spec), "presets": {"short": preset}})
    assert "\n" not in str(caught.value)


def test_a_build_that_returns_no_method_is_refused(spec):
    careless = MethodSpec(**{**vars(spec), "build": lambda *_: torch.nn.Linear(1, 1)})
    with pytest.raises(
        BrokenMethodError, match=r"build of method 'toy' must return a HashingMethod, but .* Linear"
    ):
        build_method(careless, None, DATA, 0)


def test_configs(spec):
    assert make_config(spec).bits == 64
    assert make_config(spec, preset="short").epochs == 3
    config = make_config(spec, preset="short", options={"bits": 32})
    assert (config.bits, config.epochs) == (32, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "option 'bits' of method 'toy': Input should be greater than or equal to 8, not 0"),
        (
            {"bits": 1000},
            "option 'bits' of method 'toy': Input should be less than or equal to 512, not 1000",
        ),
        ({"bist": 64}, "method 'toy' has no option 'bist'; options: bits, epochs, batch_size"),
        ({"epochs": "many"}, "option 'epochs' of method 'toy'"),
    ],
)
def test_bad_options_are_one_sentence(spec, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config(spec, options=options)
    assert "\n" not in str(caught.value)


def test_unknown_preset(spec):
    with pytest.raises(ValueError, match="method 'toy' has no preset 'long'; presets: short"):
        make_config(spec, preset="long")


def test_the_seed_decides_the_weights_and_nothing_leaks(spec):
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    first, again, other = (build_method(spec, None, DATA, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(first.image.weight, again.image.weight)
    assert not torch.equal(first.image.weight, other.image.weight)
    assert first.data_spec == DATA
    assert first.config.bits == 64


def test_methods_are_built_on_the_cpu(spec):
    with torch.device("meta"):
        method = build_method(spec, None, DATA, 1)
    assert torch.equal(method.image.weight, build_method(spec, None, DATA, 1).image.weight)


def test_labels_missing_for_a_supervised_method(spec):
    supervised = type(spec)(**{**vars(spec), "supervised": True})
    with pytest.raises(
        ValueError, match=r"method 'toy' learns from labels, but the data have none; give label="
    ):
        build_method(supervised, None, DATA, 0)


def test_the_config_of_another_method(spec):
    class OtherConfig(spec.config_type):
        pass

    other = type(spec)(**{**vars(spec), "config_type": OtherConfig, "presets": {}})
    with pytest.raises(ValueError, match="takes a OtherConfig, not a MethodConfig"):
        build_method(other, make_config(spec), DATA, 0)
