"""Scalars of each epoch for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from ignite.engine import Events
from monai.engines import Workflow
from monai.handlers import TensorBoardStatsHandler

from medkd.parallel.group import is_main_process
from medkd.runs.lock import FolderLock

__all__ = ["TensorBoardRecord"]


class TensorBoardRecord:
    """MONAI's `TensorBoardStatsHandler` once an epoch, of the first process alone. The file is opened after the
    first step, as in `RunRecord`.

    Args:
        log_dir: where the events go.
    """

    def __init__(self, log_dir: str | Path) -> None:
        self.log_dir = str(log_dir)
        self._opened = False

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        if is_main_process() and not self._opened:
            self._opened = True
            FolderLock(self.log_dir).acquire()
            TensorBoardStatsHandler(log_dir=self.log_dir, iteration_log=False).attach(engine)
