"""The plan: what each training row keeps, written down so that it can be repeated and checked."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cmh_unpair._apply import apply_plan
from cmh_unpair._rule import PlanRule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmh_unpair._apply import UnpairedArrays

NO_TEXT = 1
NO_IMAGE = 2
DROPPED = 4
SHUFFLED = 8

#: What may become of a training row, in the order of `UnpairingPlan.condition`; fields of `PlanCounts`.
CONDITIONS = ("true_pairs", "without_text", "without_image", "without_both", "shuffled", "dropped")
_TITLES = {
    "true_pairs": "true pairs",
    "without_text": "text removed",
    "without_image": "image removed",
    "without_both": "both removed",
    "shuffled": "text shuffled",
    "dropped": "dropped",
}
_TITLES_WITH_MISSING = {
    "without_text": "without text",
    "without_image": "without image",
    "without_both": "without both",
}


class PlanCounts(BaseModel):
    """How many training rows a plan leaves in which condition.

    Attributes:
        n_train: All rows the plan speaks of.
        kept: Rows that stay in the training set.
        true_pairs: Rows that keep both their own image and their own text.
        without_text: Kept rows whose text is removed (unpaired images).
        without_image: Kept rows whose image is removed (unpaired texts).
        without_both: Kept rows that lose both; only the published script makes such rows.
        shuffled: Rows that hold the text of another row.
        dropped: Rows removed from the training set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_train: int
    kept: int
    true_pairs: int
    without_text: int
    without_image: int
    without_both: int
    shuffled: int
    dropped: int


class _Record(BaseModel):
    """The JSON form of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["cmh-unpair plan"] = "cmh-unpair plan"
    version: Literal[1] = 1
    name: str
    rule: PlanRule
    n_train: int = Field(ge=1)
    counts: PlanCounts
    digest: str
    state: str
    text_index: str | None = None
    missing: str | None = None


@dataclass(frozen=True, eq=False)
class UnpairingPlan:
    """Which training rows keep their image, their text, both, or are dropped.

    Made by `plan_unpairing`, `pdr_plan`, `published_2022_plan` or `from_json`; two plans are equal when they
    treat every row alike, whatever rule led there.

    Attributes:
        rule: What was asked.
        state: `(n_train,)` uint8 flags, read-only: 1 no text, 2 no image, 4 dropped, 8 shuffled.
        text_index: `(n_train,)` int64, the row whose text each row holds; None where no text moves.
        missing: `(n_train,)` uint8 flags of what is missing from the data already: 1 the text that the row
            would hold, 2 its image; None where nothing is.
    """

    rule: PlanRule
    state: NDArray[np.uint8]
    text_index: NDArray[np.int64] | None = None
    missing: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        for rows in (self.state, self.text_index, self.missing):
            if rows is not None:
                rows.flags.writeable = False

    def __len__(self) -> int:
        return len(self.state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnpairingPlan) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"UnpairingPlan({self.name}, n_train={self.n_train}, true_pairs={self.counts.true_pairs})"

    @property
    def n_train(self) -> int:
        """Number of training rows."""
        return len(self.state)

    @property
    def name(self) -> str:
        """The paper's short name, such as `UI20`."""
        return self.rule.name

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """`(n_train,)` bool, rows that stay in the training set."""
        return np.asarray(self.state & DROPPED == 0)

    @cached_property
    def image_present(self) -> NDArray[np.bool_]:
        """`(n_train,)` bool, rows that have an image; False for dropped rows."""
        return np.asarray(self.state & (NO_IMAGE | DROPPED) == 0)

    @cached_property
    def text_present(self) -> NDArray[np.bool_]:
        """`(n_train,)` bool, rows that have a text; False for dropped rows."""
        return np.asarray(self.state & (NO_TEXT | DROPPED) == 0)

    @cached_property
    def true_pair(self) -> NDArray[np.bool_]:
        """`(n_train,)` bool, rows that keep both their own image and their own text."""
        return np.asarray(self.state == 0)

    @cached_property
    def condition(self) -> NDArray[np.uint8]:
        """`(n_train,)` uint8, what becomes of each row, as its place in `CONDITIONS`; every row has one."""
        removed = self.state & (NO_TEXT | NO_IMAGE)  # already the places of true pair, without text, ...
        shuffled = (self.state & SHUFFLED != 0) & (removed == 0)
        condition = np.where(shuffled, CONDITIONS.index("shuffled"), removed)
        condition[self.state & DROPPED != 0] = CONDITIONS.index("dropped")
        return condition.astype(np.uint8)

    @cached_property
    def counts(self) -> PlanCounts:
        """How many rows are in which condition."""
        numbers = np.bincount(self.condition, minlength=len(CONDITIONS)).tolist()
        by_name = dict(zip(CONDITIONS, numbers, strict=True))
        return PlanCounts(n_train=self.n_train, kept=self.n_train - by_name["dropped"], **by_name)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) over what happens to every row, not over the rule that led there."""
        digest = hashlib.sha256(f"cmh-unpair plan 1 {self.n_train} ".encode())
        digest.update(self.state.data)
        if self.text_index is not None:
            digest.update(b"labels move" if self.rule.shuffle_labels else b"labels stay")
            digest.update(self.text_index.astype("<i8").tobytes())
        if self.rule.integer_cast:
            digest.update(b"integer cast")
        if self.missing is not None:
            digest.update(b"missing")
            digest.update(self.missing.data)
        return digest.hexdigest()

    def summary(self) -> str:
        """A table of what the plan does, for a terminal or a log.

        Returns:
            Lines of text without a final newline.
        """
        counts = self.counts
        lines = [f"{self.name}: {self._rule_in_words()}", f"{'':<16}{'rows':>12}{'percent':>10}"]
        # What is removed and what was missing already are one number: rows without it.
        titles = _TITLES if self.missing is None else _TITLES | _TITLES_WITH_MISSING
        numbers = {title: getattr(counts, name) for name, title in titles.items()}
        for title, number in (numbers | {"all": counts.n_train}).items():
            if number or title == "true pairs":
                lines.append(f"{title:<16}{number:>12,}{100 * number / counts.n_train:>9.2f}%")
        if self.missing is not None:
            lines.append(self._missing_in_words())
        lines.append(f"digest {self.digest[:16]}")
        return "\n".join(lines)

    def _missing_in_words(self) -> str:
        assert self.missing is not None
        numbers = [np.count_nonzero(self.missing == flag) for flag in (NO_TEXT, NO_IMAGE, NO_TEXT | NO_IMAGE)]
        nothing_left = np.count_nonzero((self.missing != 0) & ~self.kept)
        return (
            f"missing already: text of {numbers[0]:,} rows, image of {numbers[1]:,}, both of {numbers[2]:,}; "
            f"{nothing_left:,} rows with something missing are not kept"
        )

    def _rule_in_words(self) -> str:
        rule = self.rule
        if rule.kind == "published-2022":
            words = [f"as published in 2022, cycle of {rule.cycle}, text from the {rule.text_rows}"]
            if rule.empty_scope == "all-rows":
                words.append("images of all rows")
            if rule.empty_scope == "whole-array":
                words.append("every image")
            if rule.integer_cast:
                words.append("cast to integers")
            return ", ".join(words)
        where = "the whole set" if rule.block is None else f"each {rule.block} rows"
        if rule.stratified:
            where = "each label set"
        words = [f"{rule.select} rows of {where}"]
        if rule.select == "ranked":
            words.append(f"{rule.rank_from} score first")
        if rule.unpaired_text_at == "start":
            words.append("unpaired images and texts in turn")
        if rule.seed is not None:
            words.append(f"seed {rule.seed}")
        if rule.shuffle:
            words.append("labels move with the text" if rule.shuffle_labels else "labels stay with the image")
        return ", ".join(words)

    def counts_by_label(self, labels: ArrayLike) -> dict[str, NDArray[np.int64]]:
        """Count the rows of every condition per label.

        Args:
            labels: `(n_train,)` integers, classes 0..n_label-1, or `(n_train, n_label)` multi-hot labels of
                the training rows.

        Returns:
            `true_pairs`, `without_text`, `without_image`, `without_both`, `shuffled`, `dropped` and `all`,
            each `(n_label,)` int64. A row with several labels counts for each of them.

        Raises:
            ValueError: If `labels` has another number of rows than the plan.
        """
        table = np.asarray(labels)
        if len(table) != self.n_train:
            raise ValueError(
                f"labels must have {self.n_train} rows, one for each training row of the plan, "
                f"but they have {len(table)}; pass the labels of the training rows only"
            )
        if table.ndim == 1:
            table = table[:, None] == np.arange(int(table.max()) + 1)
        table = table.astype(bool)
        result = {
            name: np.count_nonzero(table[self.condition == place], axis=0)
            for place, name in enumerate(CONDITIONS)
        }
        return result | {"all": np.count_nonzero(table, axis=0)}

    def with_missing(self, *, image_present: ArrayLike, text_present: ArrayLike) -> UnpairingPlan:
        """Carry out this plan on data from which something is missing already.

        What is missing stays missing and what the plan removes is removed; a row from which something is
        missing and which would have neither image nor text is not kept. The text that a shuffled row would
        hold is that of another row. Nothing is drawn anew: the plan's percentages are of all training rows.

        Args:
            image_present: `(n_train,)` bool, the training rows that have an image.
            text_present: `(n_train,)` bool, the training rows that have a text.

        Returns:
            The plan of what is left. Where nothing is missing it equals this plan.

        Raises:
            ValueError: a mask has another length, or holds more than zeros and ones.

        Example:
            >>> from cmh_unpair import plan_unpairing
            >>> plan = plan_unpairing(10, unpaired_images=20)
            >>> left = plan.with_missing(image_present=[0] + [1] * 9, text_present=[1] * 9 + [0])
            >>> left.counts.kept, left.counts.true_pairs, left.counts.without_text
            (9, 7, 2)
        """
        image = _as_mask("image_present", image_present, self.n_train)
        text = _as_mask("text_present", text_present, self.n_train)
        if self.text_index is not None:
            text = text[self.text_index]
        missing = (~text).view(np.uint8) * np.uint8(NO_TEXT) | (~image).view(np.uint8) * np.uint8(NO_IMAGE)
        if self.missing is not None:
            missing |= self.missing
        if not missing.any():
            return self
        state = self.state | missing
        neither = state & (NO_TEXT | NO_IMAGE) == NO_TEXT | NO_IMAGE
        state[(neither & (missing != 0)) | ~self.kept] = DROPPED
        return UnpairingPlan(rule=self.rule, state=state, text_index=self.text_index, missing=missing)

    def apply(
        self,
        images: Any,
        texts: Any,
        labels: Any = None,
        *,
        rows: ArrayLike | None = None,
        marker: Literal["none", "text", "both"] = "none",
        fill: Literal["zero", "mean"] = "zero",
    ) -> UnpairedArrays:
        """Take the training rows out of the arrays and empty what the plan says; the inputs stay as they are.

        Only training rows come back, so query and retrieval rows cannot be touched, even where training rows
        are retrieval rows as well: the retrieval set is read from the inputs, the training set from the
        result.

        Args:
            images: `(n, ...)` of any numeric dtype: NumPy array, SciPy sparse matrix, torch tensor or lazy
                array (`h5py.Dataset`), or None.
            texts: `(n, ...)` of any numeric dtype, the same kinds, or None.
            labels: `(n, ...)` labels of any dtype, or None.
            rows: `(n_train,)` integers, the row of the arrays for each row of the plan; None where the arrays
                hold exactly the training rows.
            marker: Which modality gets one more column that is 1 where the item is removed: `"none"`,
                `"text"` (paper) or `"both"`.
            fill: What an removed item holds: zeros, or the mean of the items that are still present.

        Returns:
            The kept training rows, with presence masks.

        Raises:
            ValueError: If sizes disagree with the plan, `rows` repeats or leaves the range, a marker column
                has no place to go (pixels), or the mean of a sparse matrix is asked for.

        Example:
            >>> import numpy as np
            >>> from cmh_unpair import plan_unpairing
            >>> plan = plan_unpairing(10, unpaired_images=20)
            >>> unpaired = plan.apply(np.ones((10, 3)), np.ones((10, 2)))
            >>> unpaired.texts[:, 0]
            array([0., 0., 1., 1., 1., 1., 1., 1., 1., 1.])
        """
        return apply_plan(self, images, texts, labels, rows=rows, marker=marker, fill=fill)

    def to_json(self) -> str:
        """Write the plan as JSON: rule, counts, digest and the state of every row (zlib, base64).

        Returns:
            The text. A plan of the first rows takes a few hundred bytes, a random one about n_train / 3.
        """
        record = _Record(
            name=self.name,
            rule=self.rule,
            n_train=self.n_train,
            counts=self.counts,
            digest=self.digest,
            state=_pack(self.state),
            text_index=None if self.text_index is None else _pack(self.text_index.astype("<i8")),
            missing=None if self.missing is None else _pack(self.missing),
        )
        left_out = {"missing"} if self.missing is None else None
        return record.model_dump_json(indent=2, exclude=left_out) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> UnpairingPlan:
        """Read what `to_json` wrote, and check it against its counts and digest.

        Args:
            text: The JSON text.

        Returns:
            The same plan.

        Raises:
            ValueError: If the text is no plan, or has been changed since it was written.
        """
        try:
            record = _Record.model_validate_json(text)
            state = np.frombuffer(_unpack(record.state, record.n_train), dtype=np.uint8)
            text_index = None
            if record.text_index is not None:
                packed = _unpack(record.text_index, 8 * record.n_train)
                text_index = np.frombuffer(packed, dtype="<i8").astype(np.int64)
            missing = None
            if record.missing is not None:
                missing = np.frombuffer(_unpack(record.missing, record.n_train), dtype=np.uint8)
        except ValidationError as error:
            raise ValueError(
                f"text must be the JSON of an unpairing plan, but it is not: {_first(error)}"
            ) from None
        except (ValueError, OverflowError, zlib.error):
            raise ValueError(
                "text must be the JSON of an unpairing plan, but its packed rows are damaged; make it again"
            ) from None
        _check_rows(state, text_index, missing)
        plan = cls(rule=record.rule, state=state, text_index=text_index, missing=missing)
        if plan.digest != record.digest or plan.counts != record.counts:
            raise ValueError(
                f"text must be a plan as it was written, but its rows give digest {plan.digest[:16]}, "
                f"the record says {record.digest[:16]}; the JSON or its counts were changed after writing"
            )
        return plan


def _as_mask(name: str, values: ArrayLike, n: int) -> NDArray[np.bool_]:
    mask = np.asarray(values)
    if mask.shape != (n,):
        raise ValueError(
            f"{name} must have the shape ({n},), one value per training row, but it is {mask.shape}"
        )
    if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} must hold zeros and ones, but it holds other values of dtype {mask.dtype}")
    return mask.astype(np.bool_)


def _check_rows(
    state: NDArray[np.uint8], text_index: NDArray[np.int64] | None, missing: NDArray[np.uint8] | None
) -> None:
    """Refuse flags and rows that no plan has."""
    whole = int(state.max()) <= NO_TEXT | NO_IMAGE | DROPPED | SHUFFLED
    if text_index is not None:
        whole = whole and int(text_index.min()) >= 0 and int(text_index.max()) < len(state)
    if missing is not None:
        whole = whole and int(missing.max()) <= NO_TEXT | NO_IMAGE
    if not whole:
        raise ValueError(
            "text must be the JSON of an unpairing plan, but its rows are out of range; make it again"
        )


class _WrongLengthError(ValueError):
    pass


def _first(error: ValidationError) -> str:
    """The first complaint in words, without pydantic's web address."""
    complaint = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in complaint["loc"])
    return f"{place + ': ' if place else ''}{complaint['msg']}"


def _pack(values: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 6)).decode("ascii")


def _unpack(text: str, size: int) -> bytes:
    """Undo `_pack`, but never inflate to more than the size that is expected."""
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(data) != size:
        raise _WrongLengthError
    return data
