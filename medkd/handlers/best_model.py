"""Keeps the weights of the best validation."""

from __future__ import annotations

from pathlib import Path

from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from torch import nn

from medkd.losses import CombinedLoss
from medkd.parallel.group import is_main_process
from medkd.runs.files import save_atomically

__all__ = ["BestModel"]


class BestModel:
    """Writes the network's state dict whenever the evaluator's key metric is the best so far.

    MONAI's `CheckpointSaver` removes the old best file before it writes the new one; a kill in between leaves none.

    Args:
        network: the plain student, without taps and adaptors.
        path: the file.
        loss: of the training. While its task has no weight (FitNet's hints come first), each epoch's model stands in until
            the next, and none of them counts as the best; None takes every validation.
    """

    def __init__(self, network: nn.Module, path: str | Path, loss: CombinedLoss | None = None) -> None:
        self.network = network
        self.path = Path(path)
        self.loss = loss

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        state = evaluator.state
        stands_in = self.loss is not None and self.loss.weights["task"] == 0
        if stands_in:
            state.best_metric = state.best_metric_epoch = -1  # MONAI's, before any validation
        if is_main_process() and (stands_in or state.best_metric_epoch == state.epoch):
            save_atomically(self.network.state_dict(), self.path)
