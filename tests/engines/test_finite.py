"""A training whose weights are NaN stops; one step that is left out does not stop it."""

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from medkd.engines.finite import check_finite


def train(weight, losses, precision="float32"):
    """An engine with these losses, one an epoch, that has checked a network with this weight after each."""
    network = nn.Linear(1, 1)
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update(loss=torch.tensor(losses[e.state.epoch - 1]))
    )
    engine.add_event_handler(Events.EPOCH_COMPLETED, check_finite, network=network, precision=precision)
    with torch.no_grad():
        network.weight.fill_(weight)
    return engine.run([0], max_epochs=len(losses))


def test_nan_weights_stop_the_training_after_the_first_epoch_with_such_a_loss():
    with pytest.raises(ValueError, match=r"after epoch 2: found a loss of nan and weight with NaN .* --learning_rate$"):
        train(float("nan"), [0.5, float("nan"), float("nan")])
    with pytest.raises(ValueError, match=r"after epoch 1: found a loss of inf .* --amp False \(bfloat16 was on\)$"):
        train(float("inf"), [float("inf")], "bfloat16")


def test_a_step_that_the_scaler_leaves_out_does_not():
    assert train(1.0, [float("nan"), 0.5]).epoch == 2
