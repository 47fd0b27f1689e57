"""Equal to what the original programs computed once: two epochs of each, weights after every step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cmh_dcmh import DCMH, DCMHConfig
from cmh_train import Batch, DataSpec, TrainingRows
from plain_dcmh import mean_average_precision, objective

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
LAYERS = {"0.weight": "w1", "0.bias": "b1", "2.weight": "w2", "2.bias": "b2"}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "dcmh_steps.npz", allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def stored(golden, prefix):
    """Weights of a net by our names; the original stores them (in, out)."""
    weights = {ours: golden[f"{prefix}.{theirs}"] for ours, theirs in LAYERS.items()}
    return {name: value.T if value.ndim == 2 else value for name, value in weights.items()}


def training_rows(golden):
    first, n = golden["n_query"].item(), golden["n_train"].item()
    here = torch.ones(n, dtype=torch.bool)
    images, texts, labels = (golden[name][first : first + n] for name in ("images", "texts", "labels"))
    return TrainingRows(image=images, text=texts, label=labels, image_present=here, text_present=here)


def built(golden, variant):
    rows = training_rows(golden)
    spec = DataSpec(n_train=len(rows.image), image_shape=(10,), text_width=14, n_label=6)
    config = DCMHConfig(
        variant=variant,
        bits=golden["bits"].item(),
        batch_size=golden["batch_size"].item(),
        epochs=500 if variant == "matlab" else 2,  # what the rates are spread over
        image_widths=(12,),
        text_widths=(16,),
    )
    method = DCMH(config, spec).double()
    method.image_net.load_state_dict(stored(golden, "init.image"))
    method.text_net.load_state_dict(stored(golden, "init.text"))
    method.begin_training(rows)
    if variant == "matlab":  # the program's centre is that of all texts, queries too
        method.text_centre.copy_(golden["texts"].mean(dim=0))
        torch.testing.assert_close(golden["texts"] - method.text_centre, golden["texts_centred"], **TOLERANCE)
    else:
        assert not method.text_centre.any()
        method.image_outputs.copy_(golden["port.F0"])
        method.text_outputs.copy_(golden["port.G0"])
        method._set_codes()
    return method, rows


def batch_of(rows, index):
    return Batch(
        image=rows.image[index],
        text=rows.text[index],
        label=rows.label[index],
        index=index,
        image_present=rows.image_present[index],
        text_present=rows.text_present[index],
    )


@pytest.mark.parametrize(("variant", "prefix"), [("matlab", ""), ("port", "port.")])
def test_two_epochs_are_those_of_the_program(golden, variant, prefix):
    method, rows = built(golden, variant)
    method.draw_batches(len(rows.image), 8, torch.Generator())  # as fit does
    for epoch in range(2):
        method.begin_epoch(epoch)
        for step in range(6 * epoch, 6 * epoch + 6):
            index = golden[f"{prefix}batch"][step]
            is_image = golden[f"{prefix}is_image"][step].item()
            assert is_image == ((step % 6 < 3) == (variant == "port"))
            losses = method.update(batch_of(rows, index))
            net, outputs = method.text_net, method.text_outputs
            if is_image:
                net, outputs = method.image_net, method.image_outputs
            if variant == "port":
                torch.testing.assert_close(losses["total"], golden["port.loss"][step], **TOLERANCE)
            else:
                torch.testing.assert_close(outputs[index], golden["output"][step], **TOLERANCE)
            torch.testing.assert_close(
                dict(net.state_dict()), stored(golden, f"{prefix}after.{step:02}"), **TOLERANCE
            )
            if variant == "port" and step == 0:
                gradients = {name: weight.grad for name, weight in net.named_parameters()}
                torch.testing.assert_close(gradients, stored(golden, "port.grad.00"), **TOLERANCE)
        method.end_epoch(epoch)
        state = (method.image_outputs, method.text_outputs, method.code_matrix)
        for ours, name in zip(state, "FGB", strict=True):
            torch.testing.assert_close(ours, golden[f"{prefix}epoch.{name}"][epoch], **TOLERANCE)
        loss = objective(*state, rows.label)
        torch.testing.assert_close(loss, golden[f"{prefix}epoch.loss"][epoch], **TOLERANCE)
    if variant == "matlab":
        check_codes(golden, method)


def check_codes(golden, method):
    n_query = golden["n_query"].item()
    inputs = {"image": golden["images"], "text": golden["texts"]}
    with torch.no_grad():
        codes = {name: 2 * (method.encode(name, rows) >= 0).int() - 1 for name, rows in inputs.items()}
    for name, rows in codes.items():
        # The program writes bits as 0 and 1 or as signs; both mean the same.
        for part, ours in (("query", rows[:n_query]), ("retrieval", rows[n_query:])):
            assert torch.equal(ours > 0, golden[f"{part}_codes_{name}"] > 0)
    # The file's text to image mAP ranks ties otherwise than its image to text one; the codes are equal above.
    value = mean_average_precision(
        codes["image"][:n_query],
        codes["text"][n_query:],
        golden["labels"][:n_query],
        golden["labels"][n_query:],
    )
    assert value == pytest.approx(golden["map_i2t"].item(), rel=1e-9)


def test_gradients_of_outputs_are_those_of_the_program(golden):
    """`grad_output` is written there in closed form, and not divided by batch and rows."""
    method, rows = built(golden, "matlab")
    method.begin_epoch(0)
    seen = []
    for step in range(6):
        net = method.image_net if golden["is_image"][step] else method.text_net
        hook = net.register_full_backward_pre_hook(lambda _, gradients: seen.append(gradients[0]))
        method.update(batch_of(rows, golden["batch"][step]))
        hook.remove()
        torch.testing.assert_close(seen[-1] * 8 * 24, golden["grad_output"][step], **TOLERANCE)


def test_learning_rates_are_those_of_the_program(golden):
    for variant, count in (("matlab", 1), ("port", 6)):
        method, _ = built(golden, variant)
        for epoch in range(2):
            method.begin_epoch(epoch)
            expected = golden["learning_rates" if variant == "matlab" else "port.learning_rate"]
            for optimiser in method.optimisers().values():
                assert optimiser.param_groups[0]["lr"] == pytest.approx(expected[epoch * count].item())
