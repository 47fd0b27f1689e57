import subprocess
import sys

import numba
import pytest
from cmh_metrics._kernels import jit


def test_an_unwritable_installation_compiles_without_a_cache(monkeypatch):
    njit, asked = numba.njit, []

    def refusing(**options):
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert jit.jit(lambda x: x + 1)(1) == 2
    assert asked == [True, False]


def test_without_numba_functions_stay_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    function = test_without_numba_functions_stay_python
    assert jit.jit(function) is function


@pytest.mark.parametrize("module", ["numba", "torch"])
def test_importing_the_package_imports_nothing_heavy(module):
    code = f"import sys, cmh_metrics; sys.exit({module!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
