"""Find the worker that is at a run, so that a test can kill that one and no other."""

import os
import signal
from pathlib import Path

from umml_cli.runs.events import RunFailed, RunFinished, RunStarted


def workers_at(folder):
    """Processes other than this one that have a run's lock open."""
    lock, found = str(folder / ".lock"), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(file.readlink()) == lock for file in process.glob("fd/*")):
                found.append(int(process.name))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return [process for process in found if process != os.getpid()]


class Killer:
    """Takes a grid's events, and kills the worker of one run whenever it starts, others being at work.

    Args:
        victim: the run's specification.
        folder: where it lies.
        beside: names of runs that must have started, or be over, before.
    """

    def __init__(self, victim, folder, beside=()):
        self._victim, self._folder, self._beside = victim.run_id, folder, set(beside)
        self._at_work = set()
        self.finished, self.failed, self.kills = [], {}, 0

    def __call__(self, event):
        match event:
            case RunStarted():
                self._at_work.add(event.run_id)
            case RunFinished():
                self.finished.append(event.run_id)
            case RunFailed():
                self.failed[event.run_id] = event.reason
        if self._victim in self._at_work and self._beside <= self._at_work | {*self.finished}:
            for process in workers_at(self._folder):
                os.kill(process, signal.SIGKILL)
                self.kills += 1
                self._at_work.clear()
