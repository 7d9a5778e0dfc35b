"""Keeps the weights of the best validation."""

from __future__ import annotations

from pathlib import Path

from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from torch import nn

from medkd.data.files import save_atomically
from medkd.distributed import is_first

__all__ = ["BestModel"]


class BestModel:
    """Writes the network's state dict whenever the evaluator's key metric is the best so far.

    MONAI's `CheckpointSaver` removes the old best file before it writes the new one; a kill in between leaves none.

    Args:
        network: the plain student, without taps and adaptors.
        path: the file.
    """

    def __init__(self, network: nn.Module, path: str | Path) -> None:
        self.network = network
        self.path = Path(path)

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        if is_first() and evaluator.state.best_metric_epoch == evaluator.state.epoch:
            save_atomically(self.network.state_dict(), self.path)
