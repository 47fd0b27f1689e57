"""Encode the pictures and texts of a collection with named encoders, resumably, and say what was left out."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import cmh_data
    import cmh_features

BAG_OF_WORDS = "bag-of-words"


@dataclass(frozen=True)
class Encoders:
    """Which encoders make the features.

    Args:
        image: name of the encoder of pictures, such as `efficientnet-lite0`.
        text: name of the encoder of texts, such as `minilm`; `bag-of-words`: the words of the builder.
        device: where networks run; "auto" is a GPU if there is one.
        precision: of the networks.
        threads: that decode pictures; None: one for each core.
    """

    image: str
    text: str = BAG_OF_WORDS
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    def load(self, name: str, modality: str) -> cmh_features.Encoder:
        """Load one encoder and check that it encodes what it is for."""
        import cmh_features  # noqa: PLC0415 - heavy with some encoders

        encoder = cmh_features.load_encoder(name, device=self.device, precision=self.precision)  # type: ignore[arg-type] # checked there
        if modality not in encoder.modalities:
            raise UserError(
                f"--{modality}-encoder must encode {modality}s, but {name} does not; "
                "see `umml features --list`."
            )
        return encoder


def encode_built(
    built: cmh_data.BuiltData,
    encoders: Encoders,
    workspace: Path,
    *,
    say: Callable[[str], None],
    progress: Callable[[str], Callable[[cmh_features.Progress], None]],
    **split: Any,
) -> cmh_data.PairedDataset:
    """Encode what a builder found, and make a data set of it.

    Features are written block by block into `workspace`, so that a stopped run continues there; the folder is
    for the caller to delete when the data set is saved.

    Args:
        built: the items.
        encoders: which encoders.
        workspace: a folder for unfinished features.
        say: prints one line.
        progress: makes a callback for what it is given the name of.
        **split: how rows are split, see `BuiltData.dataset`.

    Returns:
        The data set, with the texts themselves in `captions`.

    Raises:
        UserError: if an encoder does not fit, or there are no texts to encode.
    """
    image_encoder = encoders.load(encoders.image, "image")
    text_encoder = None if encoders.text == BAG_OF_WORDS else encoders.load(encoders.text, "text")
    if text_encoder is not None and not built.captions:
        raise UserError(
            f"{built.name} has words but no texts to encode; leave --text-encoder out to use the words."
        )
    workspace.mkdir(parents=True, exist_ok=True)
    image = image_encoder.encode_images(
        built.pictures(), out=workspace / "image.npy", threads=encoders.threads, progress=progress("images")
    )
    report_skipped("images", image, say)
    made: dict[str, Any] = {"image": dict(image.identity)}
    arguments: dict[str, Any] = {}
    if text_encoder is not None:
        texts = [text or None for text in built.captions]
        if hasattr(text_encoder, "fit") and not getattr(text_encoder, "vocabulary", ()):
            text_encoder.fit(texts)
        text = text_encoder.encode_texts(texts, out=workspace / "text.npy", progress=progress("texts"))
        report_skipped("texts", text, say)
        made["text"] = dict(text.identity)
        if hasattr(text_encoder, "fitted"):
            made["text"]["fitted"] = text_encoder.fitted()
        arguments = {
            "text": text.features,
            "text_present": text.present,
            "text_vocabulary": getattr(text_encoder, "vocabulary", ()),
        }
    if not image.present.any():
        raise UserError(f"No image of {built.name} could be encoded: {image.skipped[0].reason}.")
    return built.dataset(
        np.asarray(image.features), image_present=image.present, encoders=made, **arguments, **split
    )


def report_skipped(what: str, encoded: cmh_features.Encoded, say: Callable[[str], None]) -> None:
    """Say how many items have no feature and why, naming the first of each kind."""
    kinds: dict[str, list[str]] = {}
    for row, name, reason in encoded.skipped:
        kinds.setdefault(reason, []).append(name or f"row {row}")
    n, skipped = len(encoded), len(encoded.skipped)
    say(f"{n - skipped} of {n} {what} encoded, {skipped} skipped")
    for reason, names in kinds.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"  {reason}: {', '.join(names[:3])}{more}")


def workspace_of(out: Path) -> Path:
    """The folder beside a file in which its unfinished features lie."""
    return out.with_name(f"{out.name}.features")


def remove_workspace(out: Path) -> None:
    """Delete the unfinished features of a file that is complete."""
    shutil.rmtree(workspace_of(out), ignore_errors=True)


def listed(path: Path) -> Sequence[str]:
    """The lines of a text file, one text each."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} must be UTF-8 text, but it is not; save it as UTF-8.") from error
