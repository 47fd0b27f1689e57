"""From running text to a bag of words, with every choice an argument."""

from __future__ import annotations

import hashlib
import re
from array import array
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

    Besides the texts and the table that it returns it holds four bytes for every word of every text.

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
    numbers: dict[str, int] = {}
    counts: list[int] = []  # texts that hold each word
    found = array("I")  # the words of all texts, one text after the other
    ends = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        for one in set(word.findall(text.lower() if lowercase else text)):
            number = numbers.setdefault(one, len(numbers))
            if number == len(counts):
                counts.append(0)
            counts[number] += 1
            found.append(number)
        ends[row] = len(found)
    if vocabulary is None:
        stopped = set(stop_words)
        most = largest_share * len(texts)
        chosen = [
            one
            for one, number in numbers.items()
            if least_count <= counts[number] <= most and one not in stopped
        ]
        chosen.sort(key=lambda one: (-counts[numbers[one]], one))
        vocabulary = chosen[:largest_vocabulary]
    if not vocabulary:
        raise DataError(f"no word is in at least {least_count} of the {len(texts)} texts; lower least_count.")
    columns = np.full(len(numbers), -1, np.int64)
    for column, one in enumerate(vocabulary):
        if one in numbers:
            columns[numbers[one]] = column
    table = np.zeros((len(texts), len(vocabulary)), np.uint8)
    start = 0
    for row, end in enumerate(ends.tolist()):
        there = columns[np.frombuffer(found[start:end], np.uint32)] if end > start else columns[:0]
        table[row, there[there >= 0]] = 1
        start = end
    return table, tuple(vocabulary)


def vocabulary_digest(vocabulary: Sequence[str]) -> str:
    """SHA-256 of the words in their order, one a line, so that two vocabularies can be compared."""
    return hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()
