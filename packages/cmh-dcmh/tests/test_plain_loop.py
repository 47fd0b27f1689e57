"""The benchmark's baseline computes what the package computes."""

import pytest
import torch
from cmh_dcmh import DCMH, DCMHConfig
from cmh_train import Batch, DataSpec, TrainingRows
from plain_dcmh import PlainLoop


@pytest.mark.parametrize(
    ("n", "batch_size", "n_label", "bits"), [(24, 8, 4, 16), (31, 7, 1, 24), (45, 13, 40, 128)]
)
def test_two_epochs_of_the_plain_loop_are_ours(n, batch_size, n_label, bits):
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(n, 10, generator=generator, dtype=torch.float64)
    text = torch.rand(n, 7, generator=generator, dtype=torch.float64)
    label = (torch.rand(n, n_label, generator=generator) < 0.4).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = PlainLoop(image, text, label, bits=bits, text_width=12, batch_size=batch_size)
    finally:
        torch.set_default_dtype(torch.float32)
    spec = DataSpec(n_train=n, image_shape=(10,), text_width=7, n_label=n_label)
    method = DCMH(DCMHConfig(bits=bits, text_widths=(12,), batch_size=batch_size), spec).double()
    method.image_net.load_state_dict(plain.nets["image"].state_dict())
    method.text_net.load_state_dict(plain.nets["text"].state_dict())
    here = torch.ones(n, dtype=torch.bool)
    method.begin_training(
        TrainingRows(image=image, text=text, label=label, image_present=here, text_present=here)
    )
    for epoch in range(2):
        batches = method.draw_batches(n, batch_size, generator)
        method.begin_epoch(epoch)
        plain.begin_epoch()
        for step, index in enumerate(batches):
            rate = method.optimisers()["text"].param_groups[0]["lr"]
            plain.step("text" if step < len(batches) // 2 else "image", rate, index)
            method.update(
                Batch(
                    image=image[index],
                    text=text[index],
                    label=label[index],
                    index=index,
                    image_present=here[index],
                    text_present=here[index],
                )
            )
    for ours, theirs in ((method.image_net, plain.nets["image"]), (method.text_net, plain.nets["text"])):
        torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(method.image_outputs, plain.outputs["image"], rtol=1e-9, atol=1e-12)
