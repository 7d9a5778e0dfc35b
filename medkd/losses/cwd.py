"""Channel-wise distillation (CWD)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_positive, check_same_shape, full_precision, no_autocast

__all__ = ["CWDLoss", "cwd_loss"]


def cwd_loss(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Return T^2 times the mean over images and channels of the KL between softmaxes over positions.

    Args:
        student: logits or features (N, C, *spatial).
        teacher: a tensor of the same shape.
        temperature: T.

    Example:
        >>> import torch
        >>> cwd_loss(torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 3, 3))  # a constant changes no softmax
        tensor(0.)
    """
    log_student, log_teacher = (F.log_softmax(z.flatten(2) / temperature, dim=2) for z in (student, teacher))
    divergence = F.kl_div(log_student, log_teacher, reduction="none", log_target=True)
    return divergence.sum(dim=2).mean() * temperature**2


class CWDLoss(_Loss):
    r"""Teach the student where in the image each channel is active: a distribution over positions, not over classes.

    .. math:: L = \frac{T^2}{N C} \sum_{n,c} KL(\phi_c(t_n) \| \phi_c(s_n)), \quad \phi_c(z) = softmax_i(z_{c,i} / T)

    The sum runs over positions, so the value does not grow with the image. Pass both channels of a two-class task.

    Args:
        temperature: T (the authors' README: 4, with weight 3 on logits and 50 on features).

    Shape:
        student, teacher: logits or features (N, C, *spatial) of equal shape. Where channels differ, project them before.

    Raises:
        ValueError: when T is not positive, or the shapes differ.

    Example:
        >>> import torch
        >>> CWDLoss()(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8))
        tensor(0.)

    Reference: Shu et al., Channel-wise Knowledge Distillation for Dense Prediction, ICCV 2021. Differs from the authors'
    code: log_softmax replaces softmax().log(), which is -inf where an entry underflows.

    In a preset: ``cwd: {tap: logits, weight: 3.0, loss: {_target_: medkd.losses.CWDLoss, temperature: 4.0}}``
    """

    def __init__(self, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive("CWDLoss", temperature=temperature)
        self.temperature = temperature

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two tensors (N, C, *spatial); target is not used."""
        check_same_shape("CWDLoss", student, teacher)
        with no_autocast(student):
            return cwd_loss(full_precision(student), full_precision(teacher.detach()), self.temperature)
