"""The weights of the best validation."""

from types import SimpleNamespace

import pytest
import torch
from ignite.metrics import Average
from monai.engines import SupervisedEvaluator
from torch import nn

from medkd.handlers import BestModel
from medkd.losses import CombinedLoss


def test_best_model_is_written_when_it_is_the_best(tmp_path):
    network = nn.Linear(1, 1)
    save = BestModel(network, tmp_path / "model.pt")
    for epoch, best, value in ((1, 1, 1.0), (2, 1, 2.0), (3, 3, 3.0)):
        network.weight.data.fill_(value)
        save(SimpleNamespace(state=SimpleNamespace(epoch=epoch, best_metric_epoch=best)))
        stored = torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item()
        assert stored == (3.0 if epoch == 3 else 1.0)


def test_an_epoch_that_does_not_train_the_task_is_never_the_best(tmp_path):
    """Of an evaluator whose metric falls: the last of the hints stands in until the first epoch of the task."""
    network, loss = nn.Linear(1, 1), CombinedLoss(nn.MSELoss(), {})
    values = iter((0.9, 0.8, 0.3, 0.2))
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{"image": torch.zeros(1, 1), "label": torch.zeros(1, 1)}],
        network=network,
        key_val_metric={"value": Average(output_transform=lambda output: next(values))},
        val_handlers=[BestModel(network, tmp_path / "model.pt", loss)],
        decollate=False,
    )
    for epoch, (weight, stored, best) in enumerate(((0, 1, -1), (0, 2, -1), (1, 3, 3), (1, 3, 3)), start=1):
        loss.weights["task"] = float(weight)
        network.weight.data.fill_(epoch)
        evaluator.run(epoch)
        assert torch.load(tmp_path / "model.pt", weights_only=True)["weight"].item() == stored
        assert evaluator.state.best_metric_epoch == best
    assert evaluator.state.best_metric == pytest.approx(0.3)
