"""The benchmark's baseline computes what the package computes."""

import pytest
import torch
from cmh_dsph import DSPH, DSPHConfig
from cmh_train import Batch, DataSpec
from plain_dsph import PlainLoop


@pytest.mark.parametrize(
    ("n", "batch_size", "n_label", "bits"), [(24, 8, 6, 16), (31, 7, 1, 24), (45, 13, 40, 128)]
)
def test_two_epochs_of_the_plain_loop_are_ours(n, batch_size, n_label, bits):
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(n, width, generator=generator, dtype=torch.float64) for width in (10, 7))
    label = (torch.rand(n, n_label, generator=generator) < 0.3).double()
    spec = DataSpec(n_train=n, image_shape=(10,), text_width=7, n_label=n_label)
    method = DSPH(DSPHConfig(bits=bits, batch_size=batch_size, epochs=10, dropout=0.0), spec).double()
    torch.set_default_dtype(torch.float64)
    try:
        plain = PlainLoop(
            10,
            7,
            n_label,
            bits=bits,
            threshold=method.threshold,
            dropout=0.0,
            n_step=10 * -(-n // batch_size),
        )
    finally:
        torch.set_default_dtype(torch.float32)
    method.image_net[0].load_state_dict(plain.layers[0].state_dict())
    method.text_net[0].load_state_dict(plain.layers[1].state_dict())
    method.proxies.data.copy_(plain.proxies.data)
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
    torch.testing.assert_close(method.proxies, plain.proxies, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(method.image_net[0].weight, plain.layers[0].weight, rtol=1e-9, atol=1e-12)
