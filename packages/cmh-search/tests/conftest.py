import importlib.util
import os

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


@pytest.fixture(scope="session")
def need():
    """Find engines; without them a test is skipped, except where all of them must be there."""

    def find(*names):
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        if missing and os.environ.get("CMH_SEARCH_ENGINES"):
            pytest.fail(f"{missing} must be installed here")
        if missing:
            pytest.skip(f"{missing} is not installed; nox -s engines brings it")

    return find
