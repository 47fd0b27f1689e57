"""Hamming ranking and retrieval measures on packed binary codes, on CPU and GPU."""

from cmh_metrics._average_precision import average_precision, mean_average_precision
from cmh_metrics._codes import PackedCodes, pack_codes, unpack_codes
from cmh_metrics._ranking import BackendUnavailable, ranking_tables
from cmh_metrics._search import hamming_distances, hamming_topk
from cmh_metrics._tables import RankingTables

__all__ = [
    "BackendUnavailable",
    "PackedCodes",
    "RankingTables",
    "average_precision",
    "hamming_distances",
    "hamming_topk",
    "mean_average_precision",
    "pack_codes",
    "ranking_tables",
    "unpack_codes",
]
