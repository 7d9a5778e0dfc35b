"""Decoupled knowledge distillation (DKD)."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_classes, check_positive, check_same_shape, full_precision, no_autocast, one_hot_at

__all__ = ["DKDLoss", "dkd_loss"]


def dkd_loss(
    student: Tensor, teacher: Tensor, is_target: Tensor, alpha: float, beta: float, temperature: float
) -> Tensor:
    """The loss on flattened logits (N, K, P); ``is_target`` is boolean (N, K, P), true for the label's class."""
    student, teacher = student / temperature, teacher / temperature
    split_student, split_teacher = (_target_and_rest(z, is_target) for z in (student, teacher))
    target_term = (split_teacher.exp() * (split_teacher - split_student)).sum(dim=1)
    rest_student, rest_teacher = (_log_softmax_of_rest(z, is_target) for z in (student, teacher))
    rest_term = (rest_teacher.exp() * (rest_teacher - rest_student)).masked_fill(is_target, 0.0).sum(dim=1)
    return temperature**2 * (alpha * target_term + beta * rest_term).mean()


def _target_and_rest(logits: Tensor, is_target: Tensor) -> Tensor:
    """log p(target) and log(1 - p(target)) as (N, 2, P), without a difference of probabilities."""
    total = torch.logsumexp(logits, dim=1)
    rest = torch.logsumexp(logits.masked_fill(is_target, -torch.inf), dim=1)
    target = torch.where(is_target, logits, 0.0).sum(dim=1)
    return torch.stack([target - total, rest - total], dim=1)


def _log_softmax_of_rest(logits: Tensor, is_target: Tensor) -> Tensor:
    """log-softmax over the K - 1 other classes; the target's own place holds 0 and is to be left out."""
    return F.log_softmax(logits.masked_fill(is_target, -torch.inf), dim=1).masked_fill(is_target, 0.0)


class DKDLoss(_Loss):
    r"""KD taken apart: how sure the teacher is of the label's class, and how it ranks the others, weighed apart.

    .. math:: L = T^2 \; \mathrm{mean}_{n,i} [\alpha \, KL(b^t \| b^s) + \beta \, KL(q^t \| q^s)]

    with b = (p_y, 1 - p_y) of the tempered softmax and q the tempered softmax over the classes other than the label y.

    With two classes q has one entry, the second term is 0 whatever beta is, and the value is alpha times `KDLoss`: told
    ``num_classes=2``, the constructor warns of it.

    Args:
        alpha, beta: weights of the two terms (mdistiller's defaults for CIFAR-100: 1 and 8).
        temperature: T, mdistiller's default.
        num_classes: K, for the warning alone.

    Shape:
        student, teacher: logits (N, K, *spatial), equal shapes; target: (N, 1, *spatial) integer labels.

    Raises:
        ValueError: when T is not positive, or shapes differ.

    Reference: Zhao et al., Decoupled Knowledge Distillation, CVPR 2022. Differs from the authors' code (mdistiller): per
    pixel; log(1 - p_y) and q come from masked logsumexp, where theirs take the log of a sum of probabilities and
    subtract 1000 from a logit, so large logits stay finite here.

    In a preset: ``dkd: {tap: logits, weight: 1.0, loss: {_target_: medkd.losses.DKDLoss, alpha: 1.0, beta: 8.0}}``
    """

    def __init__(
        self, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0, num_classes: int | None = None
    ) -> None:
        super().__init__()
        if num_classes == 2 and beta:
            warnings.warn("DKDLoss: with two classes beta is inert and DKD equals alpha * KD", stacklevel=2)
        check_positive("DKDLoss", temperature=temperature)
        self.alpha, self.beta, self.temperature = alpha, beta, temperature

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Both (N, K, *spatial); target (N, 1, *spatial), resized to the logits where it must be."""
        check_same_shape("DKDLoss", student, teacher)
        check_classes("DKDLoss", student)
        with no_autocast(student):
            z_s, z_t = full_precision(student), full_precision(teacher.detach())
            is_target = one_hot_at("DKDLoss", target, z_s, z_s.shape[1]) > 0
            return dkd_loss(z_s.flatten(2), z_t.flatten(2), is_target, self.alpha, self.beta, self.temperature)
