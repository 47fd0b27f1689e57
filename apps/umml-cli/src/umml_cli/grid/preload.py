"""What every run needs, loaded once in the process that workers are forked from.

Importing this takes seconds on purpose: torch and the machine code of the ranking. No thread may be started
here, and nothing of CUDA: neither lives on in a fork.
"""

from __future__ import annotations

import numpy as np
from cmh_metrics import average_precision, pack_codes

from umml_cli.runs import perform

__all__ = ["perform"]


def _load_kernels() -> None:
    """Rank for one query, which takes no second thread, so that the compiled kernels are there."""
    codes = pack_codes(np.ones((1, 8), np.float32), code_values="signed")
    labels = np.ones((1, 1), np.uint8)
    average_precision(query_codes=codes, database_codes=codes, query_labels=labels, database_labels=labels)


_load_kernels()
