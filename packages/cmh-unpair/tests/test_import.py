from __future__ import annotations

import subprocess
import sys


def test_import_brings_no_torch_no_pandas_and_no_files():
    code = "import sys, cmh_unpair; print(*sorted({'torch', 'pandas', 'scipy', 'h5py'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_everything_public_is_there():
    import cmh_unpair

    assert sorted(cmh_unpair.__all__) == list(cmh_unpair.__all__)
    assert all(getattr(cmh_unpair, name).__doc__ for name in cmh_unpair.__all__)
