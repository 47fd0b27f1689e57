"""The slow obvious index that the real one is held against: a dictionary and a loop."""

import numpy as np


def differing(query, code):
    return int((np.sign(query) != np.sign(code)).sum())


class PlainIndex:
    """Items in the order in which they came; values are (row order, codes by side, labels)."""

    def __init__(self):
        self.items = {}

    def add(self, ids, codes, labels=None):
        for number, name in enumerate(ids):
            self.items[name] = (
                {side: rows[number] for side, rows in codes.items() if rows[number] is not None},
                () if labels is None else labels[number],
            )

    def delete(self, ids):
        for name in ids:
            del self.items[name]

    def update(self, ids, codes, labels=None):
        self.delete(ids)
        self.add(ids, codes, labels)

    def distance(self, query, codes, combine, query_modality):
        each = {side: differing(query, code) for side, code in codes.items()}
        if combine == "centred":
            return float(np.mean([each[side] - self.mean(query, side) for side in each]))
        if combine == "cross":
            other = "text" if query_modality == "image" else "image"
            return each.get(other, next(iter(each.values())))
        return min(each.values()) if combine == "nearest" else sum(each.values()) / len(each)

    def mean(self, query, side):
        found = [differing(query, codes[side]) for codes, _ in self.items.values() if side in codes]
        return round(256 * sum(found) / len(found)) / 256

    def search(self, query, k, combine, query_modality=None, wanted=lambda _name, _labels: True):
        found = [
            (self.distance(query, codes, combine, query_modality), row, name)
            for row, (name, (codes, labels)) in enumerate(self.items.items())
            if wanted(name, labels)
        ]
        found.sort(key=lambda item: item[:2])
        return [name for _, _, name in found[:k]], [distance for distance, _, _ in found[:k]]
