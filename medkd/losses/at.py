"""Attention transfer (AT)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ._common import check_positive, check_same_batch, full_precision, no_autocast, resize
from ._importance import importance_map

__all__ = ["ATLoss", "at_loss"]


def at_loss(student: Tensor, teacher: Tensor, p: float = 2, squared: bool = True) -> Tensor:
    """Return the mean over images of the L2 distance between two importance maps, squared by default.

    Args:
        student: a map (N, Cs, *spatial).
        teacher: a map (N, Ct, *spatial) of the same spatial size.
        p: power of the importance map.
        squared: whether the distance is squared.

    Example:
        >>> at_loss(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 3.0]]]]))
        tensor(2.)
    """
    difference = importance_map(student, p) - importance_map(teacher, p)
    distance = difference.square().sum(dim=1) if squared else torch.linalg.vector_norm(difference, dim=1)
    return distance.mean()


class ATLoss(_Loss):
    r"""Teach the student to be active where the teacher is active, whatever the channels mean.

    .. math:: L = \mathrm{mean}_n \| q(f^s_n) - q(f^t_n) \|_2^2, \quad q(f) = Q / \|Q\|_2, \; Q_i = \frac1C \sum_c |f_{c,i}|^p

    The distance is a sum over positions, so its square lies in [0, 2] at any size. Two all-zero maps give 0, one gives 1.

    Args:
        p: power. 2 is the authors'; 4 is that of EMKD's importance map distillation.
        squared: True for the squared distance of every released code, False for the distance that the paper writes.

    Shape:
        student, teacher: features (N, C, *spatial). Channels and sizes may differ: the student is resized to the teacher.

    Raises:
        ValueError: when p is not positive, or batch size or number of axes differ.

    Example:
        >>> ATLoss()(torch.ones(1, 3, 4, 4), torch.ones(1, 5, 8, 8)).item() < 1e-6
        True

    Reference: Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017. Differs from the authors' code, which
    averages over positions and has a weight of 1000, so that its scale depends on the size of the map. Here the sum has
    weight 1, as in EMKD's code.

    In a preset: ``at: {tap: [encoder.2, bottleneck], weight: 1.0, loss: {_target_: medkd.losses.ATLoss}}``
    """

    def __init__(self, p: float = 2, squared: bool = True) -> None:
        super().__init__()
        check_positive("ATLoss", p=p)
        self.p, self.squared = p, squared

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps (N, C, *spatial); target is not used."""
        check_same_batch("ATLoss", student, teacher)
        with no_autocast(student):
            f_s = resize(full_precision(student), teacher.shape[2:])
            return at_loss(f_s, full_precision(teacher.detach()), self.p, self.squared)
