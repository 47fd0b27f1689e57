"""A trained model in a folder: enough to encode new items anywhere, and nothing that runs code when read."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from safetensors.torch import load, save

from cmh_train._checkpoint import written_beside
from cmh_train._contract import DataSpec, MethodSpec, Modality
from cmh_train._device import find_device
from cmh_train._encode import encode_dataset
from cmh_train._registry import (
    BrokenMethodError,
    UnknownMethodError,
    build_method,
    find_method,
    method_package,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from cmh_train._contract import HashingMethod

_FORMAT, _VERSION = "cmh-train model", 1
_DESCRIPTION, _WEIGHTS = "model.json", "weights.safetensors"
_LOADERS = "cmh.encoder_loaders"
_LOG = logging.getLogger(__name__)


class ModelError(ValueError):
    """A model folder cannot be written, read or used as asked."""


class _Encoded(Protocol):
    features: npt.NDArray[Any]
    present: npt.NDArray[np.bool_]


class ItemEncoder(Protocol):
    """What makes features of pictures and texts, such as the encoders of cmh-features."""

    def encode_images(self, items: Any) -> _Encoded:
        """Encode pictures.

        Args:
            items: whatever the encoder reads, for example paths.

        Returns:
            `features`, a row for each item, and `present`, False where one could not be read.
        """

    def encode_texts(self, items: Any) -> _Encoded:
        """Encode texts.

        Args:
            items: strings.

        Returns:
            As for pictures.
        """


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What a model folder says of its model, as `model.json` holds it.

    Args:
        method: name of the method.
        options: all of the method's options.
        data_spec: shapes and scaling statistics of the data it was trained on.
        encoders: for "image" and "text" the identity of the encoder that made its features, with its `name`,
            and where it was fitted to texts, such as a bag of words, what it learned from them, `fitted`; a
            modality without one takes features only.
        label_names: the labels of the data set, in the order of its columns.
        data_digest: digest of the data set, "" where it has none.
        versions: package to its version when the model was written.
        remarks: whatever else should travel along, as JSON values.

    Example:
        >>> from cmh_train import DataSpec
        >>> spec = DataSpec(n_train=9, image_shape=(4,), text_width=3)
        >>> ModelDescription(method="dadh", options={"bits": 16}, data_spec=spec).to_json().splitlines()[1]
        ' "format": "cmh-train model",'
    """

    method: str
    options: Mapping[str, Any]
    data_spec: DataSpec
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label_names: tuple[str, ...] = ()
    data_digest: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of `model.json`."""
        content = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


class Model:
    """A trained model that encodes new items; `load_model` makes it.

    Args:
        description: what the folder says of it.
        method: the method, with its weights.
        load_encoder: makes an encoder of its name; None: that of cmh-features, where it is installed.

    Example:
        >>> from cmh_train import DataSpec, HashingMethod
        >>> spec = DataSpec(n_train=9, image_shape=(4,), text_width=3)
        >>> Model(ModelDescription(method="m", options={}, data_spec=spec), HashingMethod()).depends_on_batch
        False
    """

    def __init__(
        self,
        description: ModelDescription,
        method: HashingMethod,
        load_encoder: Callable[[str], ItemEncoder] | None = None,
    ) -> None:
        self.description = description
        self.method = method
        self._load_encoder = load_encoder
        self._encoders: dict[str, ItemEncoder] = {}

    @property
    def bits(self) -> int:
        """Code length."""
        return self.method.bits

    @cached_property
    def digest(self) -> str:
        """SHA-256 of method, options and weights, as hexadecimal; codes of equal digests can be compared."""
        said = {"method": self.description.method, "options": dict(self.description.options)}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for name, value in sorted(self.method.state_dict().items()):
            array = value.detach().cpu().contiguous()
            digest.update(f"{name} {array.dtype} {tuple(array.shape)};".encode())
            digest.update(array.reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    @property
    def depends_on_batch(self) -> bool:
        """Whether the code of an item depends on the items that it is encoded with, as in AGAH's default."""
        return self.method.encode_batch_size is not None

    def encode_images(self, images: Any) -> npt.NDArray[np.float32]:
        """Encode pictures, or their features.

        Args:
            images: `(n, *image_shape)` features of any real dtype, or a sequence of whatever the model's
                image encoder reads, for example paths.

        Returns:
            `(n, bits)` float32 outputs; a bit of the code is 1 where the value is `>= 0`. The row of a
            picture that cannot be read is NaN, and a warning names it.

        Raises:
            ModelError: if features have another width, or pictures are given and the encoder is not here.
        """
        return self._encode("image", images)

    def encode_texts(self, texts: Any) -> npt.NDArray[np.float32]:
        """Encode texts, or their features.

        Args:
            texts: `(n, text_width)` features of any real dtype, or a sequence of strings.

        Returns:
            `(n, bits)` float32 outputs, as for pictures.

        Raises:
            ModelError: as for pictures.
        """
        return self._encode("text", texts)

    def _encode(self, modality: Modality, items: Any) -> npt.NDArray[np.float32]:
        features, present = self._features(modality, items)
        try:
            outputs = encode_dataset(self.method, modality, features)
        except ValueError as error:
            raise ModelError(str(error)) from None
        outputs[~present] = np.nan
        return outputs

    def _features(self, modality: Modality, items: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        spec = self.description.data_spec
        rank = 1 + (len(spec.image_shape) if modality == "image" else 1)
        if isinstance(items, np.ndarray) and items.dtype.kind in "fiub" and items.ndim == rank:
            return items, np.ones(len(items), np.bool_)
        items = list(items)
        if not items:
            raise ModelError(f"{modality}s must hold at least one item, but it is empty")
        encoder = self._encoder(modality)
        encoded = encoder.encode_images(items) if modality == "image" else encoder.encode_texts(items)
        if not encoded.present.all():
            missing = np.flatnonzero(~encoded.present)
            _LOG.warning(
                "%d of %d %ss cannot be encoded, the first is %r", len(missing), len(items), modality,
                first if isinstance(first := items[missing[0]], str | bytes) else str(first),
            )  # fmt: skip
        return encoded.features, encoded.present

    def _encoder(self, modality: Modality) -> ItemEncoder:
        if modality not in self._encoders:
            identity = self.description.encoders.get(modality)
            if identity is None:
                raise ModelError(
                    f"this model was trained on {modality} features for which no encoder is recorded; "
                    f"give features of shape {self._shape(modality)}"
                )
            self._encoders[modality] = self._checked(identity)
        return self._encoders[modality]

    def _checked(self, identity: Mapping[str, Any]) -> ItemEncoder:
        name = identity["name"]
        load_encoder = self._load_encoder or _installed_loader(name)
        encoder = load_encoder(name)
        if "fitted" in identity:
            cast("Any", encoder).restore(identity["fitted"])
        digest = getattr(getattr(encoder, "identity", None), "digest", None)
        if digest is not None and identity.get("digest") and digest != identity["digest"]:
            raise ModelError(
                f"encoder {name} has other weights here ({digest[:12]}) than when the model was trained "
                f"({identity['digest'][:12]}); install the version {identity.get('version', 'of then')}"
            )
        return encoder

    def _shape(self, modality: Modality) -> str:
        spec = self.description.data_spec
        shape = spec.image_shape if modality == "image" else (spec.text_width,)
        return f"(n, {', '.join(map(str, shape))})"


def save_model(folder: str | Path, method: HashingMethod, description: ModelDescription) -> None:
    """Write a trained method into a folder of its own.

    Args:
        folder: made where it is missing; a model in it is replaced.
        method: its state dict is written.
        description: what goes with it.

    Raises:
        ModelError: if something else lies in the folder.

    Example:
        >>> import os, tempfile
        >>> from cmh_train import DataSpec, HashingMethod
        >>> spec = DataSpec(n_train=9, image_shape=(4,), text_width=3)
        >>> folder = tempfile.mkdtemp()
        >>> save_model(folder, HashingMethod(), ModelDescription(method="m", options={}, data_spec=spec))
        >>> sorted(os.listdir(folder))
        ['model.json', 'weights.safetensors']
    """
    folder = Path(folder)
    leftovers = [path for name in _NAMES for path in folder.glob(f".{name}.*.part")]  # of one that was killed
    if folder.exists() and (
        not folder.is_dir() or {path.name for path in folder.iterdir() if path not in leftovers} - _NAMES
    ):
        raise ModelError(f"{folder} holds something else than a model; choose another folder")
    for path in leftovers:
        path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in method.state_dict().items()}
    place = folder / _DESCRIPTION
    with (
        written_beside(folder / _WEIGHTS, save(tensors)) as weights,
        written_beside(place, description.to_json().encode()) as described,
    ):  # both are on the disk before a model that is there is touched
        place.unlink(missing_ok=True)  # without it the folder is no model, until it is whole again
        weights.replace(folder / _WEIGHTS)
        described.replace(place)


def load_model(
    folder: str | Path,
    *,
    device: str | torch.device = "cpu",
    method: MethodSpec | None = None,
    load_encoder: Callable[[str], ItemEncoder] | None = None,
) -> Model:
    """Read a trained model; nothing in the folder is ever run.

    A warning in the log says if it was written with another version of cmh-train or of its method's package.

    Args:
        folder: what `save_model` wrote, or a folder in which there is one such folder, as `umml train --out`
            makes it.
        device: where to encode.
        method: the method's specification; None: that of the installed package that offers it.
        load_encoder: makes an encoder of its name; None: that of cmh-features, where it is installed.

    Returns:
        The model.

    Raises:
        ModelError: if there is no model, it is damaged or of another version, or its method is not installed
            or not the one given.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import torch
        >>> from cmh_train import DataSpec, HashingMethod, MethodConfig, MethodSpec, build_method
        >>> class Linear(HashingMethod):
        ...     def __init__(self, config, data):
        ...         super().__init__()
        ...         self.bits = config.bits
        ...         self.image = torch.nn.Linear(data.image_shape[0], config.bits)
        ...         self.text = torch.nn.Linear(data.text_width, config.bits)
        ...
        ...     def encode(self, modality, features):
        ...         return self.image(features) if modality == "image" else self.text(features)
        >>> linear = MethodSpec(
        ...     name="linear", title="", config_type=MethodConfig, build=Linear, supervised=False, presets={}
        ... )
        >>> spec = DataSpec(n_train=9, image_shape=(4,), text_width=3)
        >>> folder = tempfile.mkdtemp()
        >>> description = ModelDescription(method="linear", options={"bits": 16}, data_spec=spec)
        >>> save_model(folder, build_method(linear, {"bits": 16}, spec, seed=0), description)
        >>> load_model(folder, method=linear).encode_texts(np.ones((2, 3))).shape
        (2, 16)
    """
    folder = find_model(folder)
    description = _read_description(folder / _DESCRIPTION)
    if method is not None and description.method not in (method.name, *method.aliases):
        raise ModelError(
            f"{folder} is a model of {description.method}, but method is {method.name}; give that of "
            f"{description.method}, or None"
        )
    try:
        spec = method or find_method(description.method)
        built = build_method(spec, dict(description.options), description.data_spec, seed=0)
        state = load((folder / _WEIGHTS).read_bytes())
        built.load_state_dict(state, strict=True)
    except (UnknownMethodError, BrokenMethodError) as error:
        raise ModelError(f"{folder} needs a method that cannot be loaded here: {error}") from None
    except FileNotFoundError:
        raise ModelError(f"{folder} has no {_WEIGHTS}; copy the whole folder") from None
    except Exception as error:  # noqa: BLE001 - options and shapes of a damaged description end anyhow
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{folder} does not fit the method {description.method} that is installed here, "
            f"or is damaged: {reason}"
        ) from None
    _warn_of_other_versions(folder, description, spec.name)
    built.to(find_device(device)).eval()
    return Model(description, built, load_encoder)


def find_model(folder: str | Path) -> Path:
    """Return the folder of a model: the one named, or the only one in it.

    Args:
        folder: a model, or a folder of runs.

    Returns:
        The folder with `model.json`; `folder` itself where there is none.

    Raises:
        ModelError: if several models lie in it.

    Example:
        >>> find_model("nowhere").name
        'nowhere'
    """
    folder = Path(folder)
    if (folder / _DESCRIPTION).exists():
        return folder
    inside = sorted(path.parent for path in folder.glob(f"*/{_DESCRIPTION}"))
    if len(inside) > 1:
        names = ", ".join(path.name for path in inside[:5])
        raise ModelError(f"{folder} holds {len(inside)} models ({names}); name one of them")
    return inside[0] if inside else folder


_NAMES = {_DESCRIPTION, _WEIGHTS}


def _warn_of_other_versions(folder: Path, description: ModelDescription, method: str) -> None:
    """The packages that make codes from weights are those of then, or a warning names them."""
    offered_by = method_package(method)  # by its present name: a description may have an alias
    here = dict([offered_by] if offered_by else []) | {"cmh-train": metadata.version("cmh-train")}
    others = [
        f"{package} {description.versions[package]} (here {here[package]})"
        for package in here
        if description.versions.get(package, here[package]) != here[package]
    ]
    if others:
        _LOG.warning(
            "%s was written with %s; codes may differ from those of then, so encode the collection and its "
            "queries with the same version", folder, " and ".join(others)
        )  # fmt: skip


def _read_description(path: Path) -> ModelDescription:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"{path.parent} is not a model: it has no {path.name}; save_model and umml train write one"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ModelError(f"{path} is damaged; write the model again") from None
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise ModelError(f"{path} describes no model of cmh-train; write the model again")
    if (version := content.pop("version", None)) != _VERSION:
        raise ModelError(
            f"{path} has version {version}, but this cmh-train reads version {_VERSION}; export the model "
            "again or use the cmh-train that wrote it"
        )
    try:
        spec = content.pop("data_spec")
        spec["image_shape"] = tuple(spec["image_shape"])
        described = ModelDescription(
            data_spec=DataSpec(**spec), label_names=tuple(content.pop("label_names")), **content
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error}); write the model again") from None
    if not _is_sound(described):
        raise ModelError(f"{path} is damaged (a value is of another kind); write the model again")
    return described


def _is_sound(described: ModelDescription) -> bool:
    """Whether the values are of the kinds that `save_model` writes."""
    spec = described.data_spec
    values: list[tuple[object, tuple[type, ...]]] = [
        (described.method, (str,)), (described.options, (dict,)), (described.encoders, (dict,)),
        (spec.n_train, (int,)), (spec.text_width, (int,)), (spec.n_label, (int,)),
        *((size, (int,)) for size in spec.image_shape),
        (spec.image_mean, (int, float)), (spec.image_std, (int, float)),
    ]  # fmt: skip
    return all(isinstance(value, kinds) and not isinstance(value, bool) for value, kinds in values)


def _installed_loader(name: str) -> Callable[[str], ItemEncoder]:
    points = list(metadata.entry_points(group=_LOADERS))
    if not points:
        raise ModelError(
            f"this model's encoder {name} needs cmh-features, which is not installed; "
            "install it, or give features"
        )
    return cast("Callable[[str], ItemEncoder]", points[0].load())
