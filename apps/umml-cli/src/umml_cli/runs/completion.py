"""Which donors stand in for missing partners in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from cmh_train import MethodSpec

Completion = Literal["none", "label", "neighbour"]
CompletionChoice = Literal["none", "auto", "label", "neighbour"]


def check_completion(choice: str) -> CompletionChoice:
    """Refuse what `--complete` does not know.

    Raises:
        UserError: naming what it knows.
    """
    for known in get_args(CompletionChoice):
        if choice == known:
            return cast("CompletionChoice", known)
    raise UserError(f"--complete is {', '.join(get_args(CompletionChoice))}, not {choice!r}.")


def choose_completion(
    choice: CompletionChoice, method: MethodSpec, *, has_labels: bool, n_pairs: int
) -> Completion:
    """Settle which donors a run takes.

    Args:
        choice: what was asked for; "auto": what the method is made for and the data allow.
        method: the method to train.
        has_labels: whether the training rows have labels.
        n_pairs: training rows that keep both items.

    Returns:
        "none" also where that is what the method does best with (`MethodSpec.completion`).

    Raises:
        UserError: where the data have neither what is asked for nor what "auto" could take instead.
    """
    if choice == "auto":
        wanted = method.completion
        choice = "neighbour" if wanted == "label" and not has_labels else wanted or "none"
        if choice == "neighbour" and n_pairs == 0:
            labels = f"{method.name} learns without labels" if has_labels else "there are no labels"
            raise UserError(
                f"No pair is left and {labels}: nothing tells which image goes with which text; "
                "give labels and --complete label, or use --complete none."
            )
    if choice == "label" and not has_labels:
        raise UserError(
            "--complete label finds donors by label, but the data have no labels; "
            "take --complete neighbour or none."
        )
    if choice == "neighbour" and n_pairs == 0:
        raise UserError(
            "--complete neighbour finds donors among the pairs, but none is left; "
            "take --complete label where there are labels, or --complete none."
        )
    return choice
