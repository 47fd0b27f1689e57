import pytest
from umml_cli.errors import UserError
from umml_cli.grid.executor import make_executor


@pytest.mark.parametrize(
    ("device", "given", "share"), [("cuda", None, 1), ("cuda", 0.5, 0.5), ("cuda", 0, 0), ("cpu", None, 0)]
)
def test_a_run_on_cuda_asks_ray_for_a_gpu(device, given, share):
    assert make_executor("ray", device=device, gpus_per_run=given).gpus_per_run == share


def test_gpus_that_the_cluster_does_not_have_are_refused():
    executor = make_executor("ray", device="cuda")
    executor._check_gpus(1.0)
    with pytest.raises(UserError, match="asks for 1 GPUs, but the Ray cluster has 0; start it with GPUs"):
        executor._check_gpus(0)
