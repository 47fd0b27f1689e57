import shutil

from running import run_umml as run


def test_losses_and_map_of_every_trained_run_are_written(undisturbed, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shutil.copytree(undisturbed[0], tmp_path / "out")
    lines = next((tmp_path / "out" / "runs").glob("*/metrics.jsonl"))
    lines.write_text(lines.read_text() + '{"epoch": 3, "sec')  # as of a killed run
    assert (
        "12 runs are in logs" in run(tmp_path, "runs", "tensorboard", "--out", "out", "--to", "logs").stdout
    )
    folder = next((tmp_path / "logs").glob("small/dadh/UI 40%*"))
    events = EventAccumulator(str(folder))
    events.Reload()
    assert {"map_i2t", "map_t2i", "seconds"} < set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("map_i2t")] == [1, 2, 3]
