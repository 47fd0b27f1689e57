import io
import json
import subprocess

import affected
import pytest

NEEDS = {"cmh-files": [], "cmh-metrics": [], "cmh-data": ["cmh-files"], "cmh-search": ["cmh-metrics"]}


@pytest.fixture
def root(tmp_path):
    for name, needs in {**NEEDS, "umml-cli": ["cmh-data", "cmh-search"]}.items():
        folder = tmp_path / ("apps" if name == "umml-cli" else "packages") / name
        (folder / "src").mkdir(parents=True)
        sources = "".join(f"{need} = {{ workspace = true }}\n" for need in needs)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\n[tool.uv.sources]\n{sources}elsewhere = {{ path = "x" }}\n'
        )
    return tmp_path


def test_the_needs_of_a_package_are_followed_to_the_end(root):
    assert affected.workspace_needs("umml-cli", root) == [
        "umml-cli", "cmh-data", "cmh-search", "cmh-files", "cmh-metrics",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        (["packages/cmh-files/src/cmh_files/x.py"], {"cmh-files", "cmh-data", "umml-cli"}),
        (["packages/cmh-search/tests/test_x.py"], {"cmh-search", "umml-cli"}),
        (["packages/cmh-metrics/pyproject.toml"], {"cmh-metrics", "cmh-search", "umml-cli"}),
        (["packages/cmh-metrics/README.md"], {"cmh-metrics", "cmh-search", "umml-cli"}),
        (["apps/umml-cli/src/umml_cli/x.py"], {"umml-cli"}),
        (["packages/cmh-files/news/x.misc.md", "packages/cmh-files/CHANGELOG.md"], set()),
        (["docs/search.md", "README.md", "tools/lock.py", "tests/integration/test_x.py"], set()),
        ([], set()),
    ],
)
def test_a_change_reaches_the_package_and_its_dependents(root, changed, reached):
    assert affected.affected_packages(root, changed) == reached


@pytest.mark.parametrize(
    "path", ["noxfile.py", "pyproject.toml", "requirements.lock", ".github/workflows/ci.yml"]
)
def test_what_every_package_is_installed_and_tested_by_affects_all(root, path):
    assert affected.affected_packages(root, [path]) == {*NEEDS, "umml-cli"}


def run_main(monkeypatch, capsys, root, *arguments):
    names = ["cmh-data", "cmh-files", "cmh-metrics"]
    listed = [{"session": "lint", "call_spec": {}}]
    listed += [{"session": f"tests-3.14(package='{name}')", "call_spec": {"package": name}} for name in names]
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(listed)))
    status = affected.main(list(arguments), root)
    return status, capsys.readouterr()


def test_the_sessions_of_a_branch_are_those_of_what_it_changed(monkeypatch, capsys, root):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)  # noqa: S607

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "Begin")
    git("checkout", "-qb", "work")
    (root / "packages" / "cmh-files" / "src" / "new.py").touch()
    git("add", ".")
    git("commit", "-qm", "Change")
    status, printed = run_main(monkeypatch, capsys, root, "main")
    assert status == 0
    assert json.loads(printed.out) == [
        "lint", "tests-3.14(package='cmh-data')", "tests-3.14(package='cmh-files')",
    ]  # fmt: skip
    status, printed = run_main(monkeypatch, capsys, root, "absent")
    assert status == 1
    assert "absent cannot be compared with" in printed.err


def test_a_push_to_main_runs_every_session(monkeypatch, capsys, root):
    status, printed = run_main(monkeypatch, capsys, root)
    assert status == 0
    assert len(json.loads(printed.out)) == 4


def test_the_app_of_this_repository_needs_every_package():
    assert set(affected.workspace_needs("umml-cli")) == set(affected.package_folders(affected.ROOT))


def test_every_package_from_the_workspace_is_declared_as_one():
    """What a package asks for from its neighbours stands in `tool.uv.sources`, which `direct_needs` reads."""
    packages = affected.package_folders(affected.ROOT)
    for name, folder in packages.items():
        text = (folder / "pyproject.toml").read_text("utf-8")
        needed = {other for other in packages if f'"{other}>=' in text or f'"{other}[' in text}
        assert needed - {name} <= set(affected.direct_needs(affected.ROOT)[name]), name
