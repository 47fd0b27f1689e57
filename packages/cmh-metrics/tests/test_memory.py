import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import numpy as np
import cmh_metrics
import cmh_metrics._kernels.average_precision, cmh_metrics._backends.numba_tables, cmh_metrics._kernels.pairs

measure, n_query, ties = sys.argv[1], int(sys.argv[2]), sys.argv[3]

rng = np.random.default_rng(0)

def codes(n):
    return cmh_metrics.PackedCodes(rng.integers(1 << 63, size=(n, 1), dtype=np.uint64), 64)

arrays = {  # the size of NUS-WIDE
    "query_codes": codes(n_query),
    "database_codes": codes(193_734),
    "query_labels": rng.integers(2, size=(n_query, 21), dtype=np.uint8),
    "database_labels": rng.integers(2, size=(193_734, 21), dtype=np.uint8),
}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
getattr(cmh_metrics, measure)(**arrays, threads=2, ties=ties)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs")
@pytest.mark.parametrize(
    ("measure", "n_query", "ties"),
    [
        ("mean_average_precision", 2_100, "expected"),
        ("mean_average_precision", 2_100, "index"),
        ("evaluate", 100, "expected"),
    ],
)
def test_memory_beyond_the_arrays_at_the_size_of_nus(make_arrays, measure, n_query, ties):
    from cmh_metrics import evaluate

    evaluate(**make_arrays(2, 10, 8, 2), ties=ties)  # whatever must be compiled is
    command = [sys.executable, "-c", MEASURE, measure, str(n_query), ties]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 64 << 10  # in KiB; the first call of the process, loading the kernels included
