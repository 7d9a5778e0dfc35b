"""Distillation from a stronger teacher (DIST): correlations in place of divergences."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import check_num_classes, check_positive, check_same_shape, full_precision, l2_norm, no_autocast

__all__ = ["DISTLoss", "correlation"]


def correlation(x: Tensor, y: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Return Pearson's correlation of two tensors along one axis or several; 0 where one of them is constant.

    Example:
        >>> correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]), dim=0).round(decimals=4)
        tensor(1.)
    """
    x, y = (z - z.mean(dim=dim, keepdim=True) for z in (x, y))
    norms = l2_norm(x, dim) * l2_norm(y, dim)
    return (x * y).sum(dim=dim) / (norms + 1e-8)


class DISTLoss(_Loss):
    r"""Teach the student how the teacher ranks the classes of each pixel, and the pixels of each class.

    .. math:: L = T^2 [\beta \, (1 - \mathrm{mean}_{i} \, \rho(p^s_{i,:}, p^t_{i,:})) +
        \gamma \, (1 - \mathrm{mean}_k \, \rho(p^s_{:,k}, p^t_{:,k}))]

    with i all N P pixels of the batch, k the classes, rho Pearson's correlation, and p the softmax of the logits / T. The
    first term is called inter-class, the second intra-class. A student whose probabilities are a linear function of the
    teacher's costs nothing.

    The intra-class term correlates over the whole batch: it is no mean over images, and two processes give another value
    than one.

    Args:
        num_classes: K. With two classes the inter-class correlation is always 1 or -1 and has no gradient, so that beta
            must be 0.
        beta: weight of the inter-class term.
        gamma: weight of the intra-class term.
        temperature: T; 1 in the authors' code for segmentation.

    Shape:
        student, teacher: logits (N, K, *spatial) of equal shape.

    Raises:
        ValueError: for fewer than two classes, beta with two classes, T that is not positive, or shapes that do not fit.

    Example:
        >>> loss = DISTLoss(num_classes=3)
        >>> logits = torch.arange(24.0).reshape(1, 3, 2, 4).sin()
        >>> loss(logits, logits).abs() < 1e-5
        tensor(True)

    Reference: Huang et al., Knowledge Distillation from A Stronger Teacher, NeurIPS 2022; the value is that of the authors'
    code for segmentation, with weights of 1. The factor T^2 is that of their code for classification.

    In a preset: ``dist: {tap: logits, weight: 1.0, loss: {_target_: medkd.losses.DISTLoss, num_classes: 4}}``
    """

    def __init__(self, num_classes: int, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__()
        check_num_classes("DISTLoss", num_classes)
        check_positive("DISTLoss", temperature=temperature)
        if num_classes == 2 and beta:
            raise ValueError(
                f"DISTLoss: beta: found {beta!r} with 2 classes, expected 0: the inter-class term has no gradient there"
            )
        self.num_classes, self.beta, self.gamma, self.temperature = num_classes, beta, gamma, temperature

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two tensors of logits (N, K, *spatial); target is not used."""
        check_same_shape("DISTLoss", student, teacher)
        if student.shape[1] != self.num_classes:
            raise ValueError(f"DISTLoss: logits {tuple(student.shape)}, expected {self.num_classes} classes")
        with no_autocast(student):
            logits = (full_precision(student), full_precision(teacher.detach()))
            p_s, p_t = (torch.softmax(z.flatten(2) / self.temperature, dim=1) for z in logits)
            # over the classes at each position; over all positions of the batch for each class
            inter = 1 - correlation(p_s, p_t, dim=1).mean() if self.beta else p_s.new_zeros(())
            intra = 1 - correlation(p_s, p_t, dim=(0, 2)).mean() if self.gamma else p_s.new_zeros(())
            return self.temperature**2 * (self.beta * inter + self.gamma * intra)
