"""The benchmark's baseline computes what the package computes."""

import pytest
import torch
from cmh_dsph import DSPH, DSPHConfig
from cmh_train import Batch, DataSpec
from plain_dsph import PlainLoop


def test_six_steps_of_the_plain_loop_are_ours():
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(24, width, generator=generator, dtype=torch.float64) for width in (10, 7))
    label = (torch.rand(24, 6, generator=generator) < 0.3).double()
    spec = DataSpec(n_train=24, image_shape=(10,), text_width=7, n_label=6)
    method = DSPH(DSPHConfig(bits=16, batch_size=8, epochs=10, dropout=0.0), spec).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = PlainLoop(10, 7, 6, bits=16, threshold=method.threshold, dropout=0.0, n_step=30)
    finally:
        torch.set_default_dtype(torch.float32)
    method.image_net[0].load_state_dict(plain.layers[0].state_dict())
    method.text_net[0].load_state_dict(plain.layers[1].state_dict())
    method.proxies.data.copy_(plain.proxies.data)
    here = torch.ones(8, dtype=torch.bool)
    for _ in range(6):
        index = torch.randperm(24, generator=generator)[:8]
        batch = Batch(
            image=image[index],
            text=text[index],
            label=label[index],
            index=index,
            image_present=here,
            text_present=here,
        )
        expected = plain.step(image[index], text[index], label[index])
        assert method.update(batch)["total"].item() == pytest.approx(expected, rel=1e-10)
    torch.testing.assert_close(method.proxies, plain.proxies, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(method.image_net[0].weight, plain.layers[0].weight, rtol=1e-9, atol=1e-12)
