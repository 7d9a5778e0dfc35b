"""Similarity-preserving knowledge distillation (SPKD)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import adaptive_avg_pool, check_positive, check_same_batch, full_precision, no_autocast

__all__ = ["SPKDLoss", "spkd_loss"]

_LARGEST = 1e6


def spkd_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of two row-normalised Gram matrices of the same n samples.

    Args:
        student: samples (n, Ds).
        teacher: samples (n, Dt).

    Example:
        >>> import torch
        >>> spkd_loss(torch.eye(2), torch.eye(2))
        tensor(0.)
    """
    return (_gram(teacher) - _gram(student)).square().mean()


def _gram(rows: Tensor) -> Tensor:
    """Return the row-normalised Gram matrix (n, n) of samples (n, D)."""
    # The squares of the matrix's entries fit into float32 up to entries of 1e19. Its normalised rows do not change with the
    # scale of the samples. Features below a million are multiplied by exactly 1.
    scale = (_LARGEST / rows.detach().abs().amax()).clamp(max=1)
    rows = rows * scale
    return F.normalize(rows @ rows.T, dim=1, eps=1e-19)


class SPKDLoss(_Loss):
    r"""Teach the student which samples of a batch are similar: the row-normalised Gram matrix of the samples.

    .. math:: L = \frac{1}{n^2} \| \tilde G(f^t) - \tilde G(f^s) \|_F^2, \quad G = A A^T

    with the rows of G divided by their norm. The rows of A are the n samples: whole flattened maps (n = N), or, with a
    grid, the cells of all maps (n = N grid^d), each a vector of C means. Repeating the batch halves the value, since the
    entries of a row share its norm. A weight therefore belongs to a batch size.

    Args:
        grid: None for whole samples as in the paper; an int for so many cells an axis, by adaptive average pooling.

    Shape:
        student, teacher: features (N, C, *spatial). Channels and sizes may differ; the maps are never resized.

    Raises:
        ValueError: for a batch of one without a grid (the value would be 0 for any maps), or when batch size or number
            of axes differ.

    Example:
        >>> import torch
        >>> samples = torch.eye(2).reshape(2, 2, 1, 1)  # two orthogonal samples
        >>> SPKDLoss()(samples, 3.0 * samples)
        tensor(0.)

    Reference: Tung and Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019; form and weight (3000) as in
    RepDistiller and mdistiller. The grid is our addition, for the small batches of 3-D.

    In a preset: ``sp: {tap: bottleneck, weight: 3000.0, loss: {_target_: medkd.losses.SPKDLoss, grid: 4}}``
    """

    def __init__(self, grid: int | None = None) -> None:
        super().__init__()
        if grid is not None:
            check_positive("SPKDLoss", grid=grid)
        self.grid = grid

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps (N, C, *spatial); target is not used."""
        check_same_batch("SPKDLoss", student, teacher)
        if self.grid is None and student.shape[0] == 1:
            raise ValueError(
                f"SPKDLoss: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} are one sample, which is "
                "always alike to itself: use a larger batch, or grid"
            )
        with no_autocast(student):
            return spkd_loss(self._rows(full_precision(student)), self._rows(full_precision(teacher.detach())))

    def _rows(self, feature: Tensor) -> Tensor:
        """Return the samples (n, D) of a map (N, C, *spatial)."""
        if self.grid is None:
            return feature.flatten(1)
        return adaptive_avg_pool(feature, self.grid).flatten(2).transpose(1, 2).flatten(0, 1)
