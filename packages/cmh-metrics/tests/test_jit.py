import subprocess
import sys

import numba
import pytest
from cmh_metrics._kernels import jit


def test_an_unwritable_installation_compiles_without_a_cache_and_says_so_once(monkeypatch, caplog):
    jit._say_that_nothing_is_kept.cache_clear()
    njit, asked = numba.njit, []

    def refusing(**options):
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert jit.jit(lambda x: x + 1)(1) == 2
    assert jit.jit(lambda x: x + 2)(1) == 3
    assert asked == [True, False] * 2
    assert caplog.text.count("set the environment variable NUMBA_CACHE_DIR to a folder") == 1


def test_without_numba_functions_stay_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    function = test_without_numba_functions_stay_python
    assert jit.jit(function) is function


@pytest.mark.parametrize("module", ["numba", "torch"])
def test_importing_the_package_imports_nothing_heavy(module):
    code = f"import sys, cmh_metrics; sys.exit({module!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
