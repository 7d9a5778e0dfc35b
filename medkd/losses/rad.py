"""Region affinity distillation (RAD), the relational term of EMKD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_same_batch, full_precision, no_autocast, one_hot_at

__all__ = ["RADLoss", "rad_loss"]


def _region_means(feature: Tensor, regions: Tensor) -> Tensor:
    """(N, C, P) and one-hot regions (N, K, P) to unit vectors (N, K, C); an empty region stays zero."""
    means = torch.einsum("nkp,ncp->nkc", regions, feature) / regions.sum(dim=2, keepdim=True).clamp_min(1.0)
    return F.normalize(means, dim=2, eps=1e-12)


def rad_loss(student: Tensor, teacher: Tensor, regions: tuple[Tensor, Tensor]) -> Tensor:
    """Mean over pairs of present classes of the squared difference of their means' cosines.

    Maps (N, C, P), each with its one-hot regions (N, K, P); C and P may differ.
    """
    cosines = []
    for feature, region in zip((student, teacher), regions, strict=True):
        means = _region_means(feature, region)
        cosines.append(means @ means.transpose(1, 2))
    present = regions[0].amax(dim=2) * regions[1].amax(dim=2)
    pairs = torch.triu(present[:, :, None] * present[:, None, :], diagonal=1)
    return ((cosines[0] - cosines[1]).square() * pairs).sum() / pairs.sum().clamp_min(1.0)


class RADLoss(_Loss):
    r"""How alike lesion and background look to the student follows how alike they look to the teacher.

    .. math:: L = \mathrm{mean}_{n, k<l} (\cos(r_k(f^s), r_l(f^s)) - \cos(r_k(f^t), r_l(f^t)))^2

    with r_k the mean of the map over the pixels labelled k. The mean is over the pairs of classes that are both present
    in the sample, on both maps; without any the value is 0, with gradient 0.

    Args:
        num_classes: K.

    Shape:
        student, teacher: features (N, C, *spatial), channels and sizes may differ; target: (N, 1, *any) labels, taken to
        each map's size with mode "nearest".

    Raises:
        ValueError: without a target, or when batch size or number of axes differ.

    Reference: Qin et al., Efficient Medical Image Segmentation Based on Knowledge Distillation, TMI 2021. Differs from the
    authors' code, which knows two classes, raises where maps differ in size, and gives NaN for an image all of lesion.

    In a preset: ``rad: {tap: [encoder.1, encoder.3], weight: 0.9, loss: {_target_: medkd.losses.RADLoss}}``
    """

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Maps (N, C, *spatial) and labels (N, 1, *any)."""
        check_same_batch("RADLoss", student, teacher)
        with no_autocast(student):
            maps = full_precision(student), full_precision(teacher.detach())
            regions = tuple(one_hot_at("RADLoss", target, feature, self.num_classes) for feature in maps)
            return rad_loss(*(feature.flatten(2) for feature in maps), regions)
