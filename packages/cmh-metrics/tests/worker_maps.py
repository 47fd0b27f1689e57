"""Maps and arrays for test_shards.py that other processes must be able to import."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor


class DeadlyRows:
    """Codes that kill the process that reads them."""

    shape = (4, 8)
    dtype = "float32"

    def __getitem__(self, rows):
        os._exit(9)


def two_processes():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
