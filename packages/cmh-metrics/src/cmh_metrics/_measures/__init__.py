"""One measure a file, and the list of those that a report holds."""

from cmh_metrics._measures import (
    average_precision_within_radius,
    by_class,
    instance_recall,
    ndcg,
    precision_at,
    precision_within_radius,
    r_precision,
    radius_curve,
    recall_at,
)

#: A measure that is added here is in every report, in JSON, Markdown, LaTeX and `umml evaluate`.
MEASURES = (
    r_precision.MEASURE,
    average_precision_within_radius.MEASURE,
    precision_within_radius.MEASURE,
    precision_at.MEASURE,
    recall_at.MEASURE,
    ndcg.MEASURE,
    instance_recall.MEASURE,
    *by_class.MEASURES,
    *radius_curve.MEASURES,
)
