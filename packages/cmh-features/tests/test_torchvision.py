"""Networks of torchvision with random weights in its own files: needs the group `test-torchvision`."""

from __future__ import annotations

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder
from PIL import Image

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch", reason="needs the group test-torchvision")
models = pytest.importorskip("torchvision.models", reason="needs the group test-torchvision")


@pytest.fixture(scope="module")
def image():
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)


def pixels(image):
    from torchvision.transforms import v2

    shrink = v2.Compose(
        [
            v2.Resize(256, v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(224),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return shrink(image)[None]


@pytest.mark.parametrize(("name", "width"), [("alexnet", 4096), ("resnet18", 512)])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_features_are_those_before_the_classifier(tmp_path, image, name, width, ending):
    torch.manual_seed(0)
    module = models.get_model(name, num_classes=7).eval()  # fine-tuned on other classes
    path = tmp_path / f"{name}{ending}"
    if ending == ".pth":
        torch.save(module.state_dict(), path)
    else:
        safetensors.save_file(module.state_dict(), path)
    encoder = load_encoder(f"torchvision:{name}:{path}", device="cpu")
    features = encoder.encode_images([image]).features
    assert features.shape == (1, width) == (1, encoder.width)
    seen = []
    last = module.fc if hasattr(module, "fc") else module.classifier[-1]
    last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        module(pixels(image))
    expected = seen[0].numpy()
    cosine = (features * expected).sum() / np.linalg.norm(features) / np.linalg.norm(expected)
    assert cosine > 0.999  # the crop is cut before scaling here, after it there
    assert (features >= 0).all()  # behind a ReLU


def test_vgg_up_to_fc7_is_known():
    with pytest.raises(
        EncoderUnavailableError, match=r"torchvision:vgg16 needs a file of weights.*vgg16-.*\.pth"
    ):
        load_encoder("torchvision:vgg16")


def test_missing_weights_are_named_with_their_source():
    with pytest.raises(
        EncoderUnavailableError,
        match=r"there is no /nowhere/a\.pth; for example https://download\.pytorch\.org/models/alexnet-owt-.*\.pth",
    ):
        load_encoder("torchvision:alexnet:/nowhere/a.pth")


def test_unknown_networks_list_the_known_ones():
    for name in ("torchvision", "torchvision:vit_b_16", "torchvision:alexnett:x"):
        with pytest.raises(EncoderUnavailableError, match=r"NAME one of alexnet, .*resnet18.*vgg16"):
            load_encoder(name)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"x": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"a\.pth does not hold the weights of torchvision:resnet18"):
        load_encoder(f"torchvision:resnet18:{path}")
    torch.save([1], path)
    with pytest.raises(ValueError, match="must hold named tensors only"):
        load_encoder(f"torchvision:resnet18:{path}")


class Harmful:
    def __reduce__(self):
        return print, ("this must never be printed",)


def test_code_in_a_file_of_weights_is_never_run(tmp_path, capsys):
    torch.save({"fc.weight": Harmful()}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth, the weights of .*, cannot be read"):
        load_encoder(f"torchvision:resnet18:{tmp_path / 'a.pth'}")
    assert capsys.readouterr().out == ""
