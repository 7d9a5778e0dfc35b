"""Intra-class feature variation distillation (IFVD)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_same_batch, full_precision, no_autocast, one_hot_at, resize

__all__ = ["IFVDLoss", "ifvd_loss"]


def ifvd_loss(student: Tensor, teacher: Tensor, regions: Tensor) -> Tensor:
    """Mean over positions of the squared difference of `_variation`: maps (N, C, P), one-hot regions (N, K, P)."""
    return (_variation(student, regions) - _variation(teacher, regions.to(teacher.dtype))).square().mean()


def _variation(feature: Tensor, regions: Tensor) -> Tensor:
    """Cosine of every position with the centre of its class in the same image: (N, C, P), (N, K, P) to (N, P)."""
    count = regions.sum(dim=2, keepdim=True).clamp_min(1.0)
    centres = torch.einsum("nkp,ncp->nkc", regions, feature) / count
    cosines = F.normalize(centres, dim=2, eps=1e-12) @ F.normalize(feature, dim=1, eps=1e-12)
    return (cosines * regions).sum(dim=1)


class IFVDLoss(_Loss):
    r"""How far each pixel lies from its class's centre follows the teacher.

    .. math:: L = \mathrm{mean}_{n,i} (\cos(f^s_i, c^s_{y_i}) - \cos(f^t_i, c^t_{y_i}))^2

    with c_k the mean of the map over the image's pixels of class k. Gradients flow through the centres.

    Args:
        num_classes: K.

    Shape:
        student, teacher: features (N, C, *spatial), channels may differ, the student is resized to the teacher; target:
        (N, 1, *any) labels, taken to the map's size with mode "nearest".

    Raises:
        ValueError: without a target, or when batch size or number of axes differ.

    Reference: Wang et al., Intra-class Feature Variation Distillation for Semantic Segmentation, ECCV 2020. Differs from
    the authors' code in memory only: K centres and one product in the place of K maps of full size. There is no ignore
    label, which theirs counts in the mean.

    In a preset: ``ifv: {tap: penultimate, weight: 20.0, loss: {_target_: medkd.losses.IFVDLoss}}``
    """

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Maps (N, C, *spatial) and labels (N, 1, *any)."""
        check_same_batch("IFVDLoss", student, teacher)
        with no_autocast(student):
            f_t = full_precision(teacher.detach())
            f_s = resize(full_precision(student), f_t.shape[2:])
            regions = one_hot_at("IFVDLoss", target, f_t, self.num_classes)
            return ifvd_loss(f_s.flatten(2), f_t.flatten(2), regions.to(f_s.dtype))
