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
    """Write scalars once an epoch by MONAI's `TensorBoardStatsHandler`, in the main process.

    The file is opened after the first step, so a run that fails before leaves nothing.

    Args:
        log_dir: the folder of the events.
    """

    def __init__(self, log_dir: str | Path) -> None:
        self.log_dir = str(log_dir)
        self._is_open = False

    def attach(self, engine: Workflow) -> None:
        """Register the handler at an engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        """Open the file, once."""
        if is_main_process() and not self._is_open:
            self._is_open = True
            FolderLock(self.log_dir).acquire()
            TensorBoardStatsHandler(log_dir=self.log_dir, iteration_log=False).attach(engine)
