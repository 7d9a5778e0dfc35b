"""Scalars of each epoch for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from monai.engines import Workflow
from monai.handlers import TensorBoardStatsHandler

from medkd.distributed import is_first

__all__ = ["TensorBoardRecord"]


class TensorBoardRecord:
    """MONAI's `TensorBoardStatsHandler` once an epoch, of the first process alone: the others open no file.

    Args:
        log_dir: where the events go.
    """

    def __init__(self, log_dir: str | Path) -> None:
        self.log_dir = str(log_dir)

    def attach(self, engine: Workflow) -> None:
        if is_first():
            TensorBoardStatsHandler(log_dir=self.log_dir, iteration_log=False).attach(engine)
