"""Hamming ranking and retrieval measures on packed binary codes, on CPU and GPU."""

from cmh_metrics._average_precision import average_precision, mean_average_precision
from cmh_metrics._by_class import map_by_class
from cmh_metrics._codes import PackedCodes, pack_codes, unpack_codes
from cmh_metrics._evaluate import evaluate
from cmh_metrics._instance import instance_recall_at
from cmh_metrics._ndcg import ndcg
from cmh_metrics._precision_recall import RadiusCurve, precision_at, precision_recall_by_radius, recall_at
from cmh_metrics._ranking import BackendUnavailable, ranking_tables
from cmh_metrics._report import RetrievalReport, TaskReport
from cmh_metrics._search import hamming_distances, hamming_topk
from cmh_metrics._statistics import PairedTest, bootstrap_interval, paired_randomisation_test
from cmh_metrics._tables import RankingTables

__all__ = [
    "BackendUnavailable",
    "PackedCodes",
    "PairedTest",
    "RadiusCurve",
    "RankingTables",
    "RetrievalReport",
    "TaskReport",
    "average_precision",
    "bootstrap_interval",
    "evaluate",
    "hamming_distances",
    "hamming_topk",
    "instance_recall_at",
    "map_by_class",
    "mean_average_precision",
    "ndcg",
    "pack_codes",
    "paired_randomisation_test",
    "precision_at",
    "precision_recall_by_radius",
    "ranking_tables",
    "recall_at",
    "unpack_codes",
]
