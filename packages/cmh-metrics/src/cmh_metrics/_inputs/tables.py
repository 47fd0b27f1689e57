"""The two small integer tables that every measure of a Hamming ranking is a function of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.npz import read_arrays, write_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

Table = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class RankingTables:
    """How many database items, and how many relevant ones, each query has at each Hamming distance.

    `tables + tables` merges two shards of one database for the same queries; `RankingTables.concat` joins
    queries.

    Args:
        retrieved: `(n_query, bits + 1)` int64; column `d` counts the database items at distance `d` bits.
        relevant: `(n_query, bits + 1)` int64; the relevant ones among them.

    Raises:
        ValueError: if the tables differ in shape, are not integers, or `relevant` exceeds `retrieved`.

    Example:
        >>> shard = RankingTables(retrieved=[[1, 2, 0]], relevant=[[1, 0, 0]])
        >>> (shard + shard).retrieved.tolist()
        [[2, 4, 0]]
    """

    retrieved: Table
    relevant: Table

    def __post_init__(self) -> None:
        for name in ("retrieved", "relevant"):
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] < 2 or not len(array):
                raise ValueError(
                    f"{name} must be an integer table (n_query, bits + 1), "
                    f"but it is {array.dtype} of shape {array.shape}"
                )
            object.__setattr__(self, name, np.ascontiguousarray(array, np.int64))
        if self.retrieved.shape != self.relevant.shape:
            raise ValueError(
                "retrieved and relevant must have the same shape, "
                f"but they have {self.retrieved.shape} and {self.relevant.shape}"
            )
        if (self.relevant < 0).any() or (self.relevant > self.retrieved).any():
            raise ValueError("relevant must lie between 0 and retrieved in every cell, but it does not")

    def __len__(self) -> int:
        return len(self.retrieved)

    def __getitem__(self, queries: Any) -> RankingTables:
        """Select queries with a slice, an index array or a boolean mask."""
        return RankingTables(np.atleast_2d(self.retrieved[queries]), np.atleast_2d(self.relevant[queries]))

    def __add__(self, other: object) -> RankingTables:
        if not isinstance(other, RankingTables):
            return NotImplemented
        if self.retrieved.shape != other.retrieved.shape:
            raise ValueError(
                "tables of two database shards must come from the same queries and code length, "
                f"but their shapes are {self.retrieved.shape} and {other.retrieved.shape}"
            )
        return RankingTables(self.retrieved + other.retrieved, self.relevant + other.relevant)

    @property
    def bits(self) -> int:
        """Code length in bits."""
        return int(self.retrieved.shape[1]) - 1

    @staticmethod
    def concat(parts: Iterable[RankingTables]) -> RankingTables:
        """Join the tables of different queries over the same database.

        Args:
            parts: at least one table, all of one code length.

        Returns:
            The tables of all queries, in the order given.

        Raises:
            ValueError: if there are no parts or their code lengths differ.
        """
        parts = list(parts)
        if not parts or len({part.bits for part in parts}) != 1:
            raise ValueError(
                "parts must be at least one table of one code length, "
                f"but their code lengths are {[part.bits for part in parts]}"
            )
        return RankingTables(
            np.concatenate([part.retrieved for part in parts]),
            np.concatenate([part.relevant for part in parts]),
        )

    def to_npz(self, path: str | PathLike[str]) -> None:
        """Write an `.npz` file with the arrays `retrieved` and `relevant`.

        Args:
            path: the file, written under exactly this name.
        """
        write_arrays(path, retrieved=self.retrieved, relevant=self.relevant)

    @classmethod
    def from_npz(cls, path: str | PathLike[str]) -> RankingTables:
        """Read what `to_npz` wrote.

        Args:
            path: the file.

        Returns:
            The tables.

        Raises:
            ValueError: if the file does not hold `retrieved` and `relevant`.
        """
        return cls(*read_arrays(path, "retrieved", "relevant"))
