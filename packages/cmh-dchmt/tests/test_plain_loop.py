"""The benchmark's baseline computes what the package computes."""

import pytest
import torch
from cmh_dchmt import DCHMT, DCHMTConfig
from cmh_train import Batch, DataSpec
from plain_dchmt import PlainLoop


def copy_weights(net, plain):
    with torch.no_grad():
        net.hidden.load_state_dict(plain.hidden.state_dict())
        net.choice_weight.copy_(torch.stack([bit.weight for bit in plain.bits]))
        net.choice_bias.copy_(torch.stack([bit.bias for bit in plain.bits]))


def test_six_steps_of_the_plain_loop_are_ours():
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(24, width, generator=generator, dtype=torch.float64) for width in (10, 7))
    label = (torch.rand(24, 6, generator=generator) < 0.3).double()
    spec = DataSpec(n_train=24, image_shape=(10,), text_width=7, n_label=6)
    config = DCHMTConfig(bits=8, batch_size=8, epochs=10, hidden_width=12, learning_rate=0.01)
    method = DCHMT(config, spec).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = PlainLoop(10, 7, bits=8, hidden_width=12, lr=0.01, n_step=30)
    finally:
        torch.set_default_dtype(torch.float32)
    copy_weights(method.image_net, plain.nets[0])
    copy_weights(method.text_net, plain.nets[1])
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
    for net, other in ((method.image_net, plain.nets[0]), (method.text_net, plain.nets[1])):
        weights = torch.stack([bit.weight for bit in other.bits])
        torch.testing.assert_close(net.choice_weight, weights, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(net.hidden.weight, other.hidden.weight, rtol=1e-9, atol=1e-12)
