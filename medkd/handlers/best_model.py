"""The weights of the best validation."""

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
    """Write the network's state dict whenever the evaluator's key metric is the best so far.

    MONAI's `CheckpointSaver` removes the old best file before it writes the new one, so a kill in between leaves none.

    Args:
        network: the plain student, without taps and adaptors.
        path: the file.
        loss: of the training. FitNet trains on hints alone at first, and its task has weight 0 then. In these epochs each
            validation replaces the file, and none counts as the best. None takes every validation.
    """

    def __init__(self, network: nn.Module, path: str | Path, loss: CombinedLoss | None = None) -> None:
        self.network = network
        self.path = Path(path)
        self.loss = loss

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Register the handler at an evaluator."""
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, evaluator: SupervisedEvaluator) -> None:
        """Write the weights if this validation is the best so far."""
        state = evaluator.state
        is_provisional = self.loss is not None and self.loss.weights["task"] == 0
        if is_provisional:
            state.best_metric = state.best_metric_epoch = -1  # MONAI's values before the first validation
        if is_main_process() and (is_provisional or state.best_metric_epoch == state.epoch):
            weights = self.network.state_dict()
            weights.update(
                {name: value.contiguous() for name, value in weights.items()}
            )  # as other programs expect them
            save_atomically(weights, self.path)
