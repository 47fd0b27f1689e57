"""Replaced piece by piece by one test file per module."""

import numpy as np
from cmh_metrics import mean_average_precision


def test_hand_worked_answer():
    codes = {"query_codes": np.array([[1, 1]]), "database_codes": np.array([[1, 1], [1, -1]])}
    labels = {"query_labels": np.array([[1]]), "database_labels": np.array([[0], [1]])}
    assert mean_average_precision(**codes, **labels) == 0.5
