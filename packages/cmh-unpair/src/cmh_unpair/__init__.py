"""Says exactly which training samples of a paired data set lose their partner, and rewrites the data."""

from cmh_unpair._apply import UnpairedArrays, UnpairedView
from cmh_unpair._compare import PlanOverlap, compare_plans
from cmh_unpair._donors import DonorCounts, DonorLists, Donors, find_donors
from cmh_unpair._export import export_arrays
from cmh_unpair._file import RewriteReport, RewrittenArray, unpair_file
from cmh_unpair._plan import CONDITIONS, PlanCounts, UnpairingPlan
from cmh_unpair._planners import pdr_plan, plan_unpairing
from cmh_unpair._published import published_2022_plan
from cmh_unpair._rule import PlanRule

__all__ = [
    "CONDITIONS",
    "DonorCounts",
    "DonorLists",
    "Donors",
    "PlanCounts",
    "PlanOverlap",
    "PlanRule",
    "RewriteReport",
    "RewrittenArray",
    "UnpairedArrays",
    "UnpairedView",
    "UnpairingPlan",
    "compare_plans",
    "export_arrays",
    "find_donors",
    "pdr_plan",
    "plan_unpairing",
    "published_2022_plan",
    "unpair_file",
]
