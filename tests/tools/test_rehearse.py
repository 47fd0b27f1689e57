import subprocess
import sys
import zipfile

import footprint
import pytest
import rehearse

README = """# fake

```python
import fake

print(fake.VALUE)
```

More:

```python
assert fake.VALUE == 1
```
"""


def write_wheel(folder, name, requires=()):
    """Write the smallest wheel of a module with one value."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-0.1.0.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{name}.py": "VALUE = 1\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-0.1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    folder = tmp_path / "root" / "packages" / "fake"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / "README.md").write_text(README)
    write_wheel(tmp_path / "dist", "fake", requires=["fake-needed"])
    write_wheel(tmp_path / "dist", "fake_needed")
    return tmp_path / "root"


def run_main(root, tool=rehearse):
    return tool.main(str(root.parent / "dist"), "fake", root=root)


def test_a_package_is_installed_alone_from_the_index_and_its_readme_runs(root, capsys):
    assert run_main(root) == 0
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert capsys.readouterr().out.splitlines()[2:] == [f"| fake | {version} | 2 | runs |"]


@pytest.mark.parametrize("program", ["assert fake.VALUE == 2", "import pytest"])
def test_a_readme_that_does_not_run_is_named_with_its_error(root, capsys, program):
    """pytest runs this test, but is not in the environment of the package."""
    (root / "packages" / "fake" / "README.md").write_text(f"```python\nimport fake\n\n{program}\n```\n")
    assert run_main(root) == 1
    printed = capsys.readouterr()
    assert "| fails |" in printed.out
    assert program in printed.err


def test_what_is_on_no_index_cannot_be_installed(root):
    (root.parent / "dist" / "fake_needed-0.1.0-py3-none-any.whl").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        run_main(root)


def test_an_index_lists_the_wheels_of_each_project(root, tmp_path):
    index = rehearse.write_index(tmp_path / "dist", tmp_path / "index")
    assert sorted(path.name for path in index.iterdir()) == ["fake", "fake-needed"]
    name = "fake_needed-0.1.0-py3-none-any.whl"
    assert (index / "fake-needed" / "index.html").read_text() == f'<a href="{name}">{name}</a>'
    with pytest.raises(FileNotFoundError, match="must hold wheels"):
        rehearse.write_index(root, tmp_path / "other")


def test_the_footprint_is_a_table_in_its_page(root, capsys):
    page = root / footprint.PAGE
    page.parent.mkdir()
    page.write_text(f"# Footprint\n\n{footprint.BEGIN}old\n{footprint.END}\nAfter.\n")
    assert run_main(root, footprint) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| `fake` | 2 | 0 | 0 | ")
    table = "\n".join(lines)
    assert page.read_text() == f"# Footprint\n\n{footprint.BEGIN}{table}\n{footprint.END}\nAfter.\n"


def test_a_size_counts_every_file_once(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a").write_bytes(bytes(1_500_000))
    (tmp_path / "b").write_bytes(bytes(500_000))
    assert footprint.megabytes(tmp_path) == 2.0
