"""The field's loop, the baseline of the ranking benchmark."""

import torch


def run_field_loop(query_codes, database_codes, query_labels, database_labels):
    """What the field's programs do: a float product, a float sort and nonzero for every query."""
    total = 0.0
    queries, database = torch.from_numpy(query_codes).float(), torch.from_numpy(database_codes).float()
    wanted, offered = torch.from_numpy(query_labels).float(), torch.from_numpy(database_labels).float()
    for code, label in zip(queries, wanted, strict=True):
        relevant = (offered @ label > 0).float()
        found = int(relevant.sum())
        if found == 0:
            continue
        distance = 0.5 * (len(code) - database @ code)
        ranks = relevant[torch.argsort(distance)].nonzero().squeeze(1).float() + 1
        total += float((torch.arange(1, found + 1) / ranks).mean())
    return total / len(queries)
