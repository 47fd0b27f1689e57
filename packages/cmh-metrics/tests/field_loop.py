"""The slow reference: one query at a time, a float product, a stable sort, definitions spelled out."""

import numpy as np


def average_precision_of(relevant, k=None, normalise="min"):
    """Average precision of one ranking, `relevant` being true or false by rank; NaN where none is."""
    ranks = [rank for rank, hit in enumerate(relevant, start=1) if hit]
    if not ranks:
        return np.nan
    k = len(relevant) if k is None else k
    counted = ranks[:k] if normalise == "first-relevant" else [rank for rank in ranks if rank <= k]
    divisor = {
        "min": min(k, len(ranks)),
        "first-relevant": min(k, len(ranks)),
        "relevant": len(ranks),
        "retrieved": len(counted),
    }[normalise]
    total = sum(found / rank for found, rank in enumerate(counted, start=1))
    return total / divisor if divisor else 0.0


def rankings(*, query_codes, database_codes, query_labels, database_labels):
    """Yield (distances, relevant) by rank for each query, equally distant items in database order."""
    database = database_codes.astype(np.float32)
    for code, label in zip(query_codes.astype(np.float32), query_labels, strict=True):
        distance = 0.5 * (len(code) - database @ code)
        order = np.argsort(distance, kind="stable")
        shares = (database_labels.astype(np.int64) @ label.astype(np.int64)) > 0
        yield distance[order].astype(np.int64), shares[order]


def tables(**arrays):
    """(retrieved, relevant) by counting."""
    bits = arrays["query_codes"].shape[1]
    retrieved, relevant = [], []
    for distance, shares in rankings(**arrays):
        retrieved.append(np.bincount(distance, minlength=bits + 1))
        relevant.append(np.bincount(distance[shares], minlength=bits + 1))
    return np.array(retrieved), np.array(relevant)


def average_precision(*, k=None, normalise="min", **arrays):
    """Average precision of every query, ties in database order."""
    return np.array([average_precision_of(shares, k, normalise) for _, shares in rankings(**arrays)])


def random_arrays(n_query, n_database, bits, n_label, *, seed=0, density=0.3):
    """Codes in {-1, +1} and multi-hot labels."""
    rng = np.random.default_rng(seed)
    return {
        "query_codes": rng.choice(np.array([-1, 1], np.int8), (n_query, bits)),
        "database_codes": rng.choice(np.array([-1, 1], np.int8), (n_database, bits)),
        "query_labels": (rng.random((n_query, n_label)) < density).astype(np.uint8),
        "database_labels": (rng.random((n_database, n_label)) < density).astype(np.uint8),
    }
