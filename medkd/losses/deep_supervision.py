"""The task loss on a network's auxiliary (deep-supervision) logits, which HLFD reads from the teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import full_precision, resize

__all__ = ["DeepSupervisionLoss"]


class DeepSupervisionLoss(_Loss):
    """Train auxiliary (deep-supervision) logits: the mean of a task loss over ``Features.maps``.

    Each map of logits is resized to the target; labels are never resized. This term trains a teacher. It is no
    distillation: the teacher argument is not used. Without auxiliary logits the value is 0.

    Args:
        task: the supervised loss ``task(logits, target)``, a scalar.

    Shape:
        student: `Features`; target: (N, 1, *spatial) integer labels.

    Raises:
        ValueError: without a target.

    Example:
        >>> from torch.nn.functional import mse_loss
        >>> features = Features(torch.zeros(1, 1, 4, 4), maps=(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)))
        >>> DeepSupervisionLoss(mse_loss)(features, target=torch.zeros(1, 1, 4, 4))
        tensor(0.5000)

    In a bundle: ``deep: {tap: features, weight: 1.0, loss: {_target_: medkd.losses.DeepSupervisionLoss, task: ...}}``
    """

    def __init__(self, task: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.task = task

    def forward(self, student: Features, teacher: Features | None = None, target: Tensor | None = None) -> Tensor:
        """Compute the loss on the student's auxiliary logits; the teacher is not used."""
        if target is None:
            raise ValueError("DeepSupervisionLoss: needs a target, found None")
        if not student.maps:
            return student.logits.new_zeros(())
        size = target.shape[2:]
        return torch.stack([self.task(resize(full_precision(logits), size), target) for logits in student.maps]).mean()
