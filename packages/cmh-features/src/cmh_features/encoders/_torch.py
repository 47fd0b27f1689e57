"""What the encoders on torch share: device, precision, and a network in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from cmh_features._errors import EncoderUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Network:
    """A network on its device, in its precision, without gradients.

    Args:
        module: the network; it is moved and changed.
        request: says device and precision.
    """

    def __init__(self, module: torch.nn.Module, request: EncoderRequest) -> None:
        self.device = choose_device(request)
        self.precision = choose_precision(request, self.device)
        self.dtype = _DTYPES[self.precision]
        module = module.eval().requires_grad_(requires_grad=False)
        self.module = module.to(self.device, self.dtype)

    def run(self, function: Callable[[], torch.Tensor]) -> NDArray[np.float32]:
        """Return what `function` computes as float32 rows on the CPU."""
        with torch.inference_mode():
            result: NDArray[np.float32] = function().float().cpu().numpy()
        return result

    def to_input(self, batch: NDArray[Any]) -> torch.Tensor:
        """Move a batch of real numbers to the device, in the network's precision."""
        return torch.from_numpy(batch).to(self.device, self.dtype)


def choose_device(request: EncoderRequest) -> torch.device:
    """Return the device that was asked for.

    Raises:
        EncoderUnavailableError: if it is not here.
    """
    if request.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(request.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise EncoderUnavailableError(
            f"{request.name} cannot compute on {request.device!r}: {str(error).splitlines()[0]}"
        ) from error
    return device


def choose_precision(request: EncoderRequest, device: torch.device) -> str:
    """Return the precision that was asked for.

    Raises:
        ValueError: if the network cannot compute in it on this device.
    """
    if request.precision == "auto":
        return "float16" if device.type == "cuda" else "float32"
    if request.precision == "float16" and device.type == "cpu":
        raise ValueError(f"{request.name} cannot compute in float16 on a CPU; use bfloat16 or float32")
    return request.precision


def read_state(path: Path, *, encoder: str) -> dict[str, torch.Tensor]:
    """Read a file of weights, `.safetensors` or what `torch.save` wrote, without running any code in it.

    Raises:
        ValueError: if it is none of these.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # noqa: PLC0415 - only for these files

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}, the weights of {encoder}, cannot be read ({str(error).splitlines()[0][:200]}); "
            "give a file of weights, .safetensors or a state dictionary that torch.save wrote"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise ValueError(f"{path}, the weights of {encoder}, must hold named tensors only, but it does not")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_state(module: torch.nn.Module, state: dict[str, torch.Tensor], *, path: Path, encoder: str) -> None:
    """Put weights into a network.

    Raises:
        ValueError: if names or shapes differ.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not hold the weights of {encoder} ({reason})") from error
