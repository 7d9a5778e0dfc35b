"""Similarity-preserving knowledge distillation (SPKD)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_positive, check_same_batch, full_precision, no_autocast

__all__ = ["SPKDLoss", "spkd_loss"]


def spkd_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two row-normalised Gram matrices, of the same n samples: (n, Ds) and (n, Dt)."""
    return (_gram(teacher) - _gram(student)).square().mean()


def _gram(rows: Tensor) -> Tensor:
    # the largest value cancels in the normalised rows: this keeps products of large maps finite
    peak = rows.detach().abs().amax()
    rows = rows / torch.where(peak > 0, peak, 1.0)
    return F.normalize(rows @ rows.T, dim=1, eps=1e-12)


class SPKDLoss(_Loss):
    r"""Samples that are alike to the teacher are alike to the student.

    .. math:: L = \frac{1}{n^2} \| \tilde G(f^t) - \tilde G(f^s) \|_F^2, \quad G = A A^T

    with the rows of G divided by their norm. The rows of A are the n samples: whole flattened maps (n = N), or with a
    grid the cells of all maps (n = N grid^d), each a vector of C means. Repeating the batch halves the value, since the
    entries of a row share its norm: the weight belongs to a batch size.

    Args:
        grid: None, whole samples as in the paper; an int, cells an axis by adaptive average pooling.

    Shape:
        student, teacher: features (N, C, *spatial); channels and sizes may differ, they are never resized.

    Raises:
        ValueError: for a batch of one without a grid (the value would be 0 for any maps), or when batch size or number
            of axes differ.

    Reference: Tung and Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019; form and weight (3000) as in
    RepDistiller and mdistiller. The grid is ours, for the small batches of 3-D.

    In a preset: ``sp: {tap: bottleneck, weight: 3000.0, loss: {_target_: medkd.losses.SPKDLoss, grid: 4}}``
    """

    def __init__(self, grid: int | None = None) -> None:
        super().__init__()
        if grid is not None:
            check_positive("SPKDLoss", grid=grid)
        self.grid = grid

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Maps (N, C, *spatial); target is not used."""
        check_same_batch("SPKDLoss", student, teacher)
        if self.grid is None and student.shape[0] == 1:
            raise ValueError(
                f"SPKDLoss: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} are one sample, which is "
                "always alike to itself: use a larger batch, or grid"
            )
        with no_autocast(student):
            return spkd_loss(self._rows(full_precision(student)), self._rows(full_precision(teacher.detach())))

    def _rows(self, feature: Tensor) -> Tensor:
        if self.grid is None:
            return feature.flatten(1)
        pool = F.adaptive_avg_pool2d if feature.ndim == 4 else F.adaptive_avg_pool3d
        return pool(feature, self.grid).flatten(2).transpose(1, 2).flatten(0, 1)
