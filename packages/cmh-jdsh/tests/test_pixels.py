"""From pixels: crops, the real AlexNet, and both variants' backbones on a slim stand-in."""

import cmh_jdsh
import numpy as np
import pytest
import torch
import torchvision
from cmh_jdsh._pixels import centre_crops, read_alexnet, training_crops
from cmh_train import Batch, DataSpec, TrainingData, build_method, fit
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

SPEC = DataSpec(n_train=8, image_shape=(3, 64, 64), text_width=5)
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class SlimNet(nn.Module):
    """The parts of torchvision's AlexNet, much narrower up to fc7."""

    def __init__(self, weights, dropout):
        super().__init__()
        assert weights is None
        self.features = nn.Sequential(nn.Conv2d(3, 4, 11, stride=16), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        head = [nn.Dropout(dropout), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 4096)]
        self.classifier = nn.Sequential(*head, nn.ReLU(), nn.Linear(4096, 3))


@pytest.fixture
def weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torchvision.models, "alexnet", SlimNet)
    torch.manual_seed(0)
    path = tmp_path / "alexnet.pth"
    torch.save(SlimNet(None, 0.5).state_dict(), path)
    return path


def one_batch():
    present = torch.ones(4, dtype=torch.bool)
    return Batch(
        image=255 * torch.rand(4, 3, 64, 64),
        text=torch.rand(4, 5),
        label=None,
        index=torch.arange(4),
        image_present=present,
        text_present=present,
    )


def test_crops_of_flat_images_are_the_normalised_colour():
    image = torch.tensor([10.0, 100.0, 250.0])[None, :, None, None].expand(2, 3, 64, 80)
    expected = ((torch.tensor([10.0, 100.0, 250.0]) / 255 - MEAN) / STD)[None, :, None, None]
    for crop in (training_crops(image), centre_crops(image)):
        assert crop.shape == (2, 3, 224, 224)
        torch.testing.assert_close(crop, expected.expand_as(crop))


def test_training_crops_are_windows_of_the_image_or_its_mirror():
    torch.manual_seed(0)
    image = torch.arange(256.0).expand(20, 3, 256, 256)  # every column tells its place
    columns = (training_crops(image) * STD[:, None, None] + MEAN[:, None, None])[:, 0, 0] * 255
    steps = columns.diff(dim=1)
    torch.testing.assert_close(steps.abs(), torch.ones_like(steps), rtol=0, atol=1e-3)
    assert (steps[:, 0] > 0).any()
    assert (steps[:, 0] < 0).any()
    assert columns.min(dim=1).values.unique().numel() > 5


def test_centre_crop_is_torchvisions():
    image = torch.randint(
        0, 256, (1, 3, 224, 300), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    transform = torchvision.transforms.Compose(
        [
            torchvision.transforms.ToPILImage(),
            torchvision.transforms.Resize(256),
            torchvision.transforms.CenterCrop(224),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(MEAN, STD),
        ]
    )
    difference = (centre_crops(image.float())[0] - transform(image[0])).abs()
    assert difference.max() < 1.01 / 255 / STD.min()  # PIL rounds each of its two passes


def test_current_variant_freezes_the_backbone(weights):
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(bits=8, alexnet_weights=weights), SPEC)
    before = {name: value.clone() for name, value in method.backbone.state_dict().items()}
    method.train()
    losses = method.update(one_batch())
    assert torch.isfinite(losses["total"])
    assert all(torch.equal(before[name], value) for name, value in method.backbone.state_dict().items())
    assert all(parameter.grad is not None for parameter in method.image_net.parameters())


def test_sigir2020_fine_tunes_one_backbone_and_keeps_the_other(weights):
    config = cmh_jdsh.JDSHConfig(bits=8, alexnet_weights=weights, variant="sigir2020")
    method = cmh_jdsh.JDSH(config, SPEC).train()
    assert method.backbone.training
    assert not method.target_backbone.training
    before = {name: value.clone() for name, value in method.backbone.state_dict().items()}
    method.update(one_batch())
    changed = [not torch.equal(before[name], value) for name, value in method.backbone.state_dict().items()]
    assert all(changed)
    assert all(torch.equal(before[n], v) for n, v in method.target_backbone.state_dict().items())


@pytest.mark.parametrize("dropout", [True, False])
def test_dropout_of_the_backbone(weights, dropout):
    config = cmh_jdsh.JDSHConfig(bits=8, alexnet_weights=weights, dropout_backbone=dropout)
    method = cmh_jdsh.JDSH(config, SPEC)
    crops = torch.rand(4, 3, 224, 224)
    assert torch.equal(method.train().backbone(crops), method.backbone(crops)) is not dropout
    assert torch.equal(method.eval().backbone(crops), method.backbone(crops))


def test_encode_pixels(weights):
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(bits=8, alexnet_weights=weights), SPEC).eval()
    image = one_batch().image
    expected = torch.tanh(method.image_net(method.backbone(centre_crops(image))))
    torch.testing.assert_close(method.encode("image", image), expected)


def test_real_alexnet_takes_torchvisions_file(tmp_path):
    with torch.device("meta"):
        shapes = {
            name: value.shape for name, value in torchvision.models.alexnet(weights=None).state_dict().items()
        }
    path = tmp_path / "alexnet.pth"
    torch.save({name: torch.full((1,), 0.001).expand(shape) for name, shape in shapes.items()}, path)
    network = read_alexnet(path, dropout=0.5).eval()
    with torch.no_grad():
        feature = network(torch.rand(1, 3, 224, 224))
    assert feature.shape == (1, 4096)
    assert (feature > 0).all()


def test_images_that_lie_on_their_side_are_turned(weights):
    upright, turned = (
        cmh_jdsh.JDSH(
            cmh_jdsh.JDSHConfig(bits=8, alexnet_weights=weights, dropout_backbone=False, pixel_axes=axes),
            SPEC,
        )
        for axes in ("height-width", "width-height")
    )
    turned.load_state_dict(upright.state_dict())
    batch = one_batch()
    on_its_side = batch.image.transpose(2, 3)
    torch.testing.assert_close(turned.encode("image", on_its_side), upright.encode("image", batch.image))
    losses = []
    for method, image in ((upright, batch.image), (turned, on_its_side)):
        torch.manual_seed(0)
        losses.append(method.train().update(Batch(**{**vars(batch), "image": image}))["total"])
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("variant", ["umml2022", "sigir2020"])
def test_resuming_from_pixels(weights, tmp_path, variant, precision):
    rng = np.random.default_rng(0)
    data = TrainingData.from_arrays(
        image=rng.integers(0, 256, size=(8, 3, 64, 64), dtype=np.uint8), text=rng.random((8, 5))
    )
    methods = []
    for epochs, checkpoint in ((2, None), (1, tmp_path / "run"), (2, tmp_path / "run")):
        config = cmh_jdsh.JDSHConfig(bits=8, text_widths=(16,), alexnet_weights=weights, variant=variant)
        methods.append(build_method("jdsh", config, data.spec, 0))
        fit(
            methods[-1], data, epochs=epochs, batch_size=4, seed=0, precision=precision, checkpoint=checkpoint
        )
    whole, _, resumed = (method.state_dict() for method in methods)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_crops_bring_nothing_from_main_memory():
    """On a GPU that would wait for the device."""
    image = one_batch().image

    class NoTransfer(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            assert function not in (aten._local_scalar_dense.default, aten.lift_fresh.default), function
            return function(*args, **(kwargs or {}))

    with NoTransfer():
        training_crops(image)
        centre_crops(image)


def test_bad_input(weights, tmp_path):
    other, text = tmp_path / "other.pth", tmp_path / "text.pth"
    torch.save({"weight": torch.zeros(1)}, other)
    text.write_text("no weights")
    table = {
        tmp_path / "no.pth": "there is no such file; give the path of torchvision's",
        other: "holds no AlexNet weights",
        text: "holds no AlexNet weights",
    }
    for path, message in table.items():
        with pytest.raises(ValueError, match=message):
            read_alexnet(path, dropout=0.5)
    with pytest.raises(ValueError, match="give alexnet_weights"):
        cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(), SPEC)
    with pytest.raises(ValueError, match="standardise is for features"):
        cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(alexnet_weights=weights, standardise="matrix"), SPEC)
    with pytest.raises(ValueError, match=r"images have \(1, 64, 64\)"):
        cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(), DataSpec(n_train=8, image_shape=(1, 64, 64), text_width=5))
