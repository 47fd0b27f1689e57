"""AGAH's formulas once more, as loops over samples and bits: slow, obvious, a second opinion."""

import math

import torch


def cosine(left, right):
    product = sum(float(a) * float(b) for a, b in zip(left, right, strict=True))
    lengths = math.sqrt(sum(float(a) ** 2 for a in left)) * math.sqrt(sum(float(b) ** 2 for b in right))
    return product / lengths if lengths else 0.0


def distances(left, right):
    return torch.tensor([[max(0.0, 1 - cosine(a, b)) for b in right] for a in left], dtype=torch.float64)


def triplet_loss(distance, similar, margin):
    total = 0.0
    for row, alike in zip(distance.tolist(), similar.tolist(), strict=True):
        for near, is_positive in zip(row, alike, strict=True):
            for far, is_other_positive in zip(row, alike, strict=True):
                if is_positive and not is_other_positive:
                    total += max(0.0, near - far + margin)
    return total


def triplet_gradient(distance, similar, margin):
    """Every violated triple pulls its positive by 1 and pushes its negative by 1."""
    gradient = torch.zeros_like(distance)
    for anchor in range(len(distance)):
        for positive in range(distance.shape[1]):
            for negative in range(distance.shape[1]):
                if similar[anchor, positive] and not similar[anchor, negative]:
                    near, far = distance[anchor, positive], distance[anchor, negative]
                    if near - far + margin > 0:
                        gradient[anchor, positive] += 1
                        gradient[anchor, negative] -= 1
    return gradient


def share_a_label(labels):
    return torch.tensor([[any(x and y for x, y in zip(a, b, strict=True)) for b in labels] for a in labels])


def normalise_batch(features):
    norm = math.sqrt(sum(float(value) ** 2 for row in features for value in row))
    return [[float(value) / norm if norm else 0.0 for value in row] for row in features]


def attend(features, memory, temperature=5.0, share=0.2):
    rows = []
    for feature in features:
        weights = []
        for slot in memory:
            match = sum(float(a) * float(b) for a, b in zip(feature, slot, strict=True))
            weights.append(1 / (1 + math.exp(-temperature * match)))
        row = []
        for column in range(len(feature)):
            recalled = sum(w * float(slot[column]) for w, slot in zip(weights, memory, strict=True)) / sum(
                weights
            )
            row.append((1 - share) * float(feature[column]) + share * recalled)
        rows.append(row)
    return rows


def cosine_quantisation_loss(code):
    return sum(1 / (1 + math.exp(cosine([abs(float(x)) for x in row], [1.0] * len(row)))) for row in code)


def classification_loss(logit, label):
    total = 0.0
    for scores, truths in zip(logit, label, strict=True):
        for score, truth in zip(scores, truths, strict=True):
            probability = 1 / (1 + math.exp(-float(score)))
            total -= math.log(probability) if truth else math.log(1 - probability)
    return total


def label_code_loss(code, label_codes, label):
    bits, total = len(code[0]), 0.0
    for row, truths in zip(code, label, strict=True):
        for signs, truth in zip(label_codes, truths, strict=True):
            product = sum(float(a) * float(b) for a, b in zip(row, signs, strict=True))
            total += (product - bits * (2 * float(truth) - 1)) ** 2
    return total


def quantisation_loss(code):
    return sum((float(value) - (float(value) > 0) + (float(value) < 0)) ** 2 for row in code for value in row)


def gradient_penalty(discriminator, real, fake, share):
    """By two passes of autograd, sample by sample."""
    total = 0.0
    for a, x, y in zip(share, real, fake, strict=True):
        point = (a * x + (1 - a) * y).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(point[None])[0, 0], point, create_graph=True)
        total = total + (slope.square().sum().sqrt() - 1) ** 2
    return total / len(real)


def update_label_codes(label_codes, image_codes, text_codes, label):
    """The authors' loop: one product with all other bits for each bit."""
    n_label, bits = label_codes.shape
    codes, image, text = label_codes.clone(), image_codes.sign(), text_codes.sign()
    agreement = 2 * torch.eye(n_label, dtype=codes.dtype, device=codes.device) - 1
    target = 2 * bits * (label.T @ (image + text) + agreement @ codes)
    for bit in range(bits):
        others = [other for other in range(bits) if other != bit]
        rest = codes[:, others]
        weight = (
            image[:, others].T @ image[:, bit] + text[:, others].T @ text[:, bit] + rest.T @ codes[:, bit]
        )
        codes[:, bit] = (target[:, bit] - 2 * rest @ weight).sign()
    return codes


def update_label_memory(image_features, text_features, label):
    rows = []
    for column in range(label.shape[1]):
        members = [row for row in range(len(label)) if label[row, column]]
        mean = torch.zeros(image_features.shape[1], dtype=image_features.dtype)
        for row in members:
            mean += (image_features[row] + text_features[row]) / (2 * len(members))
        length = mean.square().sum().sqrt()
        rows.append(mean / length if length else mean)
    return torch.stack(rows)
