"""The two container definitions agree with each other, with the pins and with the noxfile."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_OF_DEBIAN = {"bookworm": "3.11", "trixie": "3.13"}


def read(path):
    return (ROOT / path).read_text("utf-8")


OCI, APPTAINER, INSTALL = (read(f"containers/{name}") for name in ("Containerfile", "umml.def", "install.sh"))
ARGUMENTS = {
    "oci": dict(re.findall(r"^ARG (\w+)=(\S+)$", OCI, re.MULTILINE)),
    "apptainer": dict(re.findall(r"^    (\w+)=(\S+)$", APPTAINER.split("%files")[0], re.MULTILINE)),
}


def test_both_definitions_have_the_same_base_and_the_same_variants():
    assert ARGUMENTS["apptainer"].pop("BOOTSTRAP") == "docker"
    assert ARGUMENTS["oci"] == ARGUMENTS["apptainer"]
    assert set(ARGUMENTS["oci"]) == {"BASE", "TORCH"}


def test_the_python_of_the_base_is_one_that_is_tested():
    (release,) = re.findall(r"debian:(\w+)-slim$", ARGUMENTS["oci"]["BASE"])
    (pythons,) = re.findall(r"^PYTHONS = (.*)$", read("noxfile.py"), re.MULTILINE)
    assert PYTHON_OF_DEBIAN[release] in ast.literal_eval(pythons)


def test_both_definitions_install_the_same_of_debian_and_set_the_same():
    packages = {
        re.search(r"apt-get install --yes --no-install-recommends (.*?)(?: \\)?$", text, re.MULTILINE)[1]
        for text in (OCI, APPTAINER)
    }
    assert packages == {"ca-certificates python3 python3-venv"}
    variables = [set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)*=/[\w/:$]+)", text)) for text in (OCI, APPTAINER)]
    assert {"PATH=/opt/umml/bin:$PATH", "NUMBA_CACHE_DIR=/tmp/numba"} < variables[1]
    assert variables[0] - {"UV_CACHE_DIR=/var/cache/uv"} == variables[1]


def test_both_definitions_are_given_the_same_files():
    given = {
        line.split()[0] for line in re.search(r"%files\n(.*?)\n\n", APPTAINER, re.DOTALL)[1].splitlines()
    }
    allowed = set(re.findall(r"^!(.*)$", read(".dockerignore"), re.MULTILINE))
    assert {path.removesuffix("/install.sh") for path in given} == allowed
    assert all((ROOT / path).exists() for path in given)


def test_what_installs_is_the_release_that_is_pinned():
    (pinned,) = tomllib.loads(read("pyproject.toml"))["tool"]["uv"]["build-constraint-dependencies"]
    assert re.findall(r"\buv==(\S+)", INSTALL) == [pinned.removeprefix("uv-build==")]


def test_versions_come_from_the_pins_and_the_extra_exists():
    assert "install --constraint requirements.lock " in INSTALL
    extras = tomllib.loads(read("apps/umml-cli/pyproject.toml"))["project"]["optional-dependencies"]
    assert re.findall(r"'umml-cli\[(\w+)\]'", INSTALL) == ["encoders"]
    assert "encoders" in extras
    names = re.findall(r"--no-verify-hashes (.*)$", INSTALL, re.MULTILINE)
    assert names == ["torch"]  # the one that requirements.lock cannot vouch for


@pytest.mark.parametrize("variant", ["rocm", "CUDA"])
def test_an_unknown_variant_is_refused_before_anything_is_installed(variant):
    command = ["sh", "containers/install.sh", variant]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"install.sh: TORCH must be cuda or cpu, but it is {variant}\n"
