"""Hamming ranking and retrieval measures on packed binary codes, on CPU and GPU."""

from cmh_metrics._backends.backends import ranking_tables
from cmh_metrics._backends.search import hamming_distances, hamming_topk
from cmh_metrics._definition import Definition
from cmh_metrics._evaluate import evaluate
from cmh_metrics._inputs.code_values import CodeValueError
from cmh_metrics._inputs.codes import PackedCodes, pack_codes, unpack_codes
from cmh_metrics._inputs.compute import BackendUnavailable
from cmh_metrics._inputs.ray_map import RayMap
from cmh_metrics._inputs.shards import DatabaseShard, ShardedDatabase, WorkerDied
from cmh_metrics._inputs.tables import RankingTables
from cmh_metrics._measures.average_precision import average_precision, mean_average_precision
from cmh_metrics._measures.average_precision_within_radius import average_precision_within_radius
from cmh_metrics._measures.by_class import map_by_class
from cmh_metrics._measures.instance_recall import instance_ranks, instance_recall_at
from cmh_metrics._measures.ndcg import ndcg
from cmh_metrics._measures.precision_at import precision_at
from cmh_metrics._measures.precision_within_radius import precision_within_radius
from cmh_metrics._measures.r_precision import r_precision
from cmh_metrics._measures.radius_curve import RadiusCurve, precision_recall_by_radius
from cmh_metrics._measures.recall_at import recall_at
from cmh_metrics._report import RetrievalReport, TaskReport
from cmh_metrics._statistics import PairedTest, bootstrap_interval, paired_randomisation_test

__all__ = [
    "BackendUnavailable",
    "CodeValueError",
    "DatabaseShard",
    "Definition",
    "PackedCodes",
    "PairedTest",
    "RadiusCurve",
    "RankingTables",
    "RayMap",
    "RetrievalReport",
    "ShardedDatabase",
    "TaskReport",
    "WorkerDied",
    "average_precision",
    "average_precision_within_radius",
    "bootstrap_interval",
    "evaluate",
    "hamming_distances",
    "hamming_topk",
    "instance_ranks",
    "instance_recall_at",
    "map_by_class",
    "mean_average_precision",
    "ndcg",
    "pack_codes",
    "paired_randomisation_test",
    "precision_at",
    "precision_recall_by_radius",
    "precision_within_radius",
    "r_precision",
    "ranking_tables",
    "recall_at",
    "unpack_codes",
]
