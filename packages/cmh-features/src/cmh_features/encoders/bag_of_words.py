"""Bag of words and tf-idf: a vocabulary, no network."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError, UnreadableItemError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_WORD = re.compile(r"[^\W\d_]{2,}")  # two or more letters of any script


class BagOfWords(Encoder):
    """Which words of a vocabulary a text holds, or how much they say.

    Args:
        name: `bag-of-words`: 1 where a text holds the word; `tf-idf`: the count of the word times
            ln((1 + n) / (1 + n_word)) + 1, the row scaled to length 1, for n texts of which n_word hold it.
    """

    modalities = ("text",)
    batch_size = 1024

    def __init__(self, name: str) -> None:
        self._name = name
        self._weighted = name == "tf-idf"
        self._column: dict[str, int] = {}
        self._weight: NDArray[np.float32] = np.zeros(0, np.float32)
        self._document_counts: tuple[int, ...] = ()
        self._n_text = 0

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words in the order of the columns; empty before `fit`."""
        return tuple(self._column)

    @property
    def width(self) -> int:  # type: ignore[override]
        """Number of words."""
        self._require_vocabulary()
        return len(self._column)

    @property
    def identity(self) -> Identity:  # type: ignore[override]
        """What made the features; the digest is that of the vocabulary file."""
        return Identity(
            name=self._name,
            version=f"cmh-features {version('cmh-features')}",
            digest=hashlib.sha256(self._to_json().encode()).hexdigest() if self._column else "",
            preprocessing="words of two or more letters of any script, lower case",
        )

    def fit(
        self,
        texts: Iterable[str | None],
        *,
        least_count: int = 1,
        largest_share: float = 1.0,
        largest_vocabulary: int | None = 2000,
        stop_words: Iterable[str] = (),
    ) -> BagOfWords:
        """Choose the vocabulary, and count how many texts hold each word. Fit on training texts only.

        Args:
            texts: `n` texts; None and empty texts count for nothing.
            least_count: leave out words in fewer texts.
            largest_share: leave out words in more than this share of the texts.
            largest_vocabulary: keep only so many words, the most frequent first, ties by alphabet; None: all.
            stop_words: words to leave out.

        Returns:
            This encoder.

        Raises:
            ValueError: if no word is left.
        """
        rows = [set(_words(text)) for text in texts if text is not None and text.strip()]
        counts = Counter(word for row in rows for word in row)
        for stop in stop_words:
            counts.pop(stop, None)
        most = largest_share * len(rows)
        chosen = [word for word, count in counts.items() if least_count <= count <= most]
        chosen.sort(key=lambda word: (-counts[word], word))
        chosen = chosen[:largest_vocabulary]
        if not chosen:
            raise ValueError(
                f"no word is in at least {least_count} and at most {most:g} of the {len(rows)} texts; "
                "lower least_count or give more texts"
            )
        self._set(chosen, [counts[word] for word in chosen], len(rows))
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary to a JSON file, which `load_encoder("bag-of-words:PATH")` reads.

        Args:
            path: the file.

        Raises:
            ValueError: before `fit`.
        """
        self._require_vocabulary()
        Path(path).write_text(self._to_json(), encoding="utf-8")

    def fitted(self) -> dict[str, Any]:
        """Return what `fit` learned, as JSON values that `restore` takes.

        Returns:
            The words, the number of texts that hold each, and the number of texts.

        Raises:
            ValueError: before `fit`.
        """
        self._require_vocabulary()
        return {
            "words": list(self._column),
            "document_counts": list(self._document_counts),
            "n_text": self._n_text,
        }

    def restore(self, fitted: Mapping[str, Any]) -> BagOfWords:
        """Take what another encoder of this kind learned.

        Args:
            fitted: what `fitted` returned; of a bag of words, `words` are enough.

        Returns:
            This encoder.

        Raises:
            ValueError: if it is none of these.
        """
        fitted = fitted if isinstance(fitted, Mapping) else {}  # type: ignore[redundant-expr] # it comes from a file
        words = fitted.get("words") if isinstance(fitted.get("words"), list) else []
        counts = fitted.get("document_counts", None if self._weighted else [1] * len(words or ()))
        if not _is_vocabulary(words, counts, n_text := fitted.get("n_text", 1)):
            raise ValueError(f"fitted must be what an encoder {self._name} learned, but it is not; fit again")
        self._set(words, counts, n_text)  # type: ignore[arg-type] # checked
        return self

    def read(self, path: Path) -> BagOfWords:
        """Take the vocabulary of a file that `save` wrote.

        Args:
            path: the file.

        Returns:
            This encoder.

        Raises:
            EncoderUnavailableError: if there is no such file.
            ValueError: if it is none of these.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            words, counts, n_text = content["words"], content["document_counts"], content["n_text"]
            valid = _is_vocabulary(words, counts, n_text)
        except FileNotFoundError as error:
            raise EncoderUnavailableError(
                f"{self._name}:{path} needs the vocabulary file {path}, but there is none; "
                "write it with .fit(texts).save(path)"
            ) from error
        except (KeyError, TypeError, ValueError):
            valid = False
        if not valid:
            raise ValueError(
                f"{path} must be a vocabulary that .save wrote, but it is not; fit and save again"
            )
        self._set(words, counts, n_text)
        return self

    def prepare_text(self, text: str) -> list[int]:
        """Return the columns of the known words of a text, each as often as the word occurs.

        Args:
            text: one text.

        Returns:
            Columns.

        Raises:
            UnreadableItemError: if no word of the vocabulary is in the text.
        """
        columns = [self._column[word] for word in _words(text) if word in self._column]
        if not columns:
            raise UnreadableItemError("holds no word of the vocabulary")
        return columns

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return the features of prepared texts.

        Args:
            batch: `n` lists of columns.

        Returns:
            `(n, width)` float32.
        """
        table = np.zeros((len(batch), self.width), np.float32)
        for row, columns in enumerate(batch):
            np.add.at(table[row], columns, 1)
        if not self._weighted:
            return np.minimum(table, 1)
        table *= self._weight
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        return table

    def _set(self, words: Sequence[str], counts: Sequence[int], n_text: int) -> None:
        self._column = {word: column for column, word in enumerate(words)}
        self._document_counts, self._n_text = tuple(counts), n_text
        self._weight = np.array([math.log((1 + n_text) / (1 + n)) + 1 for n in counts], np.float32)

    def _to_json(self) -> str:
        return json.dumps(self.fitted(), ensure_ascii=False)

    def _require_vocabulary(self) -> None:
        if not self._column:
            raise ValueError(
                f"{self._name} has no vocabulary yet; call .fit(training_texts) first, "
                f"or load {self._name}:VOCABULARY.json"
            )


def build(request: EncoderRequest) -> BagOfWords:
    """Make the encoder that was asked for, with the vocabulary of a file if one is named."""
    encoder = BagOfWords(request.name.partition(":")[0])
    if request.precision not in {"auto", "float32"}:
        raise ValueError(f"{request.name} counts in float32, but precision is {request.precision}")
    return encoder.read(Path(request.argument)) if request.argument else encoder


def _is_vocabulary(words: Any, counts: Any, n_text: Any) -> bool:
    try:
        return (
            bool(words)
            and all(isinstance(word, str) for word in words)
            and len(set(words)) == len(words) == len(counts)
            and all(isinstance(count, int) and 1 <= count <= n_text for count in counts)
        )
    except TypeError:
        return False


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
