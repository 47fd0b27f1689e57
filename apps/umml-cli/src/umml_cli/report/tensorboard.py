"""Training curves for TensorBoard, from what every run writes anyway."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from umml_cli.runs.store import RunStore


def write_events(store: RunStore, target: Path) -> int:
    """Write a folder of events for each run that has trained; those written before are replaced.

    Args:
        store: the runs.
        target: folder that TensorBoard is pointed at.

    Returns:
        The number of runs.
    """
    writer_type = _event_writer()
    n_runs = 0
    for folder in store.folders():
        epochs = folder.read_metrics()
        if not epochs:
            continue
        spec = folder.read_specification()
        place = target / spec.dataset / spec.label / f"{spec.cell.title} seed {spec.seed} {spec.run_id[:6]}"
        shutil.rmtree(place, ignore_errors=True)
        writer = writer_type(str(place))
        for values in epochs:
            epoch = values.pop("epoch") + 1
            for name, value in values.items():
                writer.add_scalar(name, value, epoch)
        writer.close()
        n_runs += 1
    return n_runs


def _event_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError(
            "This needs TensorBoard; install it with: pip install 'umml-cli[tensorboard]'."
        ) from None
    return SummaryWriter
