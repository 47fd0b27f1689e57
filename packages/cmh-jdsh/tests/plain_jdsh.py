"""JDSH's formulas once more, as loops over pairs of samples: slow, obvious, a second opinion."""

import math


def length(row):
    return math.sqrt(sum(value**2 for value in row))


def unit_rows(rows):
    return [[value / length(row) if length(row) else 0.0 for value in row] for row in rows]


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def products(left, right):
    return [[dot(a, b) for b in right] for a in left]


def affinity(rows):
    return [[2 * value - 1 for value in row] for row in products(unit_rows(rows), unit_rows(rows))]


def joint_similarity(image, text, image_share, text_share, joint_share, variant):
    of_image, of_text = affinity(image), affinity(text)
    n = len(image)
    if variant == "umml2022":
        both = products(unit_rows(of_image), unit_rows(of_text))
        both = [[(both[i][j] + both[j][i]) / 2 for j in range(n)] for i in range(n)]
    else:
        both = unit_rows(
            [[dot(of_image[i], [of_text[k][j] for k in range(n)]) for j in range(n)] for i in range(n)]
        )
    return [
        [
            image_share * of_image[i][j] + text_share * of_text[i][j] + joint_share * both[i][j]
            for j in range(n)
        ]
        for i in range(n)
    ]


def sharpen(value, left, right, minimum, maximum, left_weight, right_weight):
    if value < left:
        value *= 1 + left_weight * math.exp(-(value - minimum))
    if value > right:
        value *= 1 + right_weight * math.exp(value - maximum)
    return value


def mean_squared_error(left, right, target):
    n, total = len(target), 0.0
    for i in range(n):
        for j in range(n):
            total += (dot(left[i], right[j]) - target[i][j]) ** 2
    return total / n**2


def loss(image_codes, text_codes, target, variant, intra_weight=0.1):
    image, text = unit_rows(image_codes), unit_rows(text_codes)
    intra = mean_squared_error(image, image, target) + mean_squared_error(text, text, target)
    total = intra_weight * intra + mean_squared_error(image, text, target)
    if variant == "umml2022":
        total += mean_squared_error(text, image, target)
        total -= sum(dot(a, b) for a, b in zip(image, text, strict=True)) / len(image)
    return total


def fit_halves(values):
    """Peak and the scales of both halves, from the values themselves instead of a histogram."""
    values = sorted(values)
    half = len(values) // 10  # the densest tenth of the values holds the peak
    start = min(range(len(values) - half), key=lambda i: values[i + half] - values[i])
    peak = sum(values[start : start + half + 1]) / (half + 1)
    left = [peak - value for value in values if value < peak]
    right = [value - peak for value in values if value > peak]
    return peak, math.sqrt(sum(x**2 for x in left) / len(left)), sum(right) / len(right)
