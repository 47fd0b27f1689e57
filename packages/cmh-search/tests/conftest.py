import numpy as np
import pytest


def random_items(rng, n, bits, first=0, image_share=0.7, text_share=0.7):
    """Ids, signs of both modalities (None where missing), and what `add` takes."""
    ids = [f"item {number} ä" for number in range(first, first + n)]
    image, text = (np.where(rng.random((n, bits)) < 0.5, -1, 1) for _ in range(2))
    has_image = rng.random(n) < image_share
    has_text = (rng.random(n) < text_share) | ~has_image
    codes = {
        "image": [row if has else None for row, has in zip(image, has_image, strict=True)],
        "text": [row if has else None for row, has in zip(text, has_text, strict=True)],
    }
    given = {
        "ids": ids,
        "image_codes": image,
        "text_codes": text,
        "image_present": has_image,
        "text_present": has_text,
    }
    return ids, codes, given


@pytest.fixture
def rng():
    return np.random.default_rng(0)
