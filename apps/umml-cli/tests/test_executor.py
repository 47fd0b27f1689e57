import pytest
from umml_cli.executor import make_executor


@pytest.mark.parametrize(
    ("device", "given", "share"), [("cuda", None, 1), ("cuda", 0.5, 0.5), ("cuda", 0, 0), ("cpu", None, 0)]
)
def test_a_run_on_cuda_asks_ray_for_a_gpu(device, given, share):
    assert make_executor("ray", device=device, gpus_per_run=given).gpus_per_run == share
