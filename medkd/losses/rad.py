"""Region affinity distillation (RAD), the relational term of EMKD."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_same_batch, full_precision, no_autocast, one_hot_at

__all__ = ["RADLoss", "rad_loss"]


def _region_means(feature: Tensor, regions: Tensor) -> Tensor:
    """Return the normalised mean of a map (N, C, P) over each one-hot region (N, K, P): (N, C, K); 0 of an empty region."""
    # the sum has the direction of the mean; in this order of factors, the gradient of the map needs no transposed copy
    return F.normalize(torch.bmm(feature, regions.transpose(1, 2)), dim=1, eps=1e-12)


def rad_loss(student: Tensor, teacher: Tensor, regions: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean, over pairs of present classes, of the squared difference of the cosines of their means.

    Args:
        student: a map (N, Cs, Ps).
        teacher: a map (N, Ct, Pt).
        regions: one-hot regions of both maps, (N, K, Ps) and (N, K, Pt).

    Example:
        >>> regions = torch.eye(2)[None]  # two positions, one of each class
        >>> round(rad_loss(torch.ones(1, 3, 2), torch.eye(2)[None], (regions, regions)).item(), 4)  # cosines 1 and 0
        1.0
    """
    cosines = []
    for feature, region in zip((student, teacher), regions, strict=True):
        means = _region_means(feature, region)
        cosines.append(torch.bmm(means.transpose(1, 2), means))
    present = regions[0].amax(dim=2)
    if regions[1] is not regions[0]:
        present = present * regions[1].amax(dim=2)
    pairs = torch.triu(present[:, :, None] * present[:, None, :], diagonal=1)
    return ((cosines[0] - cosines[1]).square() * (pairs / pairs.sum().clamp_min(1.0))).sum()


class RADLoss(_Loss):
    r"""Teach the student how similar the mean features of two classes are, lesion and background for example.

    .. math:: L = \mathrm{mean}_{n, k<l} (\cos(r_k(f^s), r_l(f^s)) - \cos(r_k(f^t), r_l(f^t)))^2

    with r_k the mean of the map over the pixels labelled k. The mean is taken over the pairs of classes that are both
    present in the image, on both maps. Without any such pair the value and its gradient are 0.

    Args:
        num_classes: K.

    Shape:
        student, teacher: features (N, C, *spatial). Channels and sizes may differ; the maps are never resized. target: (N, 1,
        *any) labels, resized to each map with mode "nearest".

    Raises:
        ValueError: without a target, or when batch size or number of axes differ.

    Example:
        >>> target = torch.tensor([[[[0, 1], [0, 1]]]])
        >>> RADLoss()(torch.ones(1, 3, 2, 2), torch.ones(1, 5, 2, 2), target)
        tensor(0.)

    Reference: Qin et al., Efficient Medical Image Segmentation Based on Knowledge Distillation, TMI 2021. Differs from the
    authors' code, which takes two classes, raises where maps differ in size, and gives NaN for an image of lesion alone.

    In a preset: ``rad: {tap: [encoder.1, encoder.3], weight: 0.9, loss: {_target_: medkd.losses.RADLoss}}``
    """

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps (N, C, *spatial) and labels (N, 1, *any)."""
        check_same_batch("RADLoss", student, teacher)
        with no_autocast(student):
            f_s, f_t = full_precision(student), full_precision(teacher.detach())
            regions_s = one_hot_at("RADLoss", target, f_s, self.num_classes)
            is_same = f_s.shape[2:] == f_t.shape[2:] and f_s.dtype == f_t.dtype
            regions_t = regions_s if is_same else one_hot_at("RADLoss", target, f_t, self.num_classes)
            return rad_loss(f_s.flatten(2), f_t.flatten(2), (regions_s, regions_t))
