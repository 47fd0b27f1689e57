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


@pytest.mark.parametrize(
    ("n", "batch_size", "n_label", "bits"), [(24, 8, 6, 16), (31, 7, 1, 24), (45, 13, 40, 128)]
)
def test_two_epochs_of_the_plain_loop_are_ours(n, batch_size, n_label, bits):
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(n, width, generator=generator, dtype=torch.float64) for width in (10, 7))
    label = (torch.rand(n, n_label, generator=generator) < 0.3).double()
    spec = DataSpec(n_train=n, image_shape=(10,), text_width=7, n_label=n_label)
    config = DCHMTConfig(bits=bits, batch_size=batch_size, epochs=10, hidden_width=12, learning_rate=0.01)
    method = DCHMT(config, spec).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = PlainLoop(10, 7, bits=bits, hidden_width=12, lr=0.01, n_step=10 * -(-n // batch_size))
    finally:
        torch.set_default_dtype(torch.float32)
    copy_weights(method.image_net, plain.nets[0])
    copy_weights(method.text_net, plain.nets[1])
    order = torch.cat([torch.randperm(n, generator=generator) for _ in range(2)])
    for index in order.split(batch_size):
        here = torch.ones(len(index), dtype=torch.bool)
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
