import subprocess
import zipfile

import lock
import pytest
from packaging.requirements import Requirement

ROOT_PROJECT = """
[project]
name = "fake-workspace"
version = "0"
requires-python = ">=3.11"
dependencies = ["fake-app"]

[tool.uv]
package = false
constraint-dependencies = [
]

[tool.uv.workspace]
members = ["apps/*"]

[tool.uv.sources]
fake-app = { workspace = true }
"""
APP = """
[project]
name = "fake-app"
version = "0"
requires-python = ">=3.11"
dependencies = [DEPENDENCIES]

[dependency-groups]
test = ["fake-tester>=1"]

[tool.uv]
package = false
"""


def publish(folder, name, version, needs=()):
    """Put a wheel where the fake workspace looks for them."""
    folder.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{stem}.dist-info/METADATA", metadata + "".join(f"Requires-Dist: {need}\n" for need in needs)
        )
        wheel.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def declare(root, *dependencies):
    listed = ", ".join(f'"{each}"' for each in dependencies)
    (root / "apps" / "app").mkdir(parents=True, exist_ok=True)
    (root / "apps" / "app" / "pyproject.toml").write_text(APP.replace("DEPENDENCIES", listed))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose only registry is a folder of wheels, pinned."""
    wheels = tmp_path / "wheels"
    publish(wheels, "fake-tester", "1.0")
    publish(wheels, "fake-a", "1.0", ["fake-b"])
    publish(wheels, "fake-b", "1.0")
    for name, value in {
        "UV_FIND_LINKS": wheels, "UV_NO_INDEX": 1, "UV_OFFLINE": 1, "UV_CACHE_DIR": tmp_path / "cache"
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    root = tmp_path / "clone"
    root.mkdir()
    (root / "pyproject.toml").write_text(ROOT_PROJECT)
    (root / "requirements.lock").write_text("")
    declare(root, "fake-a>=1")
    assert lock.main(["--write"], root) == 0
    return root, wheels


def test_what_is_installed_is_pinned_with_what_it_needs(workspace, capsys):
    root, _ = workspace
    assert [str(pin) for pin in lock.read_constraints(root)] == [
        "fake-a==1.0", "fake-b==1.0", "fake-tester==1.0",
    ]  # fmt: skip
    assert (root / "requirements.lock").read_text().count("==") == 3
    assert lock.main([], root) == 0
    assert "declarations, pins and requirements.lock agree" in capsys.readouterr().out


def test_a_newer_version_changes_nothing_but_the_list_of_newer_ones(workspace, capsys):
    root, wheels = workspace
    publish(wheels, "fake-b", "2.0")
    assert lock.main([], root) == 0
    exported = subprocess.run(lock.EXPORT, cwd=root, check=True, capture_output=True, text=True).stdout
    assert "fake-b==1.0" in exported  # what `uv run` would install, without a uv.lock
    capsys.readouterr()
    assert lock.main(["--newer"], root) == 0
    assert capsys.readouterr().out == "fake-b: 1.0 -> 2.0\n"
    assert lock.main(["--write"], root) == 0
    assert capsys.readouterr().out == "the pins are as they were\n"
    assert lock.main(["--upgrade"], root) == 0
    assert lock.main([], root) == 0
    assert lock.Pin("fake-b", "2.0") in lock.read_constraints(root)


def test_a_declaration_without_a_pin_is_named_and_mended(workspace, capsys):
    root, wheels = workspace
    publish(wheels, "fake-c", "3.0")
    declare(root, "fake-a>=1", "fake-c>=2")
    assert lock.main([], root) == 1
    out = capsys.readouterr().out
    assert "apps/app/pyproject.toml: fake-c>=2 has no pin for Python 3.11" in out
    assert "fake-c==3.0 is installed and not pinned" in out
    assert "nox -s lock -- --write" in out
    assert lock.main(["--write"], root) == 0
    assert lock.main([], root) == 0


def test_a_declaration_that_a_pin_does_not_satisfy_is_named_and_mended(workspace, capsys):
    root, wheels = workspace
    publish(wheels, "fake-a", "2.0")
    declare(root, "fake-a>=2")
    assert lock.main([], root) == 1
    assert "fake-a>=2 is not satisfied by the pin fake-a==1.0" in capsys.readouterr().out
    assert lock.main(["--write"], root) == 0
    assert capsys.readouterr().out == "fake-a: 1.0 -> 2.0\nfake-b: 1.0 -> absent\n"
    assert lock.main([], root) == 0


def test_a_pin_that_nothing_needs_is_named(workspace, capsys):
    root, _ = workspace
    declare(root)
    assert lock.main([], root) == 1
    assert "fake-a==1.0 is pinned and not needed" in capsys.readouterr().out


def test_pins_edited_by_hand_in_one_place_only_are_named(workspace, capsys):
    root, _ = workspace
    record = root / "requirements.lock"
    record.write_text(record.read_text().replace("fake-b==1.0", "fake-b==0.9"))
    assert lock.main([], root) == 1
    out = capsys.readouterr().out
    assert "fake-b==0.9 stands in requirements.lock and is not the pin" in out
    assert "fake-b==1.0 does not stand in requirements.lock" in out


def test_declarations_without_a_solution_end_with_what_uv_says(workspace, capsys):
    root, _ = workspace
    declare(root, "fake-absent>=1")
    assert lock.main(["--write"], root) == 1
    assert "fake-absent" in capsys.readouterr().out


def test_markers_are_kept_only_where_versions_differ():
    text = (
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:1\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:2\n"
        "numpy==2.5.5 ; python_full_version >= '3.12'\n"
    )
    assert [str(pin) for pin in lock.read_pins(text)] == [
        "colorama==0.4.6",
        "numpy==2.4.6 ; python_full_version < '3.12'",
        "numpy==2.5.5 ; python_full_version >= '3.12'",
    ]


def test_a_pyproject_without_a_place_for_pins_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.uv]\n")
    with pytest.raises(lock.LockError, match="to write the pins between"):
        lock.write_constraints(tmp_path, [])


def test_every_declaration_of_this_repository_has_a_pin_on_every_python():
    assert not lock.broken_pins(lock.ROOT, lock.read_constraints(lock.ROOT))


def test_the_record_holds_the_pins_and_no_address():
    text = (lock.ROOT / "requirements.lock").read_text("utf-8")
    assert lock.read_pins(text) == lock.read_constraints(lock.ROOT)
    assert "://" not in text


def test_the_declarations_of_this_repository_are_found():
    names = {requirement.name for _, requirement in lock.declared(lock.ROOT)}
    assert {"numpy", "torch", "ruff", "nox", "tensorboard"} <= names
    assert Requirement("nox>=2025.5") in {requirement for _, requirement in lock.declared(lock.ROOT)}
