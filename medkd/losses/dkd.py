"""Decoupled knowledge distillation (DKD)."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import (
    check_classes,
    check_positive,
    check_same_shape,
    check_standardize,
    full_precision,
    no_autocast,
    one_hot_at,
    standardize_logits,
)

__all__ = ["DKDLoss", "dkd_loss"]


def dkd_loss(
    student: Tensor, teacher: Tensor, is_target: Tensor, alpha: float, beta: float, temperature: float
) -> Tensor:
    """Return the weighted sum of the two decoupled divergences, a mean over images and positions, times T^2.

    Args:
        student: logits (N, K, P) on P positions.
        teacher: logits of the same shape.
        is_target: boolean (N, K, P), true for the class of the label.
        alpha: weight of the term on the class of the label.
        beta: weight of the term on the other classes.
        temperature: T.

    Example:
        >>> is_target = torch.tensor([[[True], [False], [False]]])
        >>> dkd_loss(torch.zeros(1, 3, 1), torch.zeros(1, 3, 1), is_target, 1.0, 8.0, 4.0)
        tensor(0.)
    """
    split_student, split_teacher = (_decouple(z / temperature, is_target) for z in (student, teacher))
    target_term, rest_term = ((t.exp() * (t - s)).sum(dim=1) for s, t in zip(split_student, split_teacher, strict=True))
    return temperature**2 * (alpha * target_term + beta * rest_term).mean()


def _decouple(logits: Tensor, is_target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithms of both decoupled distributions, without a difference of probabilities.

    Returns:
        log p(target) and log(1 - p(target)) as (N, 2, P); the log-softmax over the K - 1 other classes as (N, K, P), with 0
        for the class of the label.
    """
    rest = torch.logsumexp(logits.masked_fill(is_target, -torch.inf), dim=1, keepdim=True)
    target = torch.where(is_target, logits, 0.0).sum(dim=1, keepdim=True)
    both = torch.cat([target, rest], dim=1)
    return both - torch.logaddexp(target, rest), torch.where(is_target, 0.0, logits - rest)


class DKDLoss(_Loss):
    r"""Teach two things with separate weights: the probability of the label's class, and the ranking of the others.

    .. math:: L = T^2 \; \mathrm{mean}_{n,i} [\alpha \, KL(b^t \| b^s) + \beta \, KL(q^t \| q^s)]

    with b = (p_y, 1 - p_y) of the tempered softmax and q the tempered softmax over the classes other than the label y.

    With two classes q has one entry, the second term is 0 for any beta, and the value is alpha times `KDLoss`. With
    ``num_classes=2`` the constructor warns of it.

    Args:
        alpha: weight of the term on the label's class (mdistiller's default for CIFAR-100: 1).
        beta: weight of the term on the other classes (mdistiller's default for CIFAR-100: 8).
        temperature: T, mdistiller's default.
        num_classes: K, used for the warning, and to refuse ``standardize`` for two classes in the constructor already.
        standardize: whether both logits are standardised over the classes first, as in `KDLoss`.

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape; target: (N, 1, *spatial) integer labels.

    Raises:
        ValueError: when T is not positive, shapes differ, or two classes are to be standardised.

    Example:
        >>> logits, target = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
        >>> DKDLoss(alpha=1.0, beta=8.0)(logits, logits, target)
        tensor(0.)

    Reference: Zhao et al., Decoupled Knowledge Distillation, CVPR 2022. Differs from the authors' code (mdistiller):
    the loss is computed per pixel, and log(1 - p_y) and q come from a masked logsumexp, so that large logits stay finite.
    Their code takes the log of a sum of probabilities and subtracts 1000 from a logit. ``standardize``: Sun et al., Logit
    Standardization in Knowledge Distillation, CVPR 2024, as in their code.

    In a preset: ``dkd: {tap: logits, weight: 1.0, loss: {_target_: medkd.losses.DKDLoss, alpha: 1.0, beta: 8.0}}``
    """

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 8.0,
        temperature: float = 4.0,
        num_classes: int | None = None,
        standardize: bool = False,
    ) -> None:
        super().__init__()
        if standardize and num_classes is not None:
            check_standardize("DKDLoss", num_classes)
        if num_classes == 2 and beta:
            warnings.warn("DKDLoss: with two classes beta is inert and DKD equals alpha * KD", stacklevel=2)
        check_positive("DKDLoss", temperature=temperature)
        self.alpha, self.beta, self.temperature, self.standardize = alpha, beta, temperature, standardize

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two tensors of logits (N, K, *spatial) and labels (N, 1, *any), resized if necessary."""
        check_same_shape("DKDLoss", student, teacher)
        check_classes("DKDLoss", student)
        if self.standardize:
            check_standardize("DKDLoss", student.shape[1])
        with no_autocast(student):
            z_s, z_t = full_precision(student), full_precision(teacher.detach())
            if self.standardize:
                z_s, z_t = standardize_logits(z_s), standardize_logits(z_t)
            is_target = one_hot_at("DKDLoss", target, z_s, z_s.shape[1]) > 0
            return dkd_loss(z_s.flatten(2), z_t.flatten(2), is_target, self.alpha, self.beta, self.temperature)
