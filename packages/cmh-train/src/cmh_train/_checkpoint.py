"""Keep a run on disk: one safetensors file, written atomically."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from cmh_train._record import EpochRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cmh_train._contract import HashingMethod

_FORMAT = "cmh-train checkpoint 1"
_METHOD, _OPTIMISER = "method/", "optimiser/"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where and how often `fit` saves a run. If the file is there already, the run continues from it.

    Args:
        path: the file; its folder must exist.
        every_minutes: minimum time between two saves, which happen between epochs only; 0: after every epoch.
            The last epoch is always saved.
    """

    path: str | Path
    every_minutes: float = 0.0


def save_checkpoint(
    path: str | Path,
    method: HashingMethod,
    *,
    epochs: Sequence[EpochRecord] = (),
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write a method, its optimisers and its history to one safetensors file with JSON in its header.

    The file is written under a temporary name, flushed to disk and renamed, so that whoever reads `path`
    finds the last whole checkpoint even after a crash in the middle.

    Args:
        path: the file; its folder must exist.
        method: its state dict and its optimisers' states are saved.
        epochs: what happened so far.
        run: settings that must be the same when the run continues; anything that JSON can hold.

    Example:
        >>> import tempfile
        >>> from cmh_train import HashingMethod, MethodConfig
        >>> class Bias(HashingMethod):
        ...     def __init__(self, config):
        ...         super().__init__(config)
        ...         self.bias = torch.nn.Parameter(torch.zeros(2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(f"{folder}/run", Bias(MethodConfig()), run={"seed": 3})
        ...     load_checkpoint(f"{folder}/run", Bias(MethodConfig()), run={"seed": 3})
        ()
    """
    tensors = {_METHOD + name: tensor for name, tensor in method.state_dict().items()}
    groups: dict[str, Any] = {}
    for name, optimiser in method.optimisers().items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for position, values in state["state"].items():
            for key, value in values.items():
                tensors[f"{_OPTIMISER}{name}/{position}/{key}"] = torch.as_tensor(value)
    header = {
        "format": _FORMAT,
        "run": dict(run or {}),
        "epochs": [asdict(record) for record in epochs],
        "param_groups": groups,
    }
    # Copies of tensors that share memory would be refused, and views would be saved whole.
    content = save(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()},
        metadata={"json": json.dumps(header)},
    )
    atomic_write(Path(path), content)


def load_checkpoint(
    path: str | Path, method: HashingMethod, *, run: Mapping[str, Any] | None = None
) -> tuple[EpochRecord, ...]:
    """Put a saved state into a method that was built with the same options, on whatever device it is.

    Args:
        path: a file of `save_checkpoint`.
        method: filled in place, its optimisers too.
        run: if given, must equal what was saved.

    Returns:
        What happened before the checkpoint, one record an epoch.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if the file is no checkpoint, or belongs to another run or method.

    Example:
        >>> import tempfile
        >>> from cmh_train import HashingMethod, MethodConfig
        >>> class Bias(HashingMethod):
        ...     def __init__(self, config):
        ...         super().__init__(config)
        ...         self.bias = torch.nn.Parameter(torch.zeros(2))
        >>> saved, loaded = Bias(MethodConfig()), Bias(MethodConfig())
        >>> _ = saved.bias.data.fill_(7)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(f"{folder}/run", saved)
        ...     _ = load_checkpoint(f"{folder}/run", loaded)
        >>> loaded.bias.tolist()
        [7.0, 7.0]
    """
    header, tensors = _read(Path(path))
    if run is not None:
        _check_run(Path(path), header["run"], json.loads(json.dumps(dict(run))))
    try:
        method.load_state_dict(
            {n.removeprefix(_METHOD): t for n, t in tensors.items() if n.startswith(_METHOD)}, strict=True
        )
        for name, optimiser in method.optimisers().items():
            optimiser.load_state_dict(
                _optimiser_state(name, header["param_groups"][name], tensors, optimiser)
            )
    except (RuntimeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} belongs to another method or other options ({str(error).splitlines()[0]}); "
            "build the method as it was saved or use another file"
        ) from error
    return tuple(EpochRecord(**record) for record in header["epochs"])


def atomic_write(path: Path, content: bytes) -> None:
    """Replace a file atomically; a reader or a crash never meets half of it."""
    with written_beside(path, content) as temporary:
        temporary.replace(path)


@contextmanager
def written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write what is to replace a file into a temporary file beside it, and remove that at the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not path.exists():
        raise FileNotFoundError(
            f"there is no checkpoint {path}; give the file that fit or save_checkpoint wrote"
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("json", "{}"))
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged or no checkpoint: {error}; delete it to start again") from error
    if header.get("format") != _FORMAT:
        raise ValueError(f"{path} is no checkpoint of this version of cmh-train; delete it to start again")
    return header, tensors


def _check_run(path: Path, saved: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name in sorted(saved.keys() | asked.keys()):
        if saved.get(name) != asked.get(name):
            raise ValueError(
                f"{path} was made with {name}={saved.get(name)!r}, "
                f"but this run has {name}={asked.get(name)!r}; "
                "use the same settings or another checkpoint file"
            )


def _optimiser_state(
    name: str,
    groups: list[dict[str, Any]],
    tensors: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> dict[str, Any]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    prefix = f"{_OPTIMISER}{name}/"
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            position, field = key.removeprefix(prefix).split("/")
            state.setdefault(int(position), {})[field] = tensor
    # JSON turns the tuples of an optimiser's options (betas) into lists.
    for group, current in zip(groups, optimiser.param_groups, strict=True):
        group.update({key: tuple(group[key]) for key, value in current.items() if isinstance(value, tuple)})
    return {"state": state, "param_groups": groups}
