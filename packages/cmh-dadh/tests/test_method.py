from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cmh_dadh import DADH, METHOD, DADHConfig
from cmh_dadh._codes import project_labels, signs
from cmh_dadh._losses import discriminator_losses, fake_loss, real_loss
from cmh_dadh._networks import FeatureNet, code_discriminator
from cmh_dadh._variants import DADH2020, CleanDADH
from cmh_train import Batch, DataSpec, TrainingData, build_method, encode_dataset, fit, make_config

SMALL = {"bits": 16, "layer_widths": (32, 16, 8), "learning_rate": 2e-3, "batch_size": 16}


@pytest.fixture(scope="module")
def data():
    """Three classes, each with its own direction in both modalities; some zero-filled as UMML does."""
    rng = np.random.default_rng(7)
    kind = rng.integers(0, 3, 65)  # the last batch of 16 would have one row
    image = 3 + rng.normal(size=(65, 10)) * 0.5 + 2 * np.eye(10)[kind]
    text = ((rng.random((65, 12)) < 0.1) | (np.eye(12)[kind] > 0)).astype(np.uint8)
    mean, std = image.mean(), image.std()
    image_present, text_present = np.arange(65) >= 5, np.arange(65) < 60
    return TrainingData.from_arrays(
        image=image * image_present[:, None],
        text=text * text_present[:, None],
        label=np.eye(3)[kind],
        image_present=image_present,
        text_present=text_present,
        image_mean=mean,
        image_std=std,
    )


def agreement(method, data):
    """Mean code product of pairs across the modalities that share a label, less that of the others."""
    rows = data.image_present & data.text_present
    codes = [np.sign(encode_dataset(method, kind, getattr(data, kind)[rows])) for kind in ("image", "text")]
    product = codes[0] @ codes[1].T / method.bits
    same = data.label[rows] @ data.label[rows].T > 0
    return product[same].mean() - product[~same].mean()


@pytest.mark.parametrize(
    ("variant", "precision", "epochs"),
    [
        ("umml2022", "float32", 15),
        ("umml2022", "bf16", 15),
        ("icmr2020", "float32", 25),
        ("icmr2020", "bf16", 25),
        ("clean", "float32", 15),
        ("clean", "bf16", 15),
    ],
)
def test_learns(data, variant, precision, epochs):
    options = SMALL | {"variant": variant}
    if variant == "icmr2020":
        options["learning_rate"] = 3e-4  # times ten for the text
    method = build_method(METHOD, options, data.spec, 0)
    result = fit(method, data, epochs=epochs, batch_size=16, precision=precision, seed=0)
    assert agreement(method, data) > 0.5
    losses = result.losses
    assert losses["triplet_image_to_text"][-1] < losses["triplet_image_to_text"][0]
    expected = {
        "discriminator_feature",
        "discriminator_code",
        "triplet_image_to_text",
        "triplet_text_to_image",
        "quantisation",
        "adversarial_feature",
        "adversarial_code",
        "total",
    }
    assert set(losses) == expected | ({"pair"} if variant == "icmr2020" else set())
    assert all(parameter.dtype == torch.float32 for parameter in method.parameters())


@pytest.mark.parametrize(("standardise", "axis"), [("training", None), ("feature", 0)])
def test_standardising_by_the_training_images_that_are_there(data, standardise, axis, monkeypatch):
    monkeypatch.setattr("cmh_dadh._method._ROWS_AT_ONCE", 7)  # several pieces of unequal length
    method = build_method(METHOD, SMALL | {"standardise": standardise}, data.spec, 0)
    untrained = encode_dataset(method, "image", data.image)
    fit(method, data, epochs=3, batch_size=16, seed=0)
    there = data.image[data.image_present]
    np.testing.assert_allclose(method.image_mean, np.broadcast_to(there.mean(axis), 10), rtol=1e-6)
    np.testing.assert_allclose(method.image_std, np.broadcast_to(there.std(axis), 10), rtol=1e-6)

    codes = encode_dataset(method, "image", data.image)
    again = build_method(METHOD, SMALL | {"standardise": standardise}, data.spec, 1)
    again.load_state_dict(method.state_dict())
    np.testing.assert_array_equal(encode_dataset(again, "image", data.image), codes)
    plain = build_method(METHOD, SMALL, data.spec, 0)
    np.testing.assert_array_equal(encode_dataset(plain, "image", data.image), untrained)


def test_a_feature_that_never_varies_is_left_as_it_is():
    image = np.random.default_rng(0).normal(size=(32, 4))
    image[:, 2] = 0.1  # whose sum is rounded
    data = TrainingData.from_arrays(image=image, text=np.ones((32, 3)), label=np.ones((32, 1)))
    method = build_method(METHOD, SMALL | {"standardise": "feature"}, data.spec, 0)
    fit(method, data, epochs=1, batch_size=16, seed=0)
    assert method.image_mean[2] == pytest.approx(0.1)
    assert method.image_std[2] == 1


def test_without_any_image_the_matrix_tells(data):
    method = build_method(METHOD, SMALL | {"standardise": "feature"}, data.spec, 0)
    fit(method, data, epochs=1, batch_size=16, seed=0)
    absent = SimpleNamespace(
        image=torch.from_numpy(data.image),
        image_present=torch.zeros(65, dtype=torch.bool),
        label=None,
        completed=False,
    )
    method.begin_training(absent)
    assert torch.equal(method.image_mean, torch.full((10,), data.spec.image_mean))
    assert torch.equal(method.image_std, torch.full((10,), data.spec.image_std))


def test_learning_rate_decays_after_epochs_0_100_200(data):
    method = build_method(METHOD, SMALL | {"learning_rate": 1.5e-6}, data.spec, 0)
    method.begin_training(SimpleNamespace(label=torch.from_numpy(data.label).float(), completed=False))
    seen = []
    for epoch in range(202):
        method.end_epoch(epoch)
        seen.append(method.optimisers()["networks"].param_groups[0]["lr"])
    assert seen[0] == seen[99] == pytest.approx(1.2e-6)
    assert seen[100] == 1e-6  # 0.96e-6, raised to the floor
    assert seen[201] == 1e-6
    assert method.optimisers()["discriminator_feature"].param_groups[0]["lr"] == 1.5e-6


def test_only_with_a_triplet_weight_of_10_triplets_are_weighted(data):
    weights, positive = torch.tensor([[0.5, 0.0]]), torch.tensor([[True, False]])
    for weight, expected in ((10.0, 10 * 1.1**2 * 0.5), (5.0, 1.1)):
        method = build_method(METHOD, SMALL | {"triplet_weight": weight}, data.spec, 0)
        assert method._scaled_triplets(weights, positive)[0].tolist() == pytest.approx([expected, 0.0])
    clean = build_method(METHOD, SMALL | {"variant": "clean", "triplet_weight": 5.0}, data.spec, 0)
    assert torch.equal(clean._scaled_triplets(weights, positive), weights)


def gradients_of_adversary(method, data):
    """Which nets the adversarial losses alone would move."""
    label = torch.from_numpy(data.label).float()
    image, text = torch.from_numpy(data.image).float(), torch.from_numpy(data.text).float()
    features = method._image_features(image), method._text_features(text)
    codes = method._hash(method.image_head, features[0]), method._hash(method.text_head, features[1])
    parts = method._adversarial_losses(features, codes, text)
    assert len(label) == len(image)
    moved = {}
    for name, loss in parts.items():
        nets = {net: getattr(method, net) for net in ("image_net", "text_net", "image_head", "text_head")}
        method.optimisers()["networks"].zero_grad()
        loss.backward(retain_graph=True)
        moved[name] = {
            net
            for net, module in nets.items()
            if any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
        }
    return moved


@pytest.mark.parametrize(
    ("variant", "feature", "code"),
    [
        ("umml2022", {"text_net"}, {"text_head"}),
        ("icmr2020", {"image_net", "text_net"}, {"image_head", "text_head"}),
        ("clean", {"image_net", "text_net"}, {"image_net", "text_net", "image_head", "text_head"}),
    ],
)
def test_which_networks_the_adversarial_losses_train(data, variant, feature, code):
    method = build_method(METHOD, SMALL | {"variant": variant}, data.spec, 0)
    assert gradients_of_adversary(method, data) == {"adversarial_feature": feature, "adversarial_code": code}


def test_two_passes_and_one_with_another_momentum_are_the_same():
    torch.manual_seed(0)
    once, twice = FeatureNet(5, [4, 3], dropout=0.0, momentum=0.19), FeatureNet(5, [4, 3], dropout=0.0)
    twice.load_state_dict(once.state_dict())
    for _ in range(3):
        batch = torch.randn(6, 5)
        once(batch)
        twice(batch)
        twice(batch)
    for name, value in once.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(value, twice.state_dict()[name])


def test_discriminator_losses_by_loops():
    torch.manual_seed(0)
    discriminator = code_discriminator(4).double()
    real, fake, mix = (torch.rand(3, 4, dtype=torch.float64) for _ in range(3))
    as_real, as_fake, penalty = discriminator_losses(discriminator, real, fake, mix)
    real_rows = [-torch.log(torch.sigmoid(discriminator(row))).item() for row in real]
    fake_rows = [-torch.log(1 - torch.sigmoid(discriminator(row))).item() for row in fake]
    penalties = []
    for r, f, a in zip(real, fake, mix, strict=True):
        point = (a * r + (1 - a) * f).requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(point)[0], point)
        penalties.append((sum(s**2 for s in gradient.tolist()) ** 0.5 - 1) ** 2)
    for loss, rows in ((as_real, real_rows), (as_fake, fake_rows), (penalty, penalties)):
        assert loss.item() == pytest.approx(sum(rows) / 3, rel=1e-12)


def test_log_sigmoids_cannot_overflow():
    large = torch.tensor([1000.0])
    assert (real_loss(-large), fake_loss(large)) == (1000.0, 1000.0)
    assert (real_loss(large), fake_loss(-large)) == (0.0, 0.0)


def test_label_projection_solves_its_equation():
    rng = np.random.default_rng(0)
    label, codes = (rng.random((9, 4)) < 0.5).astype(float), np.sign(rng.normal(size=(9, 6)))
    expected = np.linalg.inv(label.T @ label + 0.5 * np.eye(4)) @ label.T @ codes
    actual = project_labels(torch.from_numpy(label), torch.from_numpy(codes), 0.5)
    np.testing.assert_allclose(actual, expected, rtol=1e-10)
    assert signs(torch.tensor([0.0, -0.0, -2.0])).tolist() == [1.0, 1.0, -1.0]


def test_the_2020_program_divides_features_by_the_norm_of_the_batch(data):
    method = build_method(METHOD, SMALL | {"variant": "icmr2020"}, data.spec, 0)
    for features in (
        method._image_features(torch.from_numpy(data.image).float()),
        method._text_features(torch.from_numpy(data.text).float()),
    ):
        assert features.norm().item() == pytest.approx(1.0, rel=1e-5)
    assert method.encode_batch_size == 16
    rates = [group["lr"] for group in method.optimisers()["networks"].param_groups]
    assert rates == pytest.approx([2e-4, 2e-2])
    assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in method.modules())


@pytest.mark.parametrize("variant", ["icmr2020", "clean"])
def test_discriminators_keep_single_precision_under_autocast(data, variant):
    methods = [build_method(METHOD, SMALL | {"variant": variant}, data.spec, 0) for _ in range(2)]
    image, text = (torch.from_numpy(array[:16]).float() for array in (data.image, data.text))
    losses = []
    for method, enabled in zip(methods, (False, True), strict=True):
        sides = torch.rand(16, 8, generator=torch.Generator().manual_seed(0)).chunk(2)
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            step = method._train_discriminator("feature", *sides)
            losses.append([step, method._generator_loss("feature", *sides)])
    assert losses[0] == losses[1]
    if variant == "icmr2020":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for features in (methods[0]._image_features(image), methods[0]._text_features(text)):
                assert features.dtype == torch.float32
                assert features.norm().item() == pytest.approx(1.0, rel=1e-6)


def test_a_second_training_in_double_precision(data):
    method = build_method(METHOD, SMALL, data.spec, 0)
    for precision in ("float32", "float64"):
        fit(method, data, epochs=1, batch_size=16, seed=0, precision=precision)
    kept = method.optimisers()["networks"].state[method.image_net.linear[0].weight]
    assert kept["exp_avg"].dtype == torch.float64


def test_the_2020_program_counts_on_its_batch(data):
    method = build_method(METHOD, SMALL | {"variant": "icmr2020"}, data.spec, 0)
    with pytest.raises(ValueError, match="codes of this method depend on the batch and it was built with"):
        fit(method, data, epochs=1, batch_size=8, seed=0)
    fit(build_method(METHOD, SMALL, data.spec, 0), data, epochs=1, batch_size=8, seed=0)


def test_pair_loss_by_loops(data):
    method = build_method(METHOD, SMALL | {"variant": "icmr2020"}, data.spec, 0)
    torch.manual_seed(0)
    image, text = torch.rand(2, 4, 16) - 0.5
    label = torch.from_numpy(data.label[:4]).float()
    loss = method._metric_losses(image, text, label, torch.arange(4))["pair"]
    expected = 0.0
    for i in range(4):
        for j in range(4):
            cosine = float(image[i] @ text[i] / image[i].norm() / text[i].norm()) if i == j else 0.0
            expected += (cosine - (i == j)) ** 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_variant_of_2020_alone_means_its_constants():
    preset = METHOD.presets["icmr2020"]
    assert preset == make_config(METHOD, options={"variant": "icmr2020"})
    assert preset == make_config(METHOD, preset="icmr2020")
    assert (preset.image_widths, preset.layer_widths) == ((4096, 2048), (8192, 4096, 2048))
    assert (preset.triplet_weight, preset.quantisation_weight) == (10.0, 1.0)
    assert (preset.adversarial_weight, preset.pair_weight) == (0.5, 1.0)
    assert (preset.margin, preset.output_weight, preset.ridge, preset.dropout) == (0.4, 1e-5, 1.0, 0.0)
    assert (preset.learning_rate, preset.learning_rate_factor, preset.epochs) == (6e-4, 0.8, 300)
    spec = DataSpec(n_train=3, image_shape=(4,), text_width=4, n_label=2)
    small = {"variant": "icmr2020", "image_widths": (8,), "layer_widths": (8,)}
    rates = [
        group["lr"]
        for optimiser in build_method(METHOD, small, spec, 0).optimisers().values()
        for group in optimiser.param_groups
    ]
    assert rates == pytest.approx([6e-5, 6e-3, 6e-3, 6e-3])


def test_what_was_asked_for_stands_beside_the_variant():
    given = {
        "variant": "icmr2020",
        "adversarial_weight": 1.0,
        "learning_rate": 1e-3,
        "layer_widths": (32, 16),
    }
    config = make_config(METHOD, options=given)
    assert (config.adversarial_weight, config.learning_rate, config.image_widths) == (1.0, 1e-3, None)
    assert make_config(METHOD, preset="small", options={"variant": "icmr2020"}).image_widths is None
    assert make_config(METHOD, options={"variant": "clean"}).adversarial_weight == 1.0


def test_every_option_says_where_it_comes_from():
    for name, field in DADHConfig.model_fields.items():
        assert any(source in field.description for source in ("program", "UMML paper", "ours")), name


def test_presets_build_the_right_program(data):
    assert set(METHOD.presets) == {"icmr2020", "mirflickr25k", "nuswide-tc21", "small"}
    mir, nus = METHOD.presets["mirflickr25k"], METHOD.presets["nuswide-tc21"]
    assert (mir.learning_rate, mir.dropout, mir.layer_widths) == (5e-5, 0.0, (8192, 4096, 2048))
    assert (nus.learning_rate, nus.dropout) == (1e-5, 0.5)
    for variant, kind in (("umml2022", DADH), ("icmr2020", DADH2020), ("clean", CleanDADH)):
        assert type(build_method(METHOD, SMALL | {"variant": variant}, data.spec, 0)) is kind
    assert make_config("dadh", preset="small").bits == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "'bits' of method 'dadh': Input should be greater than or equal to 8, not 0"),
        ({"bits": 1000}, "'bits' of method 'dadh': Input should be less than or equal to 512, not 1000"),
        ({"batch_size": 1}, "batch_size must be at least 2, since batch normalisation"),
        ({"layer_widths": (8, 2)}, "layer_widths must all be at least 4"),
        ({"layer_widths": ()}, "'layer_widths' of method 'dadh'"),
        ({"image_widths": (8, 4)}, "must end with the same width"),
        ({"variant": "icmr2020", "dropout": 0.5}, "dropout must be 0 in variant icmr2020"),
        ({"variant": "2021"}, "'variant' of method 'dadh'"),
        ({"dropout": 1.0}, "'dropout' of method 'dadh'"),
    ],
)
def test_bad_options(data, options, message):
    with pytest.raises(ValueError, match=message):
        build_method(METHOD, SMALL | options, data.spec, 0)


def test_bad_data(data):
    pixels = TrainingData.from_arrays(image=np.ones((4, 3, 5, 5)), text=np.ones((4, 2)), label=np.eye(4))
    with pytest.raises(ValueError, match=r"a row of features an image, not shape \(3, 5, 5\); give"):
        build_method(METHOD, SMALL, pixels.spec, 0)
    unlabelled = TrainingData.from_arrays(image=np.ones((4, 3)), text=np.ones((4, 2)))
    with pytest.raises(ValueError, match="method 'dadh' learns from labels, but the data have none"):
        build_method(METHOD, SMALL, unlabelled.spec, 0)
    method = build_method(METHOD, SMALL, data.spec, 0)
    with pytest.raises(ValueError, match="batch_size is 66, but there are only 65 training rows"):
        fit(method, data, epochs=1, batch_size=66, seed=0)
    present = torch.ones(2, dtype=torch.bool)
    batch = {
        "image": torch.ones(2, 10),
        "text": torch.ones(2, 12),
        "label": torch.ones(2, 3),
        "index": torch.arange(2),
        "image_present": present,
        "text_present": present,
    }
    for change, message in (
        ({"label": None}, "label must have 3 columns, as the method was built for, but it has 0"),
        ({"image": torch.ones(2, 12)}, r"image inputs must have shape \(10,\), as .*, but they have \(12,\)"),
        ({"text": torch.ones(2, 10)}, r"text inputs must have shape \(12,\), as .*, but they have \(10,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            method.update(Batch(**batch | change))
    with pytest.raises(
        ValueError, match=r"text inputs must have shape \(12,\), as .*, but they have \(10,\)"
    ):
        method.encode("text", torch.ones(2, 10))


def test_rows_without_labels_do_no_harm(data):
    label = np.array(data.label)
    label[::3] = 0
    empty = TrainingData.from_arrays(image=data.image, text=data.text, label=label)
    method = build_method(METHOD, SMALL, empty.spec, 0)
    assert np.isfinite(fit(method, empty, epochs=2, batch_size=16, seed=0).losses["total"]).all()


def test_a_class_refuses_the_options_of_another_variant(data):
    with pytest.raises(ValueError, match="variant must be 'umml2022' for DADH, but it is 'clean'; build the"):
        DADH(DADHConfig(bits=16, layer_widths=(8, 4), variant="clean"), data.spec)


class OwnItems:
    """Partners under which every row keeps what it has."""

    digest = "own"

    def draw(self, _):
        return np.arange(65), np.arange(65)


@pytest.mark.parametrize(("factor", "margin"), [(2.0, 0.8), (1.0, 0.4)])
def test_completed_rows_are_trained_with_the_margin_that_missing_items_make(data, factor, margin):
    completed = build_method(METHOD, {**SMALL, "margin": 0.4, "completed_margin": factor}, data.spec, seed=0)
    plain = build_method(METHOD, {**SMALL, "margin": margin}, data.spec, seed=0)
    fit(completed, data, epochs=2, batch_size=16, seed=0, partners=OwnItems())
    fit(plain, data, epochs=2, batch_size=16, seed=0)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, completed.state_dict()[name])


def test_a_reference_point_is_trained_and_the_margin_is_not_doubled_then(data):
    options = {**SMALL, "reference_point": "learned"}
    completed, plain, untrained = (build_method(METHOD, options, data.spec, seed=0) for _ in range(3))
    fit(completed, data, epochs=2, batch_size=16, seed=0, partners=OwnItems())
    fit(plain, data, epochs=2, batch_size=16, seed=0)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, completed.state_dict()[name])
    assert not torch.equal(plain.reference_points, untrained.reference_points)
