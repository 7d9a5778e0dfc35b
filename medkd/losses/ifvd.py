"""Intra-class feature variation distillation (IFVD)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from ._common import check_same_batch, full_precision, l2_norm, no_autocast, one_hot_at, resize

__all__ = ["IFVDLoss", "ifvd_loss"]


def ifvd_loss(student: Tensor, teacher: Tensor, regions: Tensor) -> Tensor:
    """Return the mean over positions of the squared difference of both maps' cosines with their class centres.

    Args:
        student: a map (N, Cs, P).
        teacher: a map (N, Ct, P).
        regions: one-hot regions (N, K, P).

    Example:
        >>> regions = torch.ones(1, 1, 4)
        >>> ifvd_loss(torch.ones(1, 3, 4), torch.ones(1, 5, 4), regions).item() < 1e-6
        True
    """
    return (_variation(student, regions) - _variation(teacher, regions.to(teacher.dtype))).square().mean()


def _variation(feature: Tensor, regions: Tensor) -> Tensor:
    """Return the cosine of every position of a map (N, C, P) with the centre of its class in the same image: (N, P)."""
    # in this order of factors, the gradient of the map needs no transposed copy
    centres = F.normalize(
        torch.bmm(feature, regions.transpose(1, 2)), dim=1, eps=1e-12
    )  # sums have the directions of the means
    products = torch.bmm(centres.transpose(1, 2), feature)
    return (products * regions).sum(dim=1) / l2_norm(feature, dim=1).clamp_min(1e-12)


class IFVDLoss(_Loss):
    r"""Teach the student how close the feature of each pixel is to the mean feature of its class.

    .. math:: L = \mathrm{mean}_{n,i} (\cos(f^s_i, c^s_{y_i}) - \cos(f^t_i, c^t_{y_i}))^2

    with c_k the mean of the map over the pixels of class k in the same image. Gradients flow through the centres.

    Args:
        num_classes: K.

    Shape:
        student, teacher: features (N, C, *spatial). Channels and sizes may differ: the student is resized to the teacher.
        target: (N, 1, *any) labels, resized to the map with mode "nearest".

    Raises:
        ValueError: without a target, or when batch size or number of axes differ.

    Example:
        >>> target = torch.tensor([[[[0, 1], [0, 1]]]])
        >>> IFVDLoss()(torch.ones(1, 3, 2, 2), torch.ones(1, 5, 2, 2), target).item() < 1e-6
        True

    Reference: Wang et al., Intra-class Feature Variation Distillation for Semantic Segmentation, ECCV 2020. Differs from
    the authors' code in memory: K centres and one product replace K maps of full size. There is no ignore label; their
    code counts it in the mean.

    In a preset: ``ifv: {tap: penultimate, weight: 20.0, loss: {_target_: medkd.losses.IFVDLoss}}``
    """

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps (N, C, *spatial) and labels (N, 1, *any)."""
        check_same_batch("IFVDLoss", student, teacher)
        with no_autocast(student):
            f_t = full_precision(teacher.detach())
            f_s = resize(full_precision(student), f_t.shape[2:])
            regions = one_hot_at("IFVDLoss", target, f_t, self.num_classes)
            return ifvd_loss(f_s.flatten(2), f_t.flatten(2), regions.to(f_s.dtype))
