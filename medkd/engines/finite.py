"""Stop a training whose network is no longer finite."""

from __future__ import annotations

import math

import torch
from ignite.engine import Engine
from torch import nn

__all__ = ["check_finite"]


def check_finite(trainer: Engine, network: nn.Module, precision: str) -> None:
    """Raise an error at the end of an epoch from which a training cannot recover.

    A mean loss that is not finite is not enough: with float16 the scaler of gradients leaves such a step out.

    Args:
        trainer: with the mean loss of the epoch in its metrics.
        network: that is trained.
        precision: in which it runs, see `precision_name`.

    Raises:
        ValueError: If the mean loss and a weight of the network are not finite.
    """
    loss = float(trainer.state.metrics["loss"])
    if math.isfinite(loss):
        return
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            remedy = "a smaller --learning_rate" + (
                "" if precision == "float32" else f", or --amp False ({precision} was on)"
            )
            raise ValueError(
                f"training stopped after epoch {trainer.state.epoch}: found a loss of {loss} and {name} with NaN or infinity, "
                f"expected finite values: try {remedy}"
            )
