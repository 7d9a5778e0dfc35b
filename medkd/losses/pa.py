"""Pair-wise affinity (PA) of Structured KD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import adaptive_max_pool, check_positive, check_same_batch, full_precision, no_autocast, smallest_size

__all__ = ["PALoss", "pa_loss"]


def pa_loss(student: Tensor, teacher: Tensor, detach_norm: bool = False) -> Tensor:
    """Return the mean squared difference of the cosines between all pairs of nodes.

    Args:
        student: n nodes an image, (N, Cs, n).
        teacher: the same nodes, (N, Ct, n).
        detach_norm: whether no gradient flows through the norms of the nodes.

    Example:
        >>> nodes = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # two orthogonal nodes
        >>> pa_loss(torch.ones(1, 3, 2), nodes)  # two of four cosines differ by 1
        tensor(0.5000)
    """
    return (_affinity(student, detach_norm) - _affinity(teacher, detach_norm)).square().mean()


def _affinity(nodes: Tensor, detach_norm: bool) -> Tensor:
    """Return the cosines between all pairs of nodes (N, C, n): (N, n, n)."""
    if detach_norm:
        unit = nodes / torch.linalg.vector_norm(nodes.detach(), dim=1, keepdim=True).clamp_min(1e-12)
    else:
        unit = F.normalize(nodes, dim=1, eps=1e-12)
    return unit.transpose(1, 2) @ unit


class PALoss(_Loss):
    r"""Teach the student which positions of an image are similar: the cosines between all pairs of nodes.

    .. math:: L = \frac{1}{N n^2} \sum_n \sum_{i,j} (a^s_{ij} - a^t_{ij})^2, \quad a_{ij} = \cos(g_i, g_j)

    with g the n nodes of the max-pooled map. Memory: n^2 numbers an image, whatever its size.

    Args:
        grid: nodes an axis, by adaptive max pooling. 3-D presets set 4. An axis shorter than the grid stays as it is.
        detach_norm: True for no gradient through the norms of g, as in the authors' code. The value is the same. The
            gradient is 4 to 6 times larger and has another direction (cosine about 0.2).

    Shape:
        student, teacher: features (N, C, *spatial). Channels and sizes may differ.

    Raises:
        ValueError: when grid is not positive, or batch size or number of axes differ.

    Example:
        >>> PALoss(grid=2)(torch.ones(1, 3, 8, 8), torch.ones(1, 5, 8, 8)).item() < 1e-6
        True

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
        """Compute the loss on two maps (N, C, *spatial); target is not used."""
        check_same_batch("PALoss", student, teacher)
        # both maps get the same nodes, also where one of them is shorter than the grid
        nodes = tuple(min(self.grid, edge) for edge in smallest_size([student, teacher]))
        with no_autocast(student):
            g_s, g_t = (adaptive_max_pool(full_precision(f), nodes).flatten(2) for f in (student, teacher.detach()))
            return pa_loss(g_s, g_t, self.detach_norm)
