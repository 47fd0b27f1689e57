"""The plain loop computes what the package computes."""

import cmh_jdsh
import plain_loop
import torch
from cmh_train import DataSpec


def test_the_target_is_the_same():
    torch.manual_seed(0)
    image, text = torch.rand(9, plain_loop.D_IMAGE), (torch.rand(9, plain_loop.D_TEXT) < 0.1).float()
    spec = DataSpec(n_train=9, image_shape=(plain_loop.D_IMAGE,), text_width=plain_loop.D_TEXT)
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(text_widths=(8,)), spec)
    ours = method._target(method._joint_similarity(image, text))
    theirs = plain_loop.PlainLoop(torch.device("cpu")).target(image, text)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
