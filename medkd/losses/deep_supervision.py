"""The task loss on a network's deep-supervision maps: it trains the heads that HLFD reads from the teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import full_precision, resize

__all__ = ["DeepSupervisionLoss"]


class DeepSupervisionLoss(_Loss):
    """Mean of a task loss over the network's own maps, each resized to the target (labels are never shrunk).

    A term for training a teacher, not for distillation: the teacher argument is not used. Without maps the value is 0.

    Args:
        task: ``task(logits, target)``, a scalar.

    Shape:
        student: `Features`; target: (N, 1, *spatial) integer labels.
    """

    def __init__(self, task: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.task = task

    def forward(self, student: Features, teacher: Features | None = None, target: Tensor | None = None) -> Tensor:
        if target is None:
            raise ValueError("DeepSupervisionLoss: needs a target, found None")
        if not student.maps:
            return student.logits.new_zeros(())
        size = target.shape[2:]
        return torch.stack([self.task(resize(full_precision(m), size), target) for m in student.maps]).mean()
