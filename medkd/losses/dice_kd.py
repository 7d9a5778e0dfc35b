"""The Dice semimetric loss on soft labels (DML)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import check_classes, check_positive, check_same_shape, full_precision, no_autocast

__all__ = ["DiceKDLoss", "dice_kd_loss"]


def dice_kd_loss(student: Tensor, teacher: Tensor, smooth: float = 1.0, batch: bool = False) -> Tensor:
    """Return 1 - the soft Dice of two distributions, a mean over images and classes.

    Args:
        student: probabilities (N, K, P) at P positions.
        teacher: probabilities of the same shape.
        smooth: added to numerator and denominator.
        batch: whether the positions of all images are counted together, before the mean over classes.

    Example:
        >>> student, teacher = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]), torch.tensor([[[0.5, 0.5], [0.5, 0.5]]])
        >>> dice_kd_loss(student, teacher, smooth=0.0)  # Dice 2/3 and 0
        tensor(0.6667)
    """
    axes = (0, 2) if batch else 2
    sizes = student.sum(dim=axes) + teacher.sum(dim=axes)
    overlap = (sizes - (student - teacher).abs().sum(dim=axes)) / 2
    return (1 - (overlap + smooth) / (sizes / 2 + smooth)).mean()


class DiceKDLoss(_Loss):
    r"""Teach the student the teacher's soft regions by a Dice loss that is least where both distributions agree.

    .. math:: L = 1 - \mathrm{mean}_{n,k} \frac{o + s}{(a + b) / 2 + s}, \quad o = \frac{a + b - d}{2}, \;
        a = \sum_i p^s_i, \; b = \sum_i p^t_i, \; d = \sum_i |p^s_i - p^t_i|

    for the probabilities of class k in image n, and s the smoothing. The usual soft Dice, with products in place of the
    difference d, is least for a student that is more certain than its teacher. All classes count, background included.

    Args:
        smooth: s, in positions; the authors' value.
        batch: True to sum a, b and d over all images first. The value is then no mean over images: it depends on which
            images share a batch, and two processes give another value than one.
        temperature: T of both distributions. The authors' value is 1. The value is not multiplied by T^2.

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape.

    Raises:
        ValueError: when smooth or T is not positive, or the shapes differ.

    Example:
        >>> loss = DiceKDLoss()
        >>> loss(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8))
        tensor(0.)

    Reference: Wang et al., Dice Semimetric Losses: Optimizing the Dice Score with Soft Labels, MICCAI 2023. The value is
    that of the authors' JDTLoss with alpha = beta = 0.5 and all classes active: mIoUI, or mIoUD with ``batch``. Their code
    trains half by labels and half by the teacher, each with cross-entropy 0.25 and Dice 0.75; the preset ``dice_kd`` adds
    the teacher's half to the task loss.

    In a preset: ``dice: {tap: logits, weight: 0.75, loss: {_target_: medkd.losses.DiceKDLoss, smooth: 1.0}}``
    """

    def __init__(self, smooth: float = 1.0, batch: bool = False, temperature: float = 1.0) -> None:
        super().__init__()
        check_positive("DiceKDLoss", smooth=smooth, temperature=temperature)
        self.smooth, self.batch, self.temperature = smooth, batch, temperature

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two tensors of logits (N, K, *spatial); target is not used."""
        check_same_shape("DiceKDLoss", student, teacher)
        check_classes("DiceKDLoss", student)
        with no_autocast(student):
            logits = (full_precision(student), full_precision(teacher.detach()))
            p_s, p_t = (torch.softmax(z.flatten(2) / self.temperature, dim=1) for z in logits)
            return dice_kd_loss(p_s, p_t, self.smooth, self.batch)
