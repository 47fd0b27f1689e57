import api
import pytest

SOURCE = """
from dataclasses import dataclass

__all__ = ["BITS", "Index", "Record", "rank"]
BITS = 64


def rank(codes, radius=2, *, labels, seed=0, _cache=None):
    pass


@dataclass
class Record:
    name: str
    _hidden: int = 0


class Index:
    def __init__(self, path, *, bits=64):
        pass

    def search(self, query, k=10):
        pass

    @staticmethod
    def kinds(first):
        pass

    def _private(self):
        pass
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "packages" / "fake"
    (folder / "src").mkdir(parents=True)
    (folder / "news").mkdir()
    (folder / "pyproject.toml").touch()
    source = folder / "src" / "fake.py"
    source.write_text(SOURCE)
    (folder / "api.txt").write_text("\n".join(api.public_lines("fake", [folder / "src"])) + "\n")
    return tmp_path, source


def test_the_record_lists_names_parameters_fields_and_methods(package):
    root, _ = package
    assert (root / "packages" / "fake" / "api.txt").read_text().splitlines() == [
        "BITS", "Index", "Index [bits] keyword", "Index path", "Index.kinds", "Index.kinds first",
        "Index.search", "Index.search [k]", "Index.search query",
        "Record", "Record.name", "rank", "rank [radius]",
        "rank [seed] keyword", "rank codes", "rank labels keyword",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Record", ', "", "Record is gone"),
        ("codes, radius=2", "values, radius=2", "rank codes is gone"),
        ("radius=2", "radius", "rank [radius] is gone"),
        ("radius=2, *,", "*, radius=2,", "rank [radius] is gone"),
        ("labels, seed", "labels, tables, seed", "rank tables keyword must be given now"),
        ("    name: str\n", "", "Record.name is gone"),
        ("def search", "def find", "Index.search is gone"),
    ],
)
def test_what_breaks_a_caller_is_named_unless_a_fragment_says_it(package, capsys, old, new, message):
    root, source = package
    assert old in SOURCE
    source.write_text(SOURCE.replace(old, new, 1))
    assert api.main([], root) == 1
    cure = "say so, with its name, in packages/fake/news/NAME.removal.md"
    said = capsys.readouterr().out
    assert f"fake: {message} since the last release; {cure}\n" in said
    assert said.count("is gone") <= 1  # what belonged to a name goes with it
    news = root / "packages" / "fake" / "news"
    name = message.split()[0]
    (news / "names.feature.md").write_text(f"`{name}` is better.")  # of another kind
    assert api.main([], root) == 1
    (news / "other.removal.md").write_text("`Other` is gone.")  # of another name
    assert api.main([], root) == 1
    (news / "names.removal.md").write_text(f"`{name}` has changed.")
    assert api.main([], root) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed=0", "seed=1, more=2"),
        ("rank(codes,", "rank(codes=None,"),
        ("*, labels, seed=0", "labels=None, seed=0"),
        ("def _private", "def public"),
        ("_cache=None", "_other=None"),
    ],
)
def test_what_no_caller_notices_passes(package, old, new):
    root, source = package
    assert old in SOURCE
    source.write_text(SOURCE.replace(old, new, 1))
    assert api.main([], root) == 0


def test_a_package_that_was_never_released_changes_freely(package):
    root, source = package
    (root / "packages" / "fake" / "api.txt").unlink()
    source.write_text(SOURCE.replace('"Record", ', ""))
    assert api.main([], root) == 0


def test_every_package_of_this_repository_can_be_recorded(capsys):
    for folder in sorted(api.ROOT.glob("packages/*/src/*")):
        assert api.main(["--print", folder.name]) == 0
    assert "\nr_precision [query_codes] keyword\n" in capsys.readouterr().out  # from an Unpack[...]
