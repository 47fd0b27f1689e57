import io

import pytest
from rich.console import Console
from umml_cli.runs import progress
from umml_cli.runs.events import EpochEnded, RunFailed, RunFinished, RunStarted
from umml_cli.runs.progress import GridClock, format_seconds, grid_progress
from umml_cli.runs.specification import RunSpecification


def make(seed, **cell):
    return RunSpecification(
        dataset="emoji",
        data_digest="0",
        method="dadh",
        method_version="1",
        bits=64,
        epochs=10,
        batch_size=8,
        options={},
        cell=cell,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (125, "2 min 05 s"), (3600 + 20 * 60, "1 h 20 min")]
)
def test_seconds_as_a_person_says_them(seconds, said):
    assert format_seconds(seconds) == said


def test_time_left_follows_the_pace_and_ignores_what_came_from_a_checkpoint(monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    first, second = make(0), make(1, discard=50)  # 10 + 5 epochs of work
    clock = GridClock([first, second])
    assert clock.seconds_left is None
    clock.update(RunStarted(first.run_id, first_epoch=4))
    now = 102.0
    assert clock.seconds_left is None
    clock.update(EpochEnded(first.run_id, 6))  # 2 epochs of work in 2 seconds, 4 + 5 left
    assert clock.seconds_left == pytest.approx(9 * (1 + progress.FIXED_WORK))
    clock.update(RunFinished(first.run_id))
    clock.update(RunFinished(second.run_id))
    assert clock.seconds_left == 0


def test_a_log_says_every_half_minute_how_far_a_training_is(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    screen = io.StringIO()
    run = make(0)
    with grid_progress(Console(file=screen, width=40), [run], [run]) as on_event:
        on_event(RunStarted(run.run_id, first_epoch=0))
        for epoch in range(1, 7):
            now += 12
            on_event(EpochEnded(run.run_id, epoch))
    lines = screen.getvalue().splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "epoch 3 of 10, about 1 min 26 s left",
        "epoch 6 of 10, about 49 s left",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_counts_complete_runs_in_bars_and_in_lines(terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=120, highlight=False)
    runs = [make(0), make(1)]
    with grid_progress(console, runs, runs[1:]) as on_event:
        on_event(RunStarted(runs[1].run_id, first_epoch=0))
        on_event(EpochEnded(runs[1].run_id, 5))
        on_event(RunStarted(runs[1].run_id, first_epoch=3))  # a worker died, another took over
        on_event(EpochEnded(runs[1].run_id, 10))
        on_event(RunFinished(runs[1].run_id))
    assert "1 of 2 runs are complete already" in screen.getvalue()
    assert ("2/2" if terminal else "[2/2] dadh · emoji · paired · seed 1") in screen.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_that_ends_twice_is_counted_once(terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=120, highlight=False)
    runs = [make(0), make(1), make(2)]
    with grid_progress(console, runs, runs) as on_event:
        on_event(RunStarted(runs[0].run_id, first_epoch=0))
        on_event(RunFailed(runs[0].run_id, "no"))  # and then its worker was lost, so that another took it up
        on_event(RunStarted(runs[0].run_id, first_epoch=0))
        on_event(RunFinished(runs[0].run_id))
        on_event(RunFinished(runs[1].run_id))
    said = "2/3" if terminal else "[2/3] dadh · emoji · paired · seed 1"
    assert said in screen.getvalue()
    assert "3/3" not in screen.getvalue()
