"""From running text to a bag of words, with every choice an argument."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

WORD = r"[^\W\d_]{2,}"


def bag_of_words(
    texts: Sequence[str],
    *,
    pattern: str = WORD,
    lowercase: bool = True,
    least_count: int = 2,
    largest_share: float = 1.0,
    largest_vocabulary: int | None = 2000,
    stop_words: Iterable[str] = (),
    vocabulary: Sequence[str] | None = None,
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Say which words each text holds.

    Args:
        texts: one per row.
        pattern: regular expression of one word; the default is two or more letters of any script.
        lowercase: fold capitals first.
        least_count: leave out words in fewer texts.
        largest_share: leave out words in more than this share of texts.
        largest_vocabulary: keep only so many words, the most frequent first; None: all.
        stop_words: words to leave out.
        vocabulary: use exactly these words instead of choosing some.

    Returns:
        `(n, n_word)` uint8 zeros and ones, and the words by falling number of texts, ties alphabetical.

    Raises:
        DataError: no word is left.

    Example:
        >>> table, words = bag_of_words(["A red cat", "a red dog", "red"])
        >>> words, table.tolist()
        (('red',), [[1], [1], [1]])
    """
    word = re.compile(pattern)
    rows = [set(word.findall(text.lower() if lowercase else text)) for text in texts]
    if vocabulary is None:
        counts = Counter(found for row in rows for found in row)
        for stop in stop_words:
            counts.pop(stop, None)
        most = largest_share * len(rows)
        chosen = [found for found, count in counts.items() if least_count <= count <= most]
        chosen.sort(key=lambda found: (-counts[found], found))
        vocabulary = chosen[:largest_vocabulary]
    if not vocabulary:
        raise DataError(f"no word is in at least {least_count} of the {len(rows)} texts; lower least_count.")
    column = {found: number for number, found in enumerate(vocabulary)}
    table = np.zeros((len(rows), len(column)), np.uint8)
    for number, row in enumerate(rows):
        table[number, [column[found] for found in row if found in column]] = 1
    return table, tuple(vocabulary)
