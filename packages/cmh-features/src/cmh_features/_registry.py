"""Find encoders among the installed packages, and load them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal

from cmh_features._errors import EncoderUnavailableError, UnknownEncoderError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from cmh_features._encoder import Encoder, Modality

GROUP = "cmh.encoders"
Precision = Literal["auto", "float32", "float16", "bfloat16"]
PRECISIONS = ("auto", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class EncoderRequest:
    """What was asked for, as the function that builds an encoder gets it.

    Args:
        name: the whole name, such as `open_clip:ViT-B-32:weights.pt`.
        argument: what follows the first colon; "" if nothing does.
        device: "auto", or a device of torch.
        precision: "auto", or the type of number to compute in.
    """

    name: str
    argument: str = ""
    device: str = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True)
class EncoderSpec:
    """A kind of encoder, as packages announce it in the entry-point group `cmh.encoders`.

    Args:
        name: what comes before the first colon of an encoder's name.
        modalities: "image", "text" or both.
        summary: one line for a list of encoders.
        build: makes the encoder; raises `EncoderUnavailableError` if a package or a file is missing.
        usage: the form of the whole name, such as `onnx:PATH`; "" if it is just `name`.
    """

    name: str
    modalities: tuple[Modality, ...]
    summary: str
    build: Callable[[EncoderRequest], Encoder]
    usage: str = ""


def available_encoders() -> dict[str, EncoderSpec]:
    """Return every kind of encoder that an installed package announces, by name in alphabetical order.

    Whether its own packages and weights are here shows when it is loaded.

    Returns:
        Name and specification.

    Raises:
        EncoderUnavailableError: if a package announces an encoder that cannot be imported.

    Example:
        >>> available_encoders()["minilm"].modalities
        ('text',)
    """
    return {point.name: _load(point) for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def load_encoder(name: str, *, device: str = "auto", precision: Precision = "auto") -> Encoder:
    """Load an encoder by name.

    Args:
        name: such as `minilm`, `efficientnet-lite0` or `open_clip:ViT-B-32:weights.pt`; see
            `available_encoders`.
        device: "cpu", "cuda" and so on; "auto" takes a GPU where there is one.
        precision: the type of number to compute in; "auto" is float16 on a GPU and float32 elsewhere.

    Returns:
        The encoder.

    Raises:
        UnknownEncoderError: if there is no such encoder; the message lists those there are.
        EncoderUnavailableError: if a package, a file or a device that it needs is missing.
        ValueError: for an unknown precision, or one that the encoder cannot compute in.

    Example:
        >>> encoder = load_encoder("bag-of-words").fit(["a red apple", "a red boat"])
        >>> encoder.encode_texts(["red", "blue"]).present.tolist()
        [True, False]
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, but it is {precision!r}")
    family, _, argument = name.partition(":")
    points = {point.name: point for point in entry_points(group=GROUP)}
    if family not in points:
        raise UnknownEncoderError(
            f"there is no encoder {family!r}; installed encoders: {', '.join(sorted(points)) or 'none'}"
        )
    spec = _load(points[family])
    if argument and not spec.usage:
        raise ValueError(f"{family} takes nothing after a colon, but the name is {name!r}")
    return spec.build(EncoderRequest(name, argument, device, precision))


def _load(point: EntryPoint) -> EncoderSpec:
    package = point.dist.name if point.dist else "an unknown package"
    try:
        spec = point.load()
    except Exception as error:
        raise EncoderUnavailableError(
            f"encoder {point.name!r} of {package} cannot be loaded from {point.value!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(spec, EncoderSpec):
        raise EncoderUnavailableError(
            f"encoder {point.name!r} of {package}: {point.value!r} is a {type(spec).__name__}, "
            "not an EncoderSpec"
        )
    return spec
