"""Pseudo-labels: the classes that the teacher decides for, as labels of the task loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from medkd.parallel.gather import weight_among_processes

from ._common import check_same_shape, full_precision

__all__ = ["PseudoLabelLoss"]


class PseudoLabelLoss(_Loss):
    """Compute the task loss on the classes that the teacher decides for: the control of distillation on unlabelled images.

    The mean runs over the images that the loss reads: over the unlabelled ones, those of all processes, or over all images
    with ``labelled``. A weight of 1 thus gives unlabelled images together the weight of the labelled ones, whatever their
    share of the batch.

    Args:
        task: the supervised loss ``task(logits, target)``, a scalar.
        labelled: whether the teacher's classes are labels of labelled images too, beside their own.

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape; labelled: (L,) int64 indices of the labelled images.

    Raises:
        ValueError: when the shapes differ, or without unlabelled images where these alone are read.

    Example:
        >>> from torch.nn.functional import cross_entropy
        >>> loss = PseudoLabelLoss(lambda logits, target: cross_entropy(logits, target.squeeze(1)))
        >>> teacher = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1).expand(3, 2, 4, 4)
        >>> loss(torch.zeros(3, 2, 4, 4), teacher, labelled=torch.tensor([0]))
        tensor(0.6931)

    In a preset: ``pseudo: {tap: logits, weight: 1.0, loss: {_target_: medkd.losses.PseudoLabelLoss, task: "@task"}}``
    """

    reads_labelled = True

    def __init__(self, task: Callable[[Tensor, Tensor], Tensor], labelled: bool = False) -> None:
        super().__init__()
        self.task, self.labelled = task, labelled

    def forward(
        self, student: Tensor, teacher: Tensor, target: Tensor | None = None, labelled: Tensor | None = None
    ) -> Tensor:
        """Compute the loss on two tensors of logits (N, K, *spatial); target is not used."""
        check_same_shape("PseudoLabelLoss", student, teacher)
        logits = full_precision(student)
        classes = teacher.detach().argmax(dim=1, keepdim=True)
        if self.labelled:
            return self.task(logits, classes)
        if labelled is None:
            raise ValueError(
                "method pseudo: found no unlabelled images, expected some (--unlabelled), or --method_args::labelled True"
            )
        count = len(logits) - len(labelled)
        weight = weight_among_processes(count, logits)
        if count == 0:
            return logits.flatten()[:0].sum()  # 0, with a gradient of zeros for each process to share
        # the unlabelled ones first, in their order; a mask would wait for a GPU
        has_label = torch.zeros(len(logits), device=logits.device).index_fill(0, labelled, 1.0)
        unlabelled = has_label.argsort(stable=True)[:count]
        return weight * self.task(logits.index_select(0, unlabelled), classes.index_select(0, unlabelled))
