"""Which donors stand in for missing partners in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from cmh_train import MethodSpec

    from umml_cli.terms import Completion, CompletionChoice


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
        UserError: where the data have neither what is asked for nor what "auto" could take instead, or the
            method needs no pairs.
    """
    if choice not in {"auto", "none"} and not method.needs_pairs:
        raise UserError(
            f"--complete {choice} would change nothing: {method.name} trains on each modality's own rows and "
            "needs no pairs; leave it out."
        )
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
