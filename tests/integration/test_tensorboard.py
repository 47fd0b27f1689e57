import pytest
from running import run_umml as run

pytest.importorskip("tensorboard", reason="needs the extra umml-cli[tensorboard]")


def test_losses_and_map_of_every_trained_run_are_written(undisturbed, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert (
        "12 runs are in logs"
        in run(tmp_path, "runs", "tensorboard", "--out", undisturbed[0], "--to", "logs").stdout
    )
    folder = next((tmp_path / "logs").glob("small/dadh/UI 40 %*"))
    events = EventAccumulator(str(folder))
    events.Reload()
    assert {"map_i2t", "map_t2i", "seconds"} < set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("map_i2t")] == [1, 2, 3]
