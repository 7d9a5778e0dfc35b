"""Pair-wise affinity (PA) of Structured KD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_positive, check_same_batch, full_precision, no_autocast, smallest_size

__all__ = ["PALoss", "pa_loss"]


def pa_loss(student: Tensor, teacher: Tensor, detach_norm: bool = False) -> Tensor:
    """Mean squared difference of the cosines between all pairs of n nodes: (N, Cs, n) and (N, Ct, n)."""
    return (_affinity(student, detach_norm) - _affinity(teacher, detach_norm)).square().mean()


def _affinity(nodes: Tensor, detach_norm: bool) -> Tensor:
    if detach_norm:
        unit = nodes / torch.linalg.vector_norm(nodes.detach(), dim=1, keepdim=True).clamp_min(1e-12)
    else:
        unit = F.normalize(nodes, dim=1, eps=1e-12)
    return unit.transpose(1, 2) @ unit


class PALoss(_Loss):
    r"""Places of an image that are alike to the teacher are alike to the student.

    .. math:: L = \frac{1}{N n^2} \sum_n \sum_{i,j} (a^s_{ij} - a^t_{ij})^2, \quad a_{ij} = \cos(g_i, g_j)

    over the n nodes g of the max-pooled map: n^2 numbers an image, whatever its size.

    Args:
        grid: nodes an axis, by adaptive max pooling, 8 (3-D presets set 4); an axis shorter than it stays as it is.
        detach_norm: no gradient through the norms of g. The value is the same, the gradient 4 to 6 times larger and
            another one (cosine about 0.2): what the authors' code does.

    Shape:
        student, teacher: features (N, C, *spatial), channels and sizes may differ.

    Raises:
        ValueError: when grid is not positive, or batch size or number of axes differ.

    Reference: Liu et al., Structured Knowledge Distillation for Dense Prediction, TPAMI 2020. Differs from the authors'
    code, whose pooling leaves 2 x 2 nodes (3 x 3 for odd sizes), and from CIRKD's, whose nodes grow with the image.

    In a preset: ``pa: {tap: penultimate, weight: 1.0, loss: {_target_: medkd.losses.PALoss, grid: 8}}``
    """

    def __init__(self, grid: int = 8, detach_norm: bool = False) -> None:
        super().__init__()
        check_positive("PALoss", grid=grid)
        self.grid = grid
        self.detach_norm = detach_norm

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Maps (N, C, *spatial); target is not used."""
        check_same_batch("PALoss", student, teacher)
        # both get the same nodes, also where one of them is shorter than the grid
        nodes = tuple(min(self.grid, edge) for edge in smallest_size([student, teacher]))
        pool = F.adaptive_max_pool2d if student.ndim == 4 else F.adaptive_max_pool3d
        with no_autocast(student):
            g_s, g_t = (pool(full_precision(f), nodes).flatten(2) for f in (student, teacher.detach()))
            return pa_loss(g_s, g_t, self.detach_norm)
