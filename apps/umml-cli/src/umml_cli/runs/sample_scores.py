"""One loss for each training sample, each named term apart, and the file that holds them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from zipfile import BadZipFile

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from umml_cli.errors import UserError, describe_validation
from umml_cli.runs.files import replacing, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_data import PairedDataset
    from numpy.typing import NDArray

_COMMENT = "# "


class ScoredBy(BaseModel):
    """What the scores were made with.

    Args:
        data: name of the data set.
        data_digest: its content digest.
        method: name of the method.
        method_version: version of its package.
        options: all of its options.
        seed: random seed of the training.
        last: over how many last epochs the losses are means.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    data_digest: str
    method: str
    method_version: str
    options: dict[str, JsonValue]
    seed: int
    last: int = Field(ge=1)


@dataclass(frozen=True, eq=False)
class SampleScores:
    """The losses of the training samples.

    Args:
        rows: `(n_train,)` int64, rows of the data set.
        terms: name of each term to its `(n_train,)` float64, weighted as in the method's loss.
        made_with: what they were made with.
    """

    rows: NDArray[np.int64]
    terms: Mapping[str, NDArray[np.float64]]
    made_with: ScoredBy

    @property
    def total(self) -> NDArray[np.float64]:
        """`(n_train,)` float64, the sum of each sample's terms."""
        total: NDArray[np.float64] = np.sum(list(self.terms.values()), axis=0, dtype=np.float64)
        return total

    def of_rows(self, rows: NDArray[np.int64], dataset: PairedDataset | None, source: Path) -> NDArray[Any]:
        """Return the sums of these rows of a data set, in this order.

        Args:
            rows: `(n,)` int64, its training rows.
            dataset: the data set; None: only a part of one, which has no digest.
            source: where it lies, for the message.

        Raises:
            UserError: the scores are of other data or of other rows.
        """
        if dataset is None or dataset.digest != self.made_with.data_digest:
            of = f"{self.made_with.data} with digest {self.made_with.data_digest[:12]}"
            found = "only a part of a data set" if dataset is None else f"of digest {dataset.digest[:12]}"
            raise UserError(
                f"The scores were made of {of}, but {source} is {found}; make scores of this file: "
                f"umml rank {source}."
            )
        if len(rows) != len(self.rows) or not np.array_equal(np.sort(rows), np.sort(self.rows)):
            raise UserError(
                f"The scores are of {len(self.rows)} training rows, but {len(rows)} different ones are to be "
                "unpaired; make them with the split that is unpaired, or leave --train and --protocol out."
            )
        place = np.argsort(self.rows)
        return self.total[place[np.searchsorted(self.rows, rows, sorter=place)]]

    def save(self, path: Path) -> None:
        """Write a `.csv`, or an `.npz` of the same columns."""
        about = self.made_with.model_dump_json()
        if path.suffix == ".npz":
            with replacing(path) as temporary, temporary.open("wb") as file:
                arrays: dict[str, Any] = {"about": np.array(about), "row": self.rows, **self.terms}
                np.savez(file, **arrays)
            return
        text = io.StringIO()
        text.write(f"{_COMMENT}{about}\n")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", *self.terms, "total"])
        columns = [values.tolist() for values in (self.rows, *self.terms.values(), self.total)]
        writer.writerows(zip(*columns, strict=True))
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: the file is not there, or is none of `umml rank`.
        """
        check_suffix(path)
        if not path.exists():
            raise UserError(f"There is no file {path}; make it with umml rank DATA --out {path}.")
        about, columns = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
        try:
            made_with = ScoredBy.model_validate_json(about)
        except ValidationError as error:
            why = f"it does not say what it was made of: {describe_validation(error)}"
            raise _no_scores(path, why) from None
        rows = columns.pop("row", None)
        columns.pop("total", None)
        if rows is None or not columns:
            raise _no_scores(path, "it needs the column row and at least one term")
        for name, values in {"row": rows, **columns}.items():
            if values.ndim != 1 or values.shape != rows.shape or not np.isfinite(values).all():
                raise _no_scores(path, f"a number of {name} is missing, NaN or infinite")
        if (rows % 1).any() or len(np.unique(rows)) != len(rows):
            raise _no_scores(path, "rows must be whole numbers, each once")
        return cls(rows.astype(np.int64), columns, made_with)


def check_suffix(path: Path) -> None:
    """Refuse a name of a file of scores that says no format.

    Raises:
        UserError: it ends neither with .csv nor with .npz.
    """
    if path.suffix not in {".csv", ".npz"}:
        raise UserError(f"A file of scores must end with .csv or .npz, but it is {path}.")


def _no_scores(path: Path, why: str) -> UserError:
    return UserError(f"{path} is not a file of umml rank: {why}.")


def _read_csv(path: Path) -> tuple[str, dict[str, NDArray[np.float64]]]:
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        head, *table = csv.reader(lines)
        values = np.array([[float(one) for one in line] for line in table]).reshape(len(table), len(head))
    except (ValueError, UnicodeDecodeError) as error:
        raise _no_scores(path, f"it cannot be read ({error})") from None
    return first.removeprefix(_COMMENT), dict(zip(head, values.T, strict=True))


def _read_npz(path: Path) -> tuple[str, dict[str, NDArray[np.float64]]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = dict(content)
        about = str(arrays.pop("about"))
        return about, {name: values.astype(np.float64) for name, values in arrays.items()}
    except (BadZipFile, OSError, ValueError, KeyError, TypeError) as error:
        raise _no_scores(path, f"it cannot be read ({error})") from None


def describe_scores(scores: SampleScores) -> list[tuple[str, ...]]:
    """Return a line for each term and the sum: name, mean, 10%, median and 90% quantile."""
    lines = {**scores.terms, "total": scores.total}
    return [
        (name, *(f"{value:.4g}" for value in (values.mean(), *np.quantile(values, (0.1, 0.5, 0.9)))))
        for name, values in lines.items()
    ]
