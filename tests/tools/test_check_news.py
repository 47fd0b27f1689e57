import subprocess

import check_news
import pytest


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607

    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    git("init", "-q", "-b", "main")
    write("packages/cmh-a/src/cmh_a/__init__.py")
    write("packages/cmh-b/src/cmh_b/__init__.py")
    write("packages/cmh-a/news/.gitignore", "!.gitignore\n")
    git("add", ".")
    git("commit", "-qm", "Begin")
    git("checkout", "-qb", "work")
    return tmp_path, write, git


def test_a_change_without_a_word_is_named(repository, capsys):
    root, write, git = repository
    write("packages/cmh-a/src/cmh_a/new.py", "x = 1\n")
    write("packages/cmh-b/README.md", "Only the words.\n")
    git("add", ".")
    git("commit", "-qm", "Change")
    assert check_news.main(["main"], root) == 1
    assert capsys.readouterr().out == (
        "packages/cmh-a: its sources changed; say so in packages/cmh-a/news/NAME.KIND.md\n"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("packages/cmh-a/news/new-name.feature.md", "`new` is new.\n"),
        ("packages/cmh-a/CHANGELOG.md", "## 0.2.0 (2026-12-01)\n"),
    ],
)
def test_a_fragment_or_a_release_is_a_word(repository, name, text):
    root, write, git = repository
    write("packages/cmh-a/src/cmh_a/new.py", "x = 1\n")
    write(name, text)
    assert check_news.main(["main"], root) == 0  # before it is committed
    git("add", ".")
    git("commit", "-qm", "Change")
    assert check_news.main(["main"], root) == 0


def test_what_changed_on_the_other_branch_since_does_not_count(repository):
    root, write, git = repository
    git("checkout", "-q", "main")
    write("packages/cmh-b/src/cmh_b/other.py", "x = 1\n")
    git("add", ".")
    git("commit", "-qm", "Other")
    git("checkout", "-q", "work")
    assert check_news.main(["main"], root) == 0


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("speed.faster.md", "It is faster.", "of kind feature, bugfix"),
        ("speed.md", "It is faster.", "must be NAME.KIND.md"),
        ("speed.feature.md", "", "one plain sentence"),
        ("speed.feature.md", "- It is faster.", "one plain sentence"),
        ("speed.feature.md", "It is faster", "one plain sentence"),
        ("speed.feature.md", "It is faster.\n\nMuch faster.", "one plain sentence"),
    ],
)
def test_a_fragment_that_towncrier_would_not_take_is_named(repository, capsys, name, text, fault):
    root, write, _ = repository
    write(f"packages/cmh-a/news/{name}", text)
    assert check_news.main([], root) == 1
    assert fault in capsys.readouterr().out


def test_an_unknown_base_is_one_sentence(repository, capsys):
    assert check_news.main(["absent"], repository[0]) == 1
    assert "absent cannot be compared with" in capsys.readouterr().out


def test_the_fragments_of_this_repository_are_well_formed():
    assert check_news.fragment_faults(check_news.ROOT) == []
