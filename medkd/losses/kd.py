"""Pixel-wise knowledge distillation (KD)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import (
    check_classes,
    check_positive,
    check_same_shape,
    check_standardize,
    full_precision,
    no_autocast,
    standardize_logits,
    tempered_kl,
)

__all__ = ["KDLoss", "kd_loss"]


def kd_loss(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Return T^2 * mean over images and positions of KL(softmax(teacher / T) || softmax(student / T)).

    Args:
        student: logits (N, K, *spatial).
        teacher: logits of the same shape.
        temperature: T.

    Example:
        >>> import torch
        >>> kd_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
        tensor(0.)
    """
    return tempered_kl(student, F.log_softmax(teacher / temperature, dim=1), temperature)


class KDLoss(_Loss):
    r"""Teach the student the teacher's class distribution at every pixel, both softened by a temperature.

    .. math:: L = T^2 \; \mathrm{mean}_{n,i} \; KL(p_T(z^t_{n,i}) \,\|\, p_T(z^s_{n,i})), \quad p_T = softmax(z / T)

    Args:
        temperature: T. 4 is the authors' and the usual value; CIRKD's segmentation scripts use 1.
        standardize: whether both logits are standardised before they are tempered: less their mean over the classes,
            divided by their unbiased standard deviation plus 1e-7 (Sun et al.). Their ranking is taught, not their scale.
        num_classes: K. With ``standardize`` the constructor then refuses two classes, as forward does in any case.

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape. Value: a float32 scalar (float64 for float64 input).

    Raises:
        ValueError: when T is not positive, the shapes differ, or two classes are to be standardised: their standardised
            logits are constant, so that nothing would be learnt.

    Example:
        >>> import torch
        >>> loss = KDLoss(temperature=4.0)
        >>> loss(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8))
        tensor(0.)

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015. Differs from released codes in the
    reduction: many divide by K as well, or by N alone. Here the value is a mean over images and positions, so that a
    weight survives a change of crop or batch size. ``standardize``: Sun et al., Logit Standardization in Knowledge
    Distillation, CVPR 2024, as in their code (T 2 and weight 9 there, for images of one class each).

    In a preset: ``kd: {tap: logits, weight: 1.0, loss: {_target_: medkd.losses.KDLoss, temperature: 4.0}}``
    """

    def __init__(self, temperature: float = 4.0, standardize: bool = False, num_classes: int | None = None) -> None:
        super().__init__()
        check_positive("KDLoss", temperature=temperature)
        if standardize and num_classes is not None:
            check_standardize("KDLoss", num_classes)
        self.temperature, self.standardize = temperature, standardize

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two tensors of logits (N, K, *spatial); target is not used."""
        check_same_shape("KDLoss", student, teacher)
        check_classes("KDLoss", student)
        if self.standardize:
            check_standardize("KDLoss", student.shape[1])
        with no_autocast(student):
            z_s, z_t = full_precision(student), full_precision(teacher.detach())
            if self.standardize:
                z_s, z_t = standardize_logits(z_s), standardize_logits(z_t)
            return kd_loss(z_s, z_t, self.temperature)
