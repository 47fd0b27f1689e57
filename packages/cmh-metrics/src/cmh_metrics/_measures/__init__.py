"""One measure a file, and the list of those that a report holds."""

from cmh_metrics._measures import by_class, instance_recall, ndcg, precision_at, radius_curve, recall_at

#: A measure that is added here is in every report, in JSON, Markdown, LaTeX and `umml evaluate`.
MEASURES = (
    precision_at.MEASURE,
    recall_at.MEASURE,
    ndcg.MEASURE,
    instance_recall.MEASURE,
    *by_class.MEASURES,
    *radius_curve.MEASURES,
)
